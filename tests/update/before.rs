//! Between the installation of our library and the update: the C version's SQL, which names symbols of the library.

use testkit::{PATIENCE, wait_until};

use super::old_version::{ALL, NEWEST, Version};
use super::{bench, create, times_asked_for, update};
use crate::support::{Bench, value};

#[test]
fn calls_of_each_versions_functions_succeed() {
    let mut bench = bench();
    for version in ALL {
        create(&mut bench.client, version);
        assert_encodes(&mut bench, version);
        assert_asks(&mut bench, version);
        if version.has_wake() {
            bench.client.batch_execute("select net.wake()").unwrap_or_else(|error| panic!("{version}: {error:?}"));
        }
        if version.has_wait_until_running() {
            bench.client.batch_execute("select net.wait_until_running()").unwrap();
        }
    }
    let worker = bench.cluster.worker_pid(&mut bench.client);
    wait_until("the worker to look at the last one's queue", PATIENCE, || times_asked_for(&bench.cluster, worker) > 0);
    assert_eq!(bench.receiver.count(), 0);
}

fn assert_encodes(bench: &mut Bench, version: Version) {
    let encoded: String = bench.value("select net._urlencode_string('a b/ü')");
    assert_eq!(encoded, "a%20b%2F%C3%BC", "{version}");
    let encoded: String =
        bench.value("select net._encode_url_with_params_array('http://localhost/x?a=1', array['b=2', 'c=%20'])");
    assert_eq!(encoded, "http://localhost/x?a=1&b=2&c=%20", "{version}");
    let nothing: String = bench.value("select net._encode_url_with_params_array('http://localhost/x', '{}')");
    assert_eq!(nothing, "http://localhost/x", "{version}");
    for null in ["net._urlencode_string(null)", "net._encode_url_with_params_array(null, null)"] {
        assert_eq!(bench.value::<Option<String>>(&format!("select {null}")), None, "{version}: {null}");
    }
}

fn assert_asks(bench: &mut Bench, version: Version) {
    let url = bench.receiver.url("/x");
    let functions = ["http_get", "http_post", if version.deletes() { "http_delete" } else { "http_get" }];
    for (id, function) in functions.into_iter().enumerate() {
        let asked = bench.ask(&format!("select net.{function}('{url}')"));
        assert_eq!(usize::try_from(asked), Ok(id + 1), "{version}: {function}");
    }
    assert_eq!(bench.value::<i64>("select count(*) from net.http_request_queue"), 3, "{version}");
}

/// However often the worker looks.
#[test]
fn the_log_asks_for_the_update_once() {
    let mut bench = bench();
    create(&mut bench.client, NEWEST);
    let worker = bench.cluster.worker_pid(&mut bench.client);
    let url = bench.receiver.url("/waits");
    bench.client.batch_execute(&format!("select net.http_get('{url}')")).unwrap();
    wait_until("the log to ask for the update", PATIENCE, || times_asked_for(&bench.cluster, worker) > 0);
    for _ in 0..5 {
        bench.client.batch_execute(&format!("select net.http_get('{url}')")).unwrap();
    }
    update(&mut bench.client);
    // The worker has looked again by the time that it sends.
    assert!(testkit::responses(&mut bench.client, 6).iter().all(|answer| answer.status_code == Some(200)));
    assert_eq!(times_asked_for(&bench.cluster, worker), 1);
    assert_eq!(bench.receiver.count(), 6);
}

/// One that is rolled back has not happened.
#[test]
fn an_update_that_rolls_back_leaves_the_requests_waiting() {
    let mut bench = bench();
    create(&mut bench.client, NEWEST);
    let url = bench.receiver.url("/waits");
    let id = bench.ask(&format!("select net.http_get('{url}')"));
    let worker = bench.cluster.worker_pid(&mut bench.client);
    bench.client.batch_execute("begin; alter extension pg_net update; rollback").unwrap();
    let version = "select extversion from pg_extension where extname = 'pg_net'";
    assert_eq!(value::<String>(&mut bench.client, version), NEWEST.to_string());
    wait_until("the worker to look at the queue", PATIENCE, || times_asked_for(&bench.cluster, worker) > 0);
    assert_eq!(bench.value::<i64>("select count(*) from net.http_request_queue"), 1);
    assert_eq!(bench.receiver.count(), 0);
    update(&mut bench.client);
    assert_eq!(bench.response(id).status_code, Some(200));
    assert_eq!(bench.receiver.wait_for(1).len(), 1);
}
