use std::cell::Cell;
use std::rc::Rc;

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use crate::address::origin::Origin;
use crate::dispatch::dispatcher::Event;
use crate::trace::timeline::Place;

/// What the dispatcher and the task of a request that was started both hold of it.
pub(crate) struct Ticket {
    pub(crate) origin: Origin,
    /// Whether the origin was sick.
    pub(crate) probe: bool,
    /// Bytes of the request's body.
    pub(crate) body: usize,
    /// Whether the dispatcher wants to hear that there is a connection.
    watch: Cell<bool>,
    place: Cell<PlaceState>,
    events: UnboundedSender<Event>,
}

/// Whether a request counts among those that are under way, as the dispatcher has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlaceState {
    Taken,
    /// It waits for something that is not up to the origin, for long.
    GivenUp,
    /// It could go on, and waits for a place.
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

    /// The dispatcher alone says so.
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

    /// Those that had a place come before all that have not started.
    fn ask_back(self: Rc<Self>) -> oneshot::Receiver<()> {
        let (given, place) = oneshot::channel();
        self.tell(Event::WantsPlace(self.clone(), given));
        place
    }
}
