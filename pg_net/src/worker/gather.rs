use std::time::{Duration, Instant};

/// Leaves what comes often to gather: to deal with a few at a time costs nearly as much as to deal with many.
///
/// What comes after a rest is dealt with at once, what comes sooner when the span is over.
pub(super) struct Gather {
    span: Duration,
    until: Instant,
}

impl Gather {
    pub(super) fn new(span: Duration) -> Self {
        Self { span, until: Instant::now() }
    }

    /// What has come is being dealt with.
    pub(super) fn took(&mut self, now: Instant) {
        self.until = now + self.span;
    }

    /// Until when what comes is left to gather, if it is.
    pub(super) fn until(&self, now: Instant) -> Option<Instant> {
        (now < self.until).then_some(self.until)
    }
}
