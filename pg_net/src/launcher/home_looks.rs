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

    /// Whether the worker may enter now that a visitor found nothing in the way, which perhaps came for the sake of others.
    pub(super) fn may_enter(&mut self, now: Instant) -> bool {
        self.is_refused || self.may_look(now)
    }

    /// A visitor found something in the way. One that came for the sake of others makes no pause longer.
    pub(super) fn refuse(&mut self, now: Instant) {
        if self.may_look(now) {
            self.pause = (self.pause * 2).clamp(SHORTEST, LONGEST);
            self.since = Some(now);
            self.is_asked = false;
        }
        self.is_refused = true;
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
