//! Responses that cannot be stored.

use super::Injection;
use crate::clock;
use crate::field::{Field, harmless};

/// No response can be stored, by the error that Postgres raises where a disk is full.
pub(super) fn fill_disk(field: &mut Field) -> Option<Injection> {
    with_trigger(field, "true", "disk_full")
}

/// Some cannot, by an error of a user's own.
pub(super) fn fail(field: &mut Field) -> Option<Injection> {
    let (among, rest) = (field.dice.between(2, 20), field.dice.between(0, 1));
    with_trigger(field, &format!("new.id % {among} = {rest}"), "raise_exception")
}

fn with_trigger(field: &mut Field, when: &str, error: &str) -> Option<Injection> {
    let begin = clock::now();
    let create = format!(
        "create function torture.fail() returns trigger language plpgsql as $$
         begin raise '%', 'a response cannot be stored' using errcode = '{error}'; end $$;
         create trigger fail before insert on net._http_response for each row when ({when})
         execute function torture.fail()"
    );
    field.client.batch_execute(&create).expect("create a trigger that fails");
    field.pause(100, 1000);
    let drop = "drop trigger fail on net._http_response; drop function torture.fail()";
    field.client.batch_execute(drop).expect("drop the trigger");
    harmless(begin)
}
