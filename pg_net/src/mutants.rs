//! Faults built in on purpose, so that the torture suite and the sanitizer show that they find them. Only `torture/mutants`
//! is built with the feature, and does one of them if the server's environment says so; in all other builds these functions
//! do nothing.

use std::time::Duration;

use engine::{Failure, Outcome, Request};

/// Records an outcome before the request is sent.
pub(crate) fn record_before_send(requests: &[Request], outcomes: &mut Vec<Outcome>) {
    if is("record-before-send") {
        let failure = || Failure::invalid("recorded before it was sent");
        let outcome =
            |request: &Request| Outcome { key: request.key(), result: Err(failure()), elapsed: Duration::ZERO };
        outcomes.extend(requests.iter().map(outcome));
    }
}

/// Whether rows are deleted when they are claimed.
pub(crate) fn deletes_at_claim() -> bool {
    is("delete-at-claim")
}

/// Whether to wake the worker before the transaction has committed.
pub(crate) fn wakes_before_commit() -> bool {
    is("wake-before-commit")
}

/// Reads what is freed.
#[cfg(feature = "mutants")]
pub(crate) fn read_freed() {
    if is("read-freed") {
        let freed = Box::into_raw(Box::new(1_u64));
        // SAFETY: it came from a box, and is read again on purpose.
        let read = unsafe {
            drop(Box::from_raw(freed));
            freed.read_volatile()
        };
        std::hint::black_box(read);
    }
}

#[cfg(not(feature = "mutants"))]
pub(crate) const fn read_freed() {}

#[cfg(feature = "mutants")]
fn is(name: &str) -> bool {
    std::env::var("PGNET_MUTANT").is_ok_and(|mutant| mutant == name)
}

#[cfg(not(feature = "mutants"))]
const fn is(_: &str) -> bool {
    false
}
