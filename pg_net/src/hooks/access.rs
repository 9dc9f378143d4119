//! Who reaches what of the extension's tables, beyond what GRANT can say.
//!
//! Blanket grants are common: platforms give roles all rights on all tables of a schema. So a right alone opens neither the rows
//! of others, nor the tables that are the extension's own business, nor what would stop all requests: strong locks and TRUNCATE.
//! None of it stands in a catalog, where scripts that reset a database would stumble over it; and without this library no
//! role but the owner sees a row.

mod commands;
mod open;
mod rows;
mod tables;

#[cfg(any(feature = "pg17", feature = "pg18"))]
pub(crate) use commands::check_maintenance;
pub(crate) use commands::{check_lock, check_truncate};

/// Makes the settings known and puts the hooks in place. Called once, while the library is preloaded.
pub(crate) fn install() {
    open::define();
    rows::install();
    commands::install();
}
