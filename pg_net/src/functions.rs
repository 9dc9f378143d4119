//! What SQL calls. Each function checks its arguments, does one thing, and raises a proper error otherwise.

mod await_response;
pub(crate) mod caller;
mod cancel;
mod check;
mod control;
mod copies;
mod egress;
mod encode;
mod enqueue;
mod forms;
mod origin_state;
mod queue;
mod request;
mod retry;
mod settings_changed;
mod whereabouts;
