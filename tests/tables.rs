//! What users and owners do to the tables themselves: rows, locks, indexes, triggers, columns.

mod altered;
mod below_executor;
mod columns;
mod direct_inserts;
mod durability;
mod index_entries;
mod locked_rows;
mod nasty_rows;
mod queue_rules;
mod triggers;
mod under_load;
