//! How long a worker stays.

use std::time::{Duration, Instant};

/// How long a busy worker goes on while databases wait that there is no room for.
const TURN: Duration = Duration::from_secs(2);

/// What a worker still has to do that does nothing at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Whether there is more in the queue than was begun.
    pub has_more: bool,
    /// Whether something is in the way of what there is to do, and will be tried again.
    pub is_troubled: bool,
    /// When there will be something to do.
    pub next: Option<Instant>,
}

/// What the worker knows of the others when it asks whether to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// Whether other databases wait for room.
    pub is_room_wanted: bool,
    /// How long a worker stays when there is nothing to do.
    pub idle_timeout: Duration,
}

/// How a worker is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Before it is done: another one is to come.
    Again,
    /// The same, after a pause: something is in the way.
    Troubled,
    /// It is done; at this time there will be something to do, if any is given.
    Done(Option<Instant>),
}

/// The worker of `pg_net.database_name` stays, unless another database can be served by no other. The others go when there has
/// been nothing to do for a while, and make room where databases wait.
#[derive(Debug)]
pub struct IdlePolicy {
    is_home: bool,
    since: Instant,
    /// Since when there has been nothing to do.
    idle_since: Option<Instant>,
    /// When to ask again whether it is over.
    ask_again: Option<Instant>,
}

impl IdlePolicy {
    /// A worker starts; `is_home` says that it is the one of `pg_net.database_name`.
    pub fn new(now: Instant, is_home: bool) -> Self {
        Self { is_home, since: now, idle_since: None, ask_again: None }
    }

    /// Whether it is the worker of `pg_net.database_name`.
    pub fn is_home(&self) -> bool {
        self.is_home
    }

    /// Whether nothing more is to be begun, since other databases wait and this worker has had its turn.
    pub fn is_ending(&self, now: Instant, is_room_wanted: bool) -> bool {
        is_room_wanted && now.saturating_duration_since(self.since) >= TURN
    }

    /// There is, or was, something to do.
    pub fn busy(&mut self) {
        self.idle_since = None;
        self.ask_again = None;
    }

    /// There is nothing to do at the moment. Whether the worker is to go, and how. `end_visit` is asked whether it came to look
    /// whether there is something to do, and no one has it stay.
    pub fn idle(
        &mut self,
        now: Instant,
        workload: &Workload,
        surroundings: Surroundings,
        end_visit: impl FnOnce() -> bool,
    ) -> Option<Exit> {
        let Surroundings { is_room_wanted, idle_timeout } = surroundings;
        let idle_since = *self.idle_since.get_or_insert(now);
        if self.is_home {
            return is_room_wanted.then_some(Exit::Again);
        }
        if self.is_ending(now, is_room_wanted) && workload.has_more && !workload.is_troubled {
            return Some(Exit::Again);
        }
        let is_due_soon = workload.next.is_some_and(|next| next.saturating_duration_since(now) < idle_timeout);
        let may_stay_until = idle_since + idle_timeout;
        // What is due soon, or tried again, makes the worker ask again by itself.
        self.ask_again = Some(may_stay_until).filter(|&end| end > now);
        let is_over = may_stay_until <= now && !is_due_soon && !workload.is_troubled;
        let is_visit_over = end_visit();
        (is_visit_over || is_over || is_room_wanted).then_some(match workload.is_troubled {
            true => Exit::Troubled,
            false => Exit::Done(workload.next),
        })
    }

    /// When the worker goes if there is nothing to do until then, or has had its turn.
    pub fn deadline(&self, now: Instant, is_room_wanted: bool) -> Option<Instant> {
        let turn = Some(self.since + TURN).filter(|&end| is_room_wanted && end > now);
        turn.into_iter().chain(self.ask_again).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Workload = Workload { has_more: false, is_troubled: false, next: None };
    const TIMEOUT: Duration = Duration::from_secs(60);
    const ALONE: Surroundings = Surroundings { is_room_wanted: false, idle_timeout: TIMEOUT };
    const CROWDED: Surroundings = Surroundings { is_room_wanted: true, idle_timeout: TIMEOUT };

    fn policy(is_home: bool) -> (IdlePolicy, Instant) {
        let now = Instant::now();
        (IdlePolicy::new(now, is_home), now)
    }

    #[test]
    fn a_worker_goes_when_the_timeout_is_over_and_not_before() {
        let (mut policy, start) = policy(false);
        assert_eq!(policy.idle(start, &NOTHING, ALONE, || false), None);
        assert_eq!(policy.deadline(start, false), Some(start + TIMEOUT));
        let before = start + TIMEOUT - Duration::from_millis(1);
        assert_eq!(policy.idle(before, &NOTHING, ALONE, || false), None);
        assert_eq!(policy.idle(start + TIMEOUT, &NOTHING, ALONE, || false), Some(Exit::Done(None)));
    }

    #[test]
    fn work_starts_the_timeout_over() {
        let (mut policy, start) = policy(false);
        assert_eq!(policy.idle(start, &NOTHING, ALONE, || false), None);
        policy.busy();
        assert_eq!(policy.deadline(start, false), None);
        assert_eq!(policy.idle(start + TIMEOUT, &NOTHING, ALONE, || false), None);
    }

    #[test]
    fn the_worker_of_the_settings_stays_however_long() {
        let (mut policy, start) = policy(true);
        assert_eq!(policy.idle(start, &NOTHING, ALONE, || true), None);
        assert_eq!(policy.idle(start + TIMEOUT * 100, &NOTHING, ALONE, || true), None);
        assert_eq!(policy.idle(start + TIMEOUT * 100, &NOTHING, CROWDED, || false), Some(Exit::Again));
    }

    #[test]
    fn what_falls_due_soon_is_waited_for() {
        let (mut policy, start) = policy(false);
        policy.idle(start, &NOTHING, ALONE, || false);
        let soon = Workload { next: Some(start + TIMEOUT + Duration::from_secs(59)), ..NOTHING };
        assert_eq!(policy.idle(start + TIMEOUT, &soon, ALONE, || false), None);
        let late = Workload { next: Some(start + TIMEOUT + Duration::from_secs(60)), ..NOTHING };
        assert_eq!(policy.idle(start + TIMEOUT, &late, ALONE, || false), Some(Exit::Done(late.next)));
    }

    #[test]
    fn trouble_keeps_a_worker_unless_others_wait() {
        let (mut policy, start) = policy(false);
        let troubled = Workload { is_troubled: true, ..NOTHING };
        policy.idle(start, &troubled, ALONE, || false);
        assert_eq!(policy.idle(start + TIMEOUT * 2, &troubled, ALONE, || false), None);
        assert_eq!(policy.idle(start + TIMEOUT * 2, &troubled, CROWDED, || false), Some(Exit::Troubled));
    }

    #[test]
    fn a_visit_ends_as_soon_as_there_is_nothing_to_do() {
        let (mut policy, start) = policy(false);
        assert_eq!(policy.idle(start, &NOTHING, ALONE, || true), Some(Exit::Done(None)));
    }

    #[test]
    fn a_busy_worker_has_its_turn_and_then_makes_room() {
        let (mut policy, start) = policy(false);
        let more = Workload { has_more: true, ..NOTHING };
        assert!(!policy.is_ending(start + Duration::from_millis(1999), true));
        assert_eq!(policy.deadline(start, true), Some(start + TURN));
        assert!(policy.is_ending(start + TURN, true));
        assert!(!policy.is_ending(start + TURN, false), "nothing waits for room");
        assert_eq!(policy.idle(start + TURN, &more, CROWDED, || false), Some(Exit::Again));
    }
}
