//! What waits and what is stored survives, and what users built on the functions goes on working.

use std::collections::BTreeMap;

use postgres::Client;
use testkit::{Call, PATIENCE, wait_until};

use super::old_version::{ALL, Version};
use super::{create, fixture, times_asked_for, update};
use crate::fixture::{Fixture, value};

// Several servers at a time: each version has the worker restarted, which takes a second.
#[test]
fn the_update_from_0_1_to_0_7_works() {
    each(&ALL[..12]);
}

#[test]
fn the_update_from_0_8_to_0_13_works() {
    each(&ALL[12..21]);
}

#[test]
fn the_update_from_0_14_to_0_19_1_works() {
    each(&ALL[21..30]);
}

#[test]
fn the_update_from_0_19_2_to_0_20_5_works() {
    each(&ALL[30..]);
}

fn each(versions: &[Version]) {
    let mut fixture = fixture();
    for &version in versions {
        println!("from {version}");
        update_from(&mut fixture, version);
    }
}

/// A request, and what the receiver must get of it.
struct Asked {
    id: i64,
    method: &'static str,
    target: String,
    body: &'static str,
}

const STORED: &str =
    "select string_agg((id, status_code, content_type, headers, content, timed_out, error_msg)::text, e'\n'
                                        order by id)
                        from net._http_response where id in (1, 2)";
const CREATED: &str = "select array_agg(created::text order by id) from net._http_response where id in (1, 2)";

fn update_from(fixture: &mut Fixture, version: Version) {
    create(&mut fixture.client, version);
    let worker = new_worker(fixture, version);
    store_responses(fixture, version);
    let stored: String = value(&mut fixture.client, STORED);
    let created = (!version.keeps_what_is_done()).then(|| fixture.value::<Vec<String>>(CREATED));
    build_on_it(fixture, version);
    let before = functions(&mut fixture.client);

    let mut asked = ask(fixture, version);
    let waiting = "select array_agg(id order by id) from net.http_request_queue where id > 2";
    assert_eq!(fixture.value::<Vec<i64>>(waiting), [3, 4, 5, 6], "{version}");
    assert_eq!(arrivals(fixture, version), 0, "sent before the update from {version}");

    update(&mut fixture.client);
    let after = functions(&mut fixture.client);
    asked.extend(ask_again(fixture, version));
    for request in &asked {
        assert_delivered(fixture, version, request);
    }
    assert_eq!(asked.iter().map(|request| request.id).collect::<Vec<_>>(), [3, 4, 5, 6, 7, 8], "{version}");
    assert_eq!(arrivals(fixture, version), 6, "{version}: each once");
    assert_eq!(fixture.value::<i64>("select count(*) from net.http_request_queue"), 0, "{version}");
    assert_eq!(fixture.value::<String>(STORED), stored, "{version}");
    if let Some(created) = created {
        assert_eq!(fixture.value::<Vec<String>>(CREATED), created, "{version}");
    }
    assert_eq!(fixture.value::<i64>("select count(*) from mine.answers"), 8, "{version}");
    assert_eq!(times_asked_for(&fixture.cluster, worker), 1, "{version}");

    for (signature, oid) in before {
        let gone = ["net.http_delete(text,jsonb,jsonb,integer)", "net._check_worker_is_up()"];
        let kept = if gone.contains(&&*signature) { None } else { Some(&oid) };
        assert_eq!(after.get(&signature), kept, "{version}: {signature}");
    }
    fixture.client.batch_execute("drop schema mine cascade").unwrap();
}

/// Restarts the worker, as a server is that gets our library, and waits until the new one has said what it waits for.
fn new_worker(fixture: &mut Fixture, version: Version) -> i32 {
    let before = fixture.cluster.worker_pid(&mut fixture.client);
    if version.has_check_worker_is_up() {
        fixture.client.batch_execute("select net.check_worker_is_up()").unwrap();
    }
    if version.has_worker_restart() {
        assert!(fixture.value::<bool>("select net.worker_restart()"), "{version}");
    } else {
        assert!(fixture.value::<bool>(&format!("select pg_terminate_backend({before})")), "{version}");
    }
    let worker = wait_until("another worker", PATIENCE, || {
        let worker = fixture.cluster.worker_pid(&mut fixture.client);
        (worker != before).then_some(worker)
    });
    wait_until(&format!("the log to ask for the update from {version}"), PATIENCE, || {
        times_asked_for(&fixture.cluster, worker) > 0
    });
    worker
}

/// Two outcomes of the C version. The first versions leave the requests in the queue with them.
fn store_responses(fixture: &mut Fixture, version: Version) {
    if version.keeps_what_is_done() {
        let done = url(fixture, version, "done");
        fixture.client.batch_execute(&format!("select net.http_get('{done}'), net.http_post('{done}')")).unwrap();
    } else {
        fixture
            .client
            .batch_execute("select nextval('net.http_request_queue_id_seq') from generate_series(1, 2)")
            .unwrap();
    }
    fixture
        .client
        .batch_execute(
            r#"insert into net._http_response (id, status_code, content_type, headers, content, timed_out)
               values (1, 201, 'text/plain', '{"a": "b"}', 'kept', false);
               insert into net._http_response (id, timed_out, error_msg) values (2, true, 'Timeout was reached')"#,
        )
        .unwrap();
    if !version.keeps_what_is_done() {
        fixture
            .client
            .batch_execute("update net._http_response set created = now() - interval '1 hour' where id = 1")
            .unwrap();
    }
}

