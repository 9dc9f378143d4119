//! How long a worker stays.

use std::time::{Duration, Instant};

use crate::pg::types::clock;
use crate::settings;
use crate::shmem::{self, Ending};

/// How long a busy worker goes on while databases wait that there is no room for.
const SLICE: Duration = Duration::from_secs(2);

/// The worker of `pg_net.database_name` stays, unless another database can be served by nobody else. The others go when there has
/// been nothing to do for a while, and make room where others wait.
pub(super) struct Tenure {
    is_home: bool,
    since: Instant,
    /// Since when there has been nothing to do.
    idle_since: Option<Instant>,
    /// When to look again whether it is over.
    look_again: Option<Instant>,
}

/// What a worker has to do that does nothing at the moment.
pub(super) struct Outlook {
    /// Whether there is more in the queue than was begun.
    pub(super) has_more: bool,
    /// Whether something is in the way of what there is to do, and will be tried again.
    pub(super) is_troubled: bool,
    /// When there will be something to do.
    pub(super) next: Option<Instant>,
}

impl Tenure {
    pub(super) fn new(now: Instant, is_home: bool) -> Self {
        Self { is_home, since: now, idle_since: None, look_again: None }
    }

    pub(super) fn is_home(&self) -> bool {
        self.is_home
    }

    /// Whether nothing more is to be begun, since others wait and this worker has had its turn.
    pub(super) fn is_ending(&self, now: Instant) -> bool {
        shmem::get().is_room_wanted() && now.saturating_duration_since(self.since) >= SLICE
    }

    /// There is, or was, something to do.
    pub(super) fn busy(&mut self) {
        self.idle_since = None;
        self.look_again = None;
        shmem::get().my_slot().keep();
    }

    /// There is nothing to do at the moment. Whether the worker is to go, and with which ending.
    pub(super) fn idle(&mut self, now: Instant, outlook: &Outlook) -> Option<Ending> {
        let idle_since = *self.idle_since.get_or_insert(now);
        if self.is_home {
            return shmem::get().is_room_wanted().then(|| {
                shmem::get().home.make_room();
                Ending::Again
            });
        }
        if self.is_ending(now) && outlook.has_more && !outlook.is_troubled {
            return Some(Ending::Again);
        }
        let timeout = settings::worker_idle_timeout();
        let is_due_soon = outlook.next.is_some_and(|next| next.saturating_duration_since(now) < timeout);
        let may_stay_until = idle_since + timeout;
        // What is due soon, or tried again, brings the next look by itself.
        self.look_again = Some(may_stay_until).filter(|&end| end > now);
        let is_over = may_stay_until <= now && !is_due_soon && !outlook.is_troubled;
        let is_visit_over = shmem::get().my_slot().end_visit();
        (is_visit_over || is_over || shmem::get().is_room_wanted()).then(|| {
            if outlook.is_troubled {
                Ending::Broken
            } else {
                Ending::Done(outlook.next.map(|next| clock::after(clock::now(), next.saturating_duration_since(now))))
            }
        })
    }

    /// When the worker goes if there is nothing to do until then, or has had its turn.
    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        let turn = Some(self.since + SLICE).filter(|&end| shmem::get().is_room_wanted() && end > now);
        turn.into_iter().chain(self.look_again).min()
    }
}
