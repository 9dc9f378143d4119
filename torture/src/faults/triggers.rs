//! Code on the tables that fails.

use super::Injection;
use crate::clock;
use crate::harness::{Harness, harmless};

/// No response can be stored, by the error that Postgres raises where a disk is full.
pub(super) fn fill_disk(harness: &mut Harness) -> Option<Injection> {
    with_trigger(harness, "true", "disk_full")
}

/// Code of the owner's comes to a table that the worker writes, fails at some rows or takes its time, and goes.
pub(super) fn fail(harness: &mut Harness) -> Option<Injection> {
    let (among, rest) = (harness.rng.between(2, 20), harness.rng.between(0, 1));
    let (table, event, row) = match harness.rng.between(0, 5) {
        0 | 1 => ("_http_response", "before insert", "new"),
        2 => ("_http_response", "after insert", "new"),
        3 => ("http_request_queue", "before delete", "old"),
        4 => ("http_request_queue", "before update", "new"),
        _ => ("dead_letter", "after insert", "new"),
    };
    let deed = match harness.rng.between(0, 4) {
        0 => "raise 'it fails'",
        1 => "raise insufficient_privilege",
        2 => "raise query_canceled",
        3 => "perform pg_sleep(0.08)",
        _ => "perform pg_sleep(60)",
    };
    let code = Code { table, event, when: format!("{row}.id % {among} = {rest}"), deed, result: row };
    attach(harness, &code)
}

struct Code<'a> {
    table: &'a str,
    event: &'a str,
    when: String,
    deed: &'a str,
    result: &'a str,
}

fn with_trigger(harness: &mut Harness, when: &str, error: &str) -> Option<Injection> {
    let deed = format!("raise '%', 'a response cannot be stored' using errcode = '{error}'");
    let (table, event, result) = ("_http_response", "before insert", "new");
    attach(harness, &Code { table, event, when: when.to_owned(), deed: &deed, result })
}

fn attach(harness: &mut Harness, code: &Code) -> Option<Injection> {
    let begin = clock::now();
    let Code { table, event, when, deed, result } = code;
    let create = format!(
        "create function torture.fail() returns trigger language plpgsql as $$ begin {deed}; return {result}; end $$;
         create trigger fail {event} on net.{table} for each row when ({when}) execute function torture.fail()"
    );
    harness.client.batch_execute(&create).expect("create a trigger that fails");
    harness.pause(100, 1000);
    let drop = format!("drop trigger fail on net.{table}; drop function torture.fail()");
    harness.client.batch_execute(&drop).expect("drop the trigger");
    harmless(begin)
}
