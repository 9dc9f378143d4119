use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a test waits for what should come at once, on a busy machine, before it fails.
pub const PATIENCE: Duration = Duration::from_secs(20);

const INTERVAL: Duration = Duration::from_millis(5);

/// What a condition answers: nothing yet, or what was waited for.
pub trait Met {
    /// What was waited for.
    type Value;

    /// The value, once there is one.
    fn met(self) -> Option<Self::Value>;
}

impl Met for bool {
    type Value = ();

    fn met(self) -> Option<()> {
        self.then_some(())
    }
}

impl<T> Met for Option<T> {
    type Value = T;

    fn met(self) -> Option<T> {
        self
    }
}

/// Waits for a condition of something that has no way to notify: a table, a process, a log.
///
/// # Panics
///
/// With `what` when it has not come within `timeout`.
#[track_caller]
pub fn wait_until<M: Met>(what: &str, timeout: Duration, mut condition: impl FnMut() -> M) -> M::Value {
    let start = Instant::now();
    loop {
        if let Some(value) = condition().met() {
            return value;
        }
        assert!(start.elapsed() < timeout, "waited {timeout:?} for {what}, which did not come");
        sleep(INTERVAL);
    }
}
