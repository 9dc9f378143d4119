//! Look-ups that hang hold up no other request.

use std::fs;
use std::time::Instant;

use testkit::{Answer, Call, Cluster, NameServer, Network, PATIENCE, is_running, responses, wait_until};

use super::{RESOLV_CONF, name_server, network};
use crate::fixture::Fixture;

/// Eight a second for 25 seconds.
const DEAD: usize = 200;
/// One a second.
const HEALTHY: usize = 25;

fn queue_dead(fixture: &mut Fixture, count: usize, milliseconds: u32) {
    queue_dead_by(fixture, "http", count, 1, milliseconds);
}

/// Requests to many names, several to each.
fn queue_dead_by(fixture: &mut Fixture, scheme: &str, count: usize, each: usize, milliseconds: u32) {
    let calls = format!(
        "select net.http_get('{scheme}://' || n || '.dead.test/', timeout_milliseconds := {milliseconds}) \
           from generate_series(1, {count}) n, generate_series(1, {each})"
    );
    fixture.client.batch_execute(&calls).unwrap();
}

/// A network whose system does not give up within a test.
fn patient_network() -> Network {
    network().asking(&format!("{RESOLV_CONF}options timeout:30 attempts:5\n"))
}

fn with_places(places: usize) -> Fixture {
    let cluster = Cluster::builder().conf("pg_net.max_in_flight", &places.to_string()).start();
    cluster.connect().batch_execute("create extension pg_net").unwrap();
    Fixture::with(cluster)
}

/// The threads of a process that look names up.
fn resolver_threads(pid: i32) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("the threads of the worker");
    let status = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("status")).ok());
    status.filter(|status| status.starts_with("Name:\tpg_net resolver")).collect()
}

#[test]
fn case_30_names_whose_server_never_answers_hold_up_no_healthy_request() {
    network().run(|_| {
        let server = name_server();
        let mut fixture = Fixture::new();
        queue_dead(&mut fixture, DEAD, 5000);
        let worker = fixture.cluster.worker_pid(&mut fixture.client);
        wait_until("a thread for each", PATIENCE, || resolver_threads(worker).len() == DEAD);
        // Each by a name of its own, so that each is looked up.
        for number in 0..HEALTHY {
            let answer = fixture.get_by_name(&format!("{number}.good.test"));
            assert_eq!(answer.status_code, Some(200), "{answer:?}");
            assert_eq!(server.look_ups(&format!("{number}.good.test")), 1);
        }
        assert_eq!(fixture.receiver.count(), HEALTHY);
        let dead = "select count(*) from net._http_response where error_kind = 'timeout' and timed_out and dns_ms > 4000 \
            and coalesce(handshake_ms, 0) = 0 and attempts = 1 and url like '%.dead.test/'";
        wait_until("the others' end", PATIENCE, || fixture.value::<i64>(dead) == DEAD as i64);
    });
}

#[test]
fn case_30_names_that_hang_take_no_places() {
    patient_network().run(|_| {
        let server = name_server();
        let mut fixture = with_places(2);
        queue_dead(&mut fixture, 20, 60_000);
        wait_until("more than there are places", PATIENCE, || server.questions().len() >= 6);
        for number in 0..10 {
            let answer = fixture.get_by_name(&format!("{number}.good.test"));
            assert_eq!(answer.status_code, Some(200), "{answer:?}");
        }
        // No more are answered at a time than there are places, also of those that were looked up for long.
        let gate = fixture.receiver.hold("/held");
        for number in 0..4 {
            server.set(&format!("{number}.late.test"), Answer::Late(PATIENCE / 40, vec!["127.0.0.1".parse().unwrap()]));
            fixture.ask_by_name(&format!("{number}.late.test"), "/held", 60_000);
        }
        let late = |server: &NameServer| (0..4).all(|number| server.look_ups(&format!("{number}.late.test")) > 0);
        wait_until("all of them to be asked for", PATIENCE, || late(&server));
        fixture.receiver.wait_for(12);
        let worker = fixture.cluster.worker_pid(&mut fixture.client);
        wait_until("all of them to be found", PATIENCE, || resolver_threads(worker).len() <= 20);
        assert_eq!(fixture.receiver.count(), 12);
        gate.release();
        fixture.receiver.wait_for(14);
    });
}

