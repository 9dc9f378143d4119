//! Code that users attach to the extension's tables: who may, which of it runs, and with whose rights.
//!
//! It never has more rights than the owner of the table that it hangs on. What makes a trigger or a rule without owning the table is
//! refused ([`attaching`]). When a statement on one of the tables starts, triggers of strangers are taken out of it and
//! the others led through a function of ours ([`choosing`]), which runs them as the table's owner ([`running`]). The worker runs such
//! statements so that what fails there, or takes too long, holds up nothing else ([`guarding`]).

mod attaching;
mod choosing;
pub(crate) mod commands;
mod guarding;
mod running;

pub(crate) use choosing::without_user_triggers;
pub(crate) use guarding::{Refusal, guarded, is_of_the_row};

/// Puts the hooks in place. Called once, while the library is preloaded.
pub(crate) fn install() {
    attaching::install();
    choosing::install();
}
