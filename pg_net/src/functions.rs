//! What SQL calls. Each function checks its arguments, does one thing, and raises a proper error otherwise.

mod await_response;
mod cancel;
mod dead_letter;
mod egress_rules;
mod encode;
mod forms;
mod identity;
mod origin_state;
pub(crate) mod request;
mod settings_changed;
mod worker_control;