#[test]
fn case_30_requests_that_wait_for_a_shared_connection_take_no_places() {
    patient_network().run(|_| {
        let _server = name_server();
        // Two are begun for each name, of which one waits to see whether the other finds a server of HTTP/2.
        let mut fixture = with_places(128);
        queue_dead_by(&mut fixture, "https", 150, 2, 600_000);
        let worker = fixture.cluster.worker_pid(&mut fixture.client);
        wait_until("a thread for each", PATIENCE, || resolver_threads(worker).len() == 150);
        for number in 0..10 {
            let answer = fixture.get_by_name(&format!("{number}.good.test"));
            assert_eq!(answer.status_code, Some(200), "{answer:?}");
        }
        assert_eq!(fixture.value::<i64>("select count(*) from net._http_response"), 10, "the others still hang");
    });
}

#[test]
fn a_request_whose_look_up_hangs_ends_with_its_time_and_others_join_it() {
    network().run(|_| {
        let server = name_server();
        let mut fixture = Fixture::new();
        let calls =
            "select net.http_get('http://dead.test/', timeout_milliseconds := 1000) from generate_series(1, 10)";
        fixture.client.batch_execute(calls).unwrap();
        let mut answers = responses(&mut fixture.client, 10);
        let id = fixture.ask_by_name("dead.test", "/", 1000);
        answers.push(fixture.response(id));
        for answer in answers {
            let error = answer.error();
            assert!(error.starts_with("Timeout of 1000 ms reached. Total time: 1"), "{error}");
            assert!(error.contains("(DNS time: 1") || error.contains("(DNS time: 9"), "{error}");
            assert!(error.contains("TCP/SSL handshake time: 0.000000 ms"), "{error}");
        }
        assert_eq!(server.look_ups("dead.test"), 1);
    });
}

#[test]
fn a_thousand_requests_to_a_new_name_make_one_look_up() {
    network().run(|_| {
        let server = name_server();
        let mut fixture = Fixture::new();
        let url = format!("http://good.test:{}/", fixture.receiver.port());
        fixture.send_times(Call::get(&url).timeout(60_000), 1000);
        let answers = responses(&mut fixture.client, 1000);
        assert!(answers.iter().all(|answer| answer.status_code == Some(200)), "{:?}", answers[0]);
        assert_eq!(server.look_ups("good.test"), 1);
    });
}

#[test]
fn look_ups_that_hang_neither_take_signals_nor_keep_the_worker() {
    patient_network().run(|_| {
        let _server = name_server();
        let mut fixture = Fixture::new();
        queue_dead(&mut fixture, 50, 60_000);
        let worker = fixture.cluster.worker_pid(&mut fixture.client);
        let threads = wait_until("a thread for each", PATIENCE, || {
            let threads = resolver_threads(worker);
            (threads.len() == 50).then_some(threads)
        });
        for status in &threads {
            let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:\t")).expect("the signal mask");
            let free = !u64::from_str_radix(blocked, 16).unwrap();
            // SIGKILL and SIGSTOP cannot be blocked, and two are the C library's own.
            assert_eq!(free & !0x1_8004_0100, 0, "{blocked}");
        }
        let stopped = Instant::now();
        fixture.client.batch_execute("select net.worker_restart()").unwrap();
        wait_until("the worker's end", PATIENCE, || !is_running(worker));
        assert!(stopped.elapsed() < PATIENCE / 2, "{:?}", stopped.elapsed());
        fixture.client.batch_execute("delete from net.http_request_queue").unwrap();
        assert_eq!(fixture.get_by_name("good.test").status_code, Some(200));
    });
}
