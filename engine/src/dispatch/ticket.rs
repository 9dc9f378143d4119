use std::cell::Cell;
use std::rc::Rc;

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use crate::address::origin::Origin;
use crate::dispatch::dispatcher::Event;
use crate::trace::progress::Place;

/// What the dispatcher and the task of a started request share.
pub(crate) struct Ticket {
    pub(crate) origin: Origin,
    /// Whether the origin was sick when the request started.
    pub(crate) probe: bool,
    /// Bytes of the request's body.
    pub(crate) body: usize,
    /// Whether the dispatcher has to be told when there is a connection.
    watch: Cell<bool>,
    place: Cell<PlaceState>,
    events: UnboundedSender<Event>,
}

/// Whether a request counts among those in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlaceState {
    Taken,
    /// It waits for long, for something that does not depend on its origin.
    GivenUp,
    /// It can go on and waits for a place.
    Wanted,
}

impl Ticket {
    pub(crate) fn new(
        origin: Origin,
        probe: bool,
        body: usize,
        watch: bool,
        events: UnboundedSender<Event>,
    ) -> Rc<Self> {
        Rc::new(Self { origin, probe, body, watch: Cell::new(watch), place: Cell::new(PlaceState::Taken), events })
    }

    pub(crate) fn place(&self) -> PlaceState {
        self.place.get()
    }

    /// Only the dispatcher calls this.
    pub(crate) fn set_place(&self, place: PlaceState) {
        self.place.set(place);
    }

    pub(crate) fn tell(&self, event: Event) {
        // The dispatcher is gone only when the engine stops.
        let _ = self.events.send(event);
    }
}

impl Place for Ticket {
    fn connected(self: Rc<Self>) {
        if self.watch.take() {
            self.tell(Event::Reached(self.clone()));
        }
    }

    fn give_up(self: Rc<Self>) {
        self.tell(Event::GivesUpPlace(self.clone()));
    }

    /// Requests that had a place get one before those that have not started.
    fn ask_back(self: Rc<Self>) -> oneshot::Receiver<()> {
        let (given, place) = oneshot::channel();
        self.tell(Event::WantsPlace(self.clone(), given));
        place
    }
}
