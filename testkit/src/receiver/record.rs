use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::Request;
use crate::PATIENCE;

/// The requests that came, and who waits for more.
#[derive(Default)]
pub(super) struct Record {
    requests: Mutex<Vec<Arc<Request>>>,
    grown: Condvar,
}

impl Record {
    pub(super) fn add(&self, request: Arc<Request>) {
        self.lock().push(request);
        self.grown.notify_all();
    }

    pub(super) fn all(&self) -> Vec<Arc<Request>> {
        self.lock().clone()
    }

    /// Waits until a look at the requests finds something; nothing if that takes longer than patience lasts.
    pub(super) fn wait<T>(&self, find: impl Fn(&[Arc<Request>]) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + PATIENCE;
        let mut requests = self.lock();
        loop {
            if let Some(found) = find(&requests) {
                return Some(found);
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            requests = self.grown.wait_timeout(requests, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Request>>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
