use std::cell::Cell;

use tokio::sync::{Mutex, MutexGuard};

/// Lets one request at a time open a connection to an origin, until it is known that its connections are not shared.
#[derive(Default)]
pub(crate) struct Gate {
    opening: Mutex<()>,
    exclusive: Cell<bool>,
}

impl Gate {
    /// Waits until nobody else is opening a connection.
    pub(crate) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.opening.lock().await
    }

    /// Whether each request needs a connection of its own, so that there is no point in waiting.
    pub(crate) fn is_exclusive(&self) -> bool {
        self.exclusive.get()
    }

    /// What the opened connection turned out to be.
    pub(crate) fn learn(&self, shared: bool) {
        self.exclusive.set(!shared);
    }
}
