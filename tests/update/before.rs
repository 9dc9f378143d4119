//! Between the installation of our library and the update: the C version's SQL, which names symbols of the library.

use testkit::{Call, PATIENCE, wait_until};

use super::old_version::{ALL, NEWEST, Version};
use super::{create, fixture, times_asked_for, update};
use crate::fixture::{Fixture, value};

#[test]
fn calls_of_each_versions_functions_succeed() {
    let mut fixture = fixture();
    for version in ALL {
        create(&mut fixture.client, version);
        assert_encodes(&mut fixture, version);
        assert_asks(&mut fixture, version);
        if version.has_wake() {
            fixture.client.batch_execute("select net.wake()").unwrap_or_else(|error| panic!("{version}: {error:?}"));
        }
        if version.has_wait_until_running() {
            fixture.client.batch_execute("select net.wait_until_running()").unwrap();
        }
    }
    // Before the update the worker looks, and sends nothing; after it, it sends what the last version's functions left.
    let worker = fixture.cluster.worker_pid(&mut fixture.client);
    wait_until("the worker to look at the queue", PATIENCE, || times_asked_for(&fixture.cluster, worker) > 0);
    assert_eq!(fixture.receiver.count(), 0);
    update(&mut fixture.client);
    assert!(testkit::responses(&mut fixture.client, 3).iter().all(|answer| answer.status_code == Some(200)));
    assert_eq!(fixture.receiver.count(), 3);
}

fn assert_encodes(fixture: &mut Fixture, version: Version) {
    let encoded: String = fixture.value("select net._urlencode_string('a b/ü')");
    assert_eq!(encoded, "a%20b%2F%C3%BC", "{version}");
    let encoded: String =
        fixture.value("select net._encode_url_with_params_array('http://localhost/x?a=1', array['b=2', 'c=%20'])");
    assert_eq!(encoded, "http://localhost/x?a=1&b=2&c=%20", "{version}");
    let nothing: String = fixture.value("select net._encode_url_with_params_array('http://localhost/x', '{}')");
    assert_eq!(nothing, "http://localhost/x", "{version}");
    for null in ["net._urlencode_string(null)", "net._encode_url_with_params_array(null, null)"] {
        assert_eq!(fixture.value::<Option<String>>(&format!("select {null}")), None, "{version}: {null}");
    }
}

fn assert_asks(fixture: &mut Fixture, version: Version) {
    let url = fixture.receiver.url("/x");
    let functions = ["http_get", "http_post", if version.deletes() { "http_delete" } else { "http_get" }];
    for (id, function) in functions.into_iter().enumerate() {
        let asked = fixture.value::<i64>(&format!("select net.{function}('{url}')"));
        assert_eq!(usize::try_from(asked), Ok(id + 1), "{version}: {function}");
    }
    assert_eq!(fixture.value::<i64>("select count(*) from net.http_request_queue"), 3, "{version}");
}

/// However often the worker looks.
#[test]
fn the_log_asks_for_the_update_once() {
    let mut fixture = fixture();
    create(&mut fixture.client, NEWEST);
    let worker = fixture.cluster.worker_pid(&mut fixture.client);
    let url = fixture.receiver.url("/waits");
    fixture.send(Call::get(&url));
    wait_until("the log to ask for the update", PATIENCE, || times_asked_for(&fixture.cluster, worker) > 0);
    for _ in 0..5 {
        fixture.send(Call::get(&url));
    }
    update(&mut fixture.client);
    // The worker has looked again by the time that it sends.
    assert!(testkit::responses(&mut fixture.client, 6).iter().all(|answer| answer.status_code == Some(200)));
    assert_eq!(times_asked_for(&fixture.cluster, worker), 1);
    assert_eq!(fixture.receiver.count(), 6);
}

/// One that is rolled back has not happened.
#[test]
fn an_update_that_rolls_back_leaves_the_requests_waiting() {
    let mut fixture = fixture();
    create(&mut fixture.client, NEWEST);
    let url = fixture.receiver.url("/waits");
    let id = fixture.send(Call::get(&url));
    let worker = fixture.cluster.worker_pid(&mut fixture.client);
    fixture.client.batch_execute("begin; alter extension pg_net update; rollback").unwrap();
    let version = "select extversion from pg_extension where extname = 'pg_net'";
    assert_eq!(value::<String>(&mut fixture.client, version), NEWEST.to_string());
    wait_until("the worker to look at the queue", PATIENCE, || times_asked_for(&fixture.cluster, worker) > 0);
    assert_eq!(fixture.value::<i64>("select count(*) from net.http_request_queue"), 1);
    assert_eq!(fixture.receiver.count(), 0);
    update(&mut fixture.client);
    assert_eq!(fixture.response(id).status_code, Some(200));
    assert_eq!(fixture.receiver.wait_for(1).len(), 1);
}
