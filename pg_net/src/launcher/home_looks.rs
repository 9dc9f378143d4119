use std::time::{Duration, Instant};

use crate::shared::Home;

const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// When to have a visitor look whether the worker of `pg_net.database_name`, which waits, can connect: at once if there is no
/// reason against it, else after pauses that grow, since nobody says when what is in the way is gone.
#[derive(Debug, Default)]
pub(super) struct HomeLooks {
    /// Which wait of the worker's this is about.
    wait: u32,
    /// When that wait, or the pause, began.
    since: Option<Instant>,
    pause: Duration,
    /// Whether a visitor has found something in the way.
    is_refused: bool,
    /// Whether somebody has asked for the worker since.
    is_asked: bool,
    /// Whether it waits for a look.
    is_wanted: bool,
}

impl HomeLooks {
    /// The launcher begins to see who waits.
    pub(super) fn begin(&mut self) {
        self.is_wanted = false;
    }

    /// The worker waits: one whose connection failed, though a visitor found nothing in the way, only after a pause.
    pub(super) fn note_wait(&mut self, now: Instant, home: &Home) {
        if self.wait != home.waits() {
            let pause = match home.failed_starts() {
                0 => Duration::ZERO,
                failed => Duration::from_secs(1 << failed.min(6)).min(LONGEST),
            };
            *self = Self { wait: home.waits(), since: Some(now), pause, ..Self::default() };
        }
    }

    /// Whether a visitor may look now. Where it may not, [`deadline`](Self::deadline) has when.
    pub(super) fn may_look(&mut self, now: Instant) -> bool {
        let may = self.next().is_none_or(|next| next <= now);
        self.is_wanted = !may;
        may
    }

    /// A visitor found something in the way.
    pub(super) fn refuse(&mut self, now: Instant) {
        self.pause = (self.pause * 2).clamp(SHORTEST, LONGEST);
        self.since = Some(now);
        self.is_refused = true;
        self.is_asked = false;
        self.is_wanted = true;
    }

    /// Somebody waits for the worker: what was in the way may be gone.
    pub(super) fn ask(&mut self) {
        self.is_asked = self.is_refused;
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.next().filter(|_| self.is_wanted)
    }

    fn next(&self) -> Option<Instant> {
        let pause = if self.is_asked { self.pause.min(SHORTEST) } else { self.pause };
        self.since.map(|since| since + pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute_and_a_request_shortens_them_to_a_second() {
        let start = Instant::now();
        let mut looks = HomeLooks::default();
        assert!(looks.may_look(start));
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            looks.refuse(start);
            assert_eq!(looks.deadline(), Some(start + Duration::from_secs(seconds)));
            assert!(!looks.may_look(start));
        }
        looks.ask();
        assert_eq!(looks.deadline(), Some(start + SHORTEST));
        assert!(looks.may_look(start + SHORTEST));
        assert_eq!(looks.deadline(), None, "nobody waits for what is being done");
    }
}
