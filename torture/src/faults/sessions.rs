//! What other sessions do.

use super::{Injection, crashes};
use crate::clock;
use crate::harness::{Harness, harmless};

/// Reloads the configuration with other limits.
pub(super) fn change_settings(harness: &mut Harness) -> Option<Injection> {
    let begin = clock::now();
    let rng = &mut harness.rng;
    let settings = [
        ("batch_size", rng.pick(&["1", "7", "200", "1000"])),
        ("ttl", rng.pick(&["1 second", "1 hour", "2 days"])),
        ("max_in_flight", rng.pick(&["3", "50", "1000"])),
        ("max_in_flight_per_origin", rng.pick(&["2", "20", "200"])),
        ("max_response_bytes", rng.pick(&["1000", "64MB"])),
    ];
    for (name, value) in settings {
        harness.client.batch_execute(&format!("alter system set pg_net.{name} = '{value}'")).expect("alter system");
    }
    harness.client.batch_execute("select pg_reload_conf()").expect("reload");
    harmless(begin)
}

/// A session is idle in a transaction: nothing that is done since can be vacuumed.
pub(super) fn hold_snapshot(harness: &mut Harness) -> Option<Injection> {
    let begin = clock::now();
    harness
        .client
        .batch_execute("begin isolation level repeatable read; select from net._http_response")
        .expect("begin");
    harness.pause(100, 1000);
    harness.cluster.connect().batch_execute("vacuum net.http_request_queue").expect("vacuum, which can remove nothing");
    harness.pause(100, 1000);
    harness.client.batch_execute("rollback").expect("let the snapshot go");
    harmless(begin)
}

/// Ends transactions that writers have prepared, some of them after a crash.
pub(super) fn end_prepared(harness: &mut Harness) -> Option<Injection> {
    let begin = clock::now();
    let crash = harness.rng.chance(25).then(|| crashes::kill_server(harness)).flatten();
    end_all_prepared(harness);
    crash.or_else(|| harmless(begin))
}

/// Commits or rolls back each prepared transaction that there is.
pub(crate) fn end_all_prepared(harness: &mut Harness) {
    let rows = harness.client.query("select gid from pg_prepared_xacts", &[]).expect("read prepared transactions");
    for row in rows {
        let how = if harness.rng.chance(70) { "commit" } else { "rollback" };
        let end = format!("{how} prepared '{}'", row.get::<_, &str>(0));
        harness.client.batch_execute(&end).unwrap_or_else(|error| panic!("{end}: {error:?}"));
    }
}
