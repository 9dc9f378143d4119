use std::fmt;
use std::sync::Arc;

use crate::address::origin::Origin;
use crate::memory::budget::{Budget, Reservation};
use crate::trace::progress::Progress;

/// Bodies up to this size are not counted: the number of requests bounds them.
const TINY: usize = 4 << 10;
/// Up to this size a reply is counted, but never waits for room.
const SMALL: usize = 64 << 10;
/// How much is taken from the budget at a time.
const STEP: usize = 64 << 10;
/// The size that the buffer of a connection grows to when much comes in.
const READ_BUFFER: usize = 300 << 10;

/// Takes from the budget what one reply needs while it is read and decoded.
pub(crate) struct BodyMeter<'a> {
    budget: &'a Arc<Budget>,
    origin: &'a Origin,
    progress: &'a Progress,
    reservation: Option<Reservation>,
    covered: usize,
}

impl<'a> BodyMeter<'a> {
    pub(crate) fn new(budget: &'a Arc<Budget>, origin: &'a Origin, progress: &'a Progress) -> Self {
        Self { budget, origin, progress, reservation: None, covered: TINY }
    }

    /// Whether so many bytes of the reply may be in memory.
    pub(crate) fn covers(&self, bytes: usize) -> bool {
        bytes <= self.covered
    }

    /// Waits until they may.
    pub(crate) async fn cover(&mut self, bytes: usize) {
        if self.covers(bytes) {
            return;
        }
        let reservation = self.reservation.get_or_insert_with(|| self.budget.reserve(self.origin));
        if bytes <= SMALL {
            reservation.take(SMALL);
            self.covered = SMALL;
            return;
        }
        let mut more = (bytes - self.covered).next_multiple_of(STEP);
        self.covered += more;
        if reservation.bytes() <= SMALL {
            more += READ_BUFFER;
        }
        if !reservation.try_take(more) {
            self.progress.starve(true);
            reservation.wait_for(more).await;
            self.progress.starve(false);
        }
    }

    /// Counts what is left of a reply, whether there is room or not: it is in memory already.
    pub(crate) fn of_the_rest(budget: &'a Arc<Budget>, origin: &'a Origin, bytes: usize) -> BodyMemory {
        let mut reservation = (bytes > TINY).then(|| budget.reserve(origin));
        if let Some(reservation) = &mut reservation {
            reservation.take(bytes);
        }
        BodyMemory(reservation)
    }

    /// The reply is whole, and takes so many bytes.
    pub(crate) fn close(self, bytes: usize) -> BodyMemory {
        let mut reservation = self.reservation;
        if let Some(reservation) = &mut reservation {
            reservation.keep(bytes);
        }
        BodyMemory(reservation)
    }
}

/// What a whole reply takes of the budget, until the host has dropped it.
///
/// It says nothing about the reply: any two are equal, and a copy has none.
#[derive(Default)]
pub(crate) struct BodyMemory(Option<Reservation>);

impl Clone for BodyMemory {
    fn clone(&self) -> Self {
        Self(None)
    }
}

impl PartialEq for BodyMemory {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for BodyMemory {}

impl fmt::Debug for BodyMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} B", self.0.as_ref().map_or(0, Reservation::bytes))
    }
}
