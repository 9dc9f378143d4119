use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::time::{Sleep, sleep_until};

use crate::address::origin::Origin;

/// When each origin has to be looked at. A timer that is set twice or for no reason does no harm.
#[derive(Debug, Default)]
pub(crate) struct OriginTimers(BinaryHeap<Reverse<(Instant, Origin)>>);

impl OriginTimers {
    pub(crate) fn set(&mut self, at: Instant, origin: &Origin) {
        self.0.push(Reverse((at, origin.clone())));
    }

    /// When the next timer fires.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes an origin whose timer has fired.
    pub(crate) fn take(&mut self, now: Instant) -> Option<Origin> {
        self.next().filter(|&at| at <= now)?;
        self.0.pop().map(|Reverse((_, origin))| origin)
    }
}

/// The timer of a task that has something to do at a moment that may change.
#[derive(Debug, Default)]
pub(crate) struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Ready once `at` has come. Until then, the task is woken when it comes.
    pub(crate) fn poll(&mut self, at: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(at) = at else {
            self.0 = None;
            return Poll::Pending;
        };
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(at.into())));
        if sleep.deadline() != at.into() {
            sleep.as_mut().reset(at.into());
        }
        sleep.as_mut().poll(cx)
    }
}
