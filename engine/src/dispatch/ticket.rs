use std::cell::Cell;
use std::rc::Rc;

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use crate::address::origin::Origin;
use crate::dispatch::dispatcher::Event;

/// What the dispatcher and the task of a request that was started both hold of it.
pub(crate) struct Ticket {
    pub(crate) origin: Origin,
    /// Whether the origin was sick.
    pub(crate) probe: bool,
    /// Bytes of the request's body.
    pub(crate) body: usize,
    /// Whether the dispatcher wants to hear that there is a connection.
    watch: Cell<bool>,
    place: Cell<Place>,
    events: UnboundedSender<Event>,
}

/// Whether a request counts among those that are under way, as the dispatcher has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
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
        Rc::new(Self { origin, probe, body, watch: Cell::new(watch), place: Cell::new(Place::Taken), events })
    }

    pub(crate) fn place(&self) -> Place {
        self.place.get()
    }

    /// The dispatcher alone says so.
    pub(crate) fn set_place(&self, place: Place) {
        self.place.set(place);
    }

    /// There is a connection for the request.
    pub(crate) fn reach(self: &Rc<Self>) {
        if self.watch.take() {
            self.tell(Event::Reached(self.clone()));
        }
    }

    /// Leaves the request's place to others.
    pub(crate) fn give_place_up(self: &Rc<Self>) {
        self.tell(Event::GivesUpPlace(self.clone()));
    }

    /// Waits for a place, before all that have not started.
    pub(crate) async fn take_place(self: &Rc<Self>) {
        let (given, place) = oneshot::channel();
        self.tell(Event::WantsPlace(self.clone(), given));
        // It is not answered only when the engine stops.
        let _ = place.await;
    }

    pub(crate) fn tell(&self, event: Event) {
        // The dispatcher is gone only when the engine stops.
        let _ = self.events.send(event);
    }
}
