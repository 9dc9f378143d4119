//! Who may do what, whose a request is, and what a role must not get at.

mod by_id;
mod callers;
mod hosted;
mod injection;
mod matrix;
mod open_access;
mod planted;
mod secrets;
