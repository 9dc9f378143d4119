use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Withholds the answers to a path until it is released or dropped.
pub struct Gate {
    latch: Arc<Latch>,
}

impl Gate {
    /// Lets the answers go, and all that come later.
    pub fn release(self) {
        // The drop does it.
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.latch.open();
    }
}

/// The gates of a receiver, by path.
#[derive(Default)]
pub(super) struct Gates {
    by_path: Mutex<HashMap<String, Arc<Latch>>>,
}

impl Gates {
    pub(super) fn close(&self, path: &str) -> Gate {
        let latch = Arc::new(Latch::default());
        self.by_path.lock().unwrap_or_else(PoisonError::into_inner).insert(path.into(), Arc::clone(&latch));
        Gate { latch }
    }

    /// Waits while the path is held.
    pub(super) fn pass(&self, path: &str) {
        let latch = self.by_path.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
        if let Some(latch) = latch {
            latch.wait();
        }
    }

    pub(super) fn open_all(&self) {
        self.by_path.lock().unwrap_or_else(PoisonError::into_inner).values().for_each(|latch| latch.open());
    }
}

#[derive(Default)]
struct Latch {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Latch {
    fn open(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.opened.notify_all();
    }

    fn wait(&self) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.opened.wait_while(open, |open| !*open).unwrap_or_else(PoisonError::into_inner));
    }
}