/// A trigger that asks, a view that asks, and one that shows the responses.
fn build_on_it(fixture: &mut Fixture, version: Version) {
    let (posted, viewed) = (url(fixture, version, "trigger"), url(fixture, version, "view"));
    fixture
        .client
        .batch_execute(&format!(
            "create schema mine;
             create table mine.orders (id int);
             create function mine.tell() returns trigger language plpgsql as $$
             begin
                 perform net.http_post('{posted}?order=' || new.id, body := '{{\"new\": true}}');
                 return new;
             end
             $$;
             create trigger tell after insert on mine.orders for each row execute function mine.tell();
             create view mine.question as select net.http_get('{viewed}') as id;
             create view mine.answers as select id, status_code, error_msg from net._http_response"
        ))
        .unwrap();
}

/// Through each of the old functions, and a trigger of a user's.
fn ask(fixture: &mut Fixture, version: Version) -> Vec<Asked> {
    let (with_body, body) =
        if version.deletes_with_body() { (r#", body := '{"n": 2}'"#, r#"{"n": 2}"#) } else { ("", "") };
    let calls = [
        ("GET", "get", r#"params := '{"a b": "c&d"}'"#, "?a%20b=c%26d", ""),
        ("POST", "post", r#"body := '{"n": 1}', params := '{"a": "1"}'"#, "?a=1", r#"{"n": 1}"#),
        ("DELETE", "delete", &format!("params := '{{\"a\": \"2\"}}'{with_body}"), "?a=2", body),
    ];
    let mut asked = Vec::new();
    for (method, function, arguments, query, body) in calls {
        if function == "delete" && !version.deletes() {
            let sql = Call::get(&url(fixture, version, "instead")).select();
            asked.push(Asked {
                id: fixture.value::<i64>(&sql),
                method: "GET",
                target: format!("/{version}/instead"),
                body: "",
            });
            continue;
        }
        let sql = format!("select net.http_{function}('{}', {arguments})", url(fixture, version, function));
        let target = format!("/{version}/{function}{query}");
        asked.push(Asked { id: fixture.value::<i64>(&sql), method, target, body });
    }
    asked.push(order(fixture, version, 1));
    asked
}

/// Through what users built before the update.
fn ask_again(fixture: &mut Fixture, version: Version) -> [Asked; 2] {
    let order = order(fixture, version, 2);
    let mut transaction = fixture.client.transaction().unwrap();
    let id = transaction.query_one("select id from mine.question", &[]).unwrap().get(0);
    let timeout = "select timeout_milliseconds from net.http_request_queue where id = $1";
    assert_eq!(transaction.query_one(timeout, &[&id]).unwrap().get::<_, i32>(0), 5000, "{version}");
    transaction.commit().unwrap();
    [order, Asked { id, method: "GET", target: format!("/{version}/view"), body: "" }]
}

/// An order, of which the trigger tells.
fn order(fixture: &mut Fixture, version: Version, number: u8) -> Asked {
    fixture.client.batch_execute(&format!("insert into mine.orders values ({number})")).unwrap();
    Asked {
        id: fixture.value("select last_value from net.http_request_queue_id_seq"),
        method: "POST",
        target: format!("/{version}/trigger?order={number}"),
        body: r#"{"new": true}"#,
    }
}

fn url(fixture: &Fixture, version: Version, path: &str) -> String {
    fixture.receiver.url(&format!("/{version}/{path}"))
}

fn arrivals(fixture: &Fixture, version: Version) -> usize {
    let prefix = format!("/{version}/");
    fixture.receiver.requests().iter().filter(|request| request.target.starts_with(&prefix)).count()
}

#[track_caller]
fn assert_delivered(fixture: &mut Fixture, version: Version, asked: &Asked) {
    let answer = fixture.response(asked.id);
    assert_eq!((answer.status_code, answer.content.as_deref()), (Some(200), Some("ok")), "{version}: {answer:?}");
    let got = fixture.receiver.wait_for_request(&asked.target, |request| request.target == asked.target);
    assert_eq!((got.method.as_str(), got.text().as_str()), (asked.method, asked.body), "{version}: {}", asked.target);
    if asked.method == "POST" {
        assert_eq!(got.header("content-type"), Some("application/json"), "{version}");
    }
}

/// The oids of the functions, by their signatures.
fn functions(client: &mut Client) -> BTreeMap<String, u32> {
    let sql = "select oid::regprocedure::text, oid from pg_proc where pronamespace = 'net'::regnamespace";
    client.query(sql, &[]).unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
}
