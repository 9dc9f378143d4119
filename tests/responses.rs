//! What becomes of a reply or a failure, and how a session gets at it.

mod collect;
mod failures;
mod kept;
mod outcomes;
mod replies;
mod traces;
mod waiting;
