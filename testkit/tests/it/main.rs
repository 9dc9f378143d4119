//! The integration tests: one binary, a module a theme.
//!
//! Each boots a Postgres of its own with the built extension, and looks at both ends of a request: what the receiver got,
//! and the row in `net._http_response`.

mod access;
mod altered_tables;
mod at_most_once;
mod at_rest;
mod below_executor;
mod bounded_worker;
mod cancelling;
mod collect;
mod crash;
mod databases;
mod direct_inserts;
mod docs_page;
mod documentation;
mod dropping;
mod dump_restore;
mod durability;
mod egress;
mod encodings;
mod failures;
mod fairness;
mod field;
mod foreign;
mod forms;
mod gathering;
mod harness;
mod http_request;
mod index_entries;
mod locked_rows;
mod nasty_rows;
mod nginx;
mod odd_settings;
mod pg_upgrade;
mod queue_rules;

mod redirects;
mod released;
mod replication;
mod replies;
mod requests;
mod responses_kept;
mod retries;
mod settings;
mod shutdown;
mod sick_origins;
mod signatures;
mod support;
mod traces;
mod transactions;
mod under_load;
mod update;
mod urlencode;
mod validation;
mod volume;
mod wait_events;
mod waiting;
mod without_preload;
mod worker_life;
