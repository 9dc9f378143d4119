//! What other sessions do.

use super::{Injection, crashes};
use crate::clock;
use crate::harness::{Field, harmless};

/// Reloads the configuration with other limits.
pub(super) fn change_settings(field: &mut Field) -> Option<Injection> {
    let begin = clock::now();
    let dice = &mut field.dice;
    let settings = [
        ("batch_size", dice.pick(&["1", "7", "200", "1000"])),
        ("ttl", dice.pick(&["1 second", "1 hour", "2 days"])),
        ("max_in_flight", dice.pick(&["3", "50", "1000"])),
        ("max_in_flight_per_origin", dice.pick(&["2", "20", "200"])),
        ("max_response_bytes", dice.pick(&["1000", "64MB"])),
    ];
    for (name, value) in settings {
        field.client.batch_execute(&format!("alter system set pg_net.{name} = '{value}'")).expect("alter system");
    }
    field.client.batch_execute("select pg_reload_conf()").expect("reload");
    harmless(begin)
}

/// A session is idle in a transaction: nothing that is done since can be vacuumed.
pub(super) fn hold_snapshot(field: &mut Field) -> Option<Injection> {
    let begin = clock::now();
    field.client.batch_execute("begin isolation level repeatable read; select from net._http_response").expect("begin");
    field.pause(100, 1000);
    field.cluster.connect().batch_execute("vacuum net.http_request_queue").expect("vacuum, in vain");
    field.pause(100, 1000);
    field.client.batch_execute("rollback").expect("let the snapshot go");
    harmless(begin)
}

/// Ends transactions that writers have prepared, some of them after a crash.
pub(super) fn end_prepared(field: &mut Field) -> Option<Injection> {
    let begin = clock::now();
    let crash = field.dice.chance(25).then(|| crashes::kill_server(field)).flatten();
    end_all_prepared(field);
    crash.or_else(|| harmless(begin))
}

/// Commits or rolls back each prepared transaction that there is.
pub(crate) fn end_all_prepared(field: &mut Field) {
    let rows = field.client.query("select gid from pg_prepared_xacts", &[]).expect("read prepared transactions");
    for row in rows {
        let how = if field.dice.chance(70) { "commit" } else { "rollback" };
        let end = format!("{how} prepared '{}'", row.get::<_, &str>(0));
        field.client.batch_execute(&end).unwrap_or_else(|error| panic!("{end}: {error:?}"));
    }
}
