//! How long responses are kept.

use serde_json::json;
use testkit::{Call, Cluster, PATIENCE, responses, wait_until};

use crate::fixture::Fixture;

fn wait_until_none_is_left(fixture: &mut Fixture) {
    wait_until("the responses' expiry", PATIENCE, || {
        fixture.value::<i64>("select count(*) from net._http_response") == 0
    });
}

#[test]
fn responses_expire_also_when_nothing_else_happens() {
    let mut fixture = Fixture::with(Cluster::builder().conf("pg_net.ttl", "1 second").start_ready());
    let answer = fixture.get("/status/200");
    assert_eq!(answer.status_code, Some(200));
    wait_until_none_is_left(&mut fixture);
    assert_eq!(fixture.receiver.count(), 1);
}

#[test]
fn a_shorter_ttl_applies_on_reload() {
    let mut fixture = Fixture::new();
    for _ in 0..3 {
        fixture.get("/status/200");
    }
    fixture.cluster.alter_system("pg_net.ttl", "100 milliseconds");
    wait_until_none_is_left(&mut fixture);
    fixture.cluster.alter_system("pg_net.ttl", "1 day");
    fixture.assert_works();
    assert_eq!(fixture.value::<i64>("select count(*) from net._http_response"), 1);
}

#[test]
fn a_young_response_outlives_an_old_one() {
    let mut fixture = Fixture::with(Cluster::builder().conf("pg_net.ttl", "1 hour").start_ready());
    fixture.get("/status/200");
    fixture.get("/status/201");
    fixture
        .client
        .batch_execute("update net._http_response set created = now() - interval '2 hours' where id = 1")
        .unwrap();
    fixture.get("/status/202");
    // A reload has the worker look again.
    fixture.cluster.alter_system("pg_net.ttl", "90 minutes");
    wait_until("the old one's expiry", PATIENCE, || {
        fixture.value::<i64>("select count(*) from net._http_response where id = 1") == 0
    });
    assert_eq!(fixture.value::<i64>("select count(*) from net._http_response"), 2);
    assert_eq!(fixture.receiver.count(), 3);
}

/// Where a trigger or a check has to see the rows, they are inserted; else they go past the executor.
#[test]
fn a_response_row_is_the_same_with_and_without_the_executor() {
    let mut fixture = Fixture::new();
    let urls = ["/echo?a=é", "/repeat-headers", "/bytes", "/empty", "/close", "/hops/2", "/nul"];
    let mut ways = Vec::new();
    for change in [
        "",
        "create function look() returns trigger language plpgsql as 'begin return new; end';
         create trigger look before insert on net._http_response for each row execute function look()",
        "drop trigger look on net._http_response; alter table net._http_response add check (attempts = 1)",
    ] {
        fixture.client.batch_execute(change).unwrap();
        for url in urls.map(|path| fixture.receiver.url(path)) {
            fixture.send(Call::post(&url).json(json!({"a": 1})));
        }
        responses(&mut fixture.client, urls.len());
        let rows: String = fixture.value(
            "with taken as (delete from net._http_response returning *)
             select string_agg((to_jsonb(t) - '{id,created,elapsed_ms,dns_ms,handshake_ms,exchange_ms}'::text[])::text, chr(10)
                               order by id)
               from taken t
              where created between now() - interval '1 minute' and now() and elapsed_ms > 0
                and elapsed_ms >= exchange_ms",
        );
        ways.push(rows);
    }
    assert_eq!(ways[0].lines().count(), urls.len(), "{}", ways[0]);
    assert_eq!(ways[1], ways[0]);
    assert_eq!(ways[2], ways[0]);
    fixture
        .client
        .batch_execute(
            "create index mine on net._http_response ((coalesce(error_kind, protocol)));
             set enable_seqscan = off",
        )
        .unwrap();
    let indexed = "select count(*) from net._http_response where coalesce(error_kind, protocol) = 'HTTP/1.1'";
    fixture.get("/x");
    assert_eq!(fixture.value::<i64>(indexed), 1);
}
