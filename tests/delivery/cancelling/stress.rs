//! Cancels at random moments, against a busy worker.

use std::collections::{HashMap, HashSet};
use std::thread;
use std::time::Duration;

use testkit::{Call, Cluster};

use super::cancel;
use crate::fixture::Fixture;

const REQUESTS: usize = 2000;
const SESSIONS: usize = 6;

/// Pseudo-random numbers, the same in each run: what varies is the order in which things happen.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Every request is either cancelled, and never arrived, or it arrived once and has its response.
#[test]
fn each_request_is_either_sent_or_cancelled() {
    let cluster = Cluster::builder()
        .conf("pg_net.max_in_flight_per_origin", "4")
        .conf("pg_net.max_in_flight", "16")
        .conf("pg_net.batch_size", "20")
        .start_ready();
    let mut fixture = Fixture::with(cluster);
    let url = fixture.receiver.url("/delay/4");
    let taken: HashSet<i64> = thread::scope(|scope| {
        let sessions: Vec<_> = (0..SESSIONS)
            .map(|session| {
                let (cluster, url) = (&fixture.cluster, &url);
                scope.spawn(move || work(&mut cluster.connect(), url, session))
            })
            .collect();
        sessions.into_iter().flat_map(|session| session.join().unwrap()).collect()
    });
    let sent = REQUESTS / SESSIONS * SESSIONS - taken.len();
    let answers = testkit::responses(&mut fixture.client, sent);
    fixture.assert_works();
    let answered: HashSet<i64> = answers.iter().map(|answer| answer.id.unwrap()).collect();
    assert_eq!((answers.len(), answered.len()), (sent, sent));
    assert!(answered.is_disjoint(&taken));
    let mut arrived: HashMap<String, usize> = HashMap::new();
    for request in fixture.receiver.requests().iter().filter(|request| request.path() == "/delay/4") {
        *arrived.entry(request.header("x-mark").unwrap().to_owned()).or_default() += 1;
    }
    assert_eq!(arrived.len(), sent, "each arrived");
    assert!(arrived.values().all(|&times| times == 1), "and none twice");
    println!("{sent} requests were sent, {} taken back", taken.len());
    assert!(taken.len() > 50 && sent > 50, "both happened often");
    assert_eq!(fixture.value::<i64>("select count(*) from net.http_request_queue"), 0);
}

/// Makes requests, and tries to take half of them back: now and then alone, now and then with a rollback. Gives those that
/// were taken back for good.
fn work(client: &mut postgres::Client, url: &str, session: usize) -> HashSet<i64> {
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15 ^ (session as u64 + 1));
    let mut taken = HashSet::new();
    let mut mine: Vec<i64> = Vec::new();
    for n in 0..REQUESTS / SESSIONS {
        let ask = Call::get(url).header("x-mark", format!("{session}-{n}")).select();
        mine.push(client.query_one(&ask, &[]).unwrap().get(0));
        if numbers.below(2) == 0 {
            continue;
        }
        // One of the last few.
        let back = numbers.below(5) as usize;
        let id = mine[mine.len().saturating_sub(1 + back)];
        thread::sleep(Duration::from_micros(numbers.below(400)));
        match numbers.below(3) {
            0 => {
                if cancel(client, id) {
                    taken.insert(id);
                }
            }
            kind => {
                client.batch_execute("begin").unwrap();
                let cancelled = cancel(client, id);
                thread::sleep(Duration::from_micros(numbers.below(3000)));
                client.batch_execute(if kind == 1 { "commit" } else { "rollback" }).unwrap();
                if cancelled && kind == 1 {
                    taken.insert(id);
                }
            }
        }
    }
    taken
}

/// The same for many at a time: what was taken back and what has arrived make all.
#[test]
fn each_of_many_requests_is_either_sent_or_cancelled() {
    let cluster = Cluster::builder()
        .conf("pg_net.max_in_flight_per_origin", "4")
        .conf("pg_net.max_in_flight", "16")
        .conf("pg_net.batch_size", "20")
        .start_ready();
    let mut fixture = Fixture::with(cluster);
    let url = fixture.receiver.url("/delay/4");
    let taken: usize = thread::scope(|scope| {
        let sessions: Vec<_> = (0..SESSIONS)
            .map(|session| {
                let (cluster, url) = (&fixture.cluster, &url);
                scope.spawn(move || work_by_the_dozen(&mut cluster.connect(), url, session))
            })
            .collect();
        sessions.into_iter().map(|session| session.join().unwrap()).sum()
    });
    let sent = SESSIONS * ROUNDS * DOZEN - taken;
    let answers = testkit::responses(&mut fixture.client, sent);
    fixture.assert_works();
    assert_eq!(answers.len(), sent);
    let mut arrived: HashMap<Vec<u8>, usize> = HashMap::new();
    for request in fixture.receiver.requests().iter().filter(|request| request.path() == "/delay/4") {
        *arrived.entry(request.body.clone()).or_default() += 1;
    }
    assert_eq!(arrived.len(), sent, "each arrived");
    assert!(arrived.values().all(|&times| times == 1), "and none twice");
    println!("{sent} requests were sent, {taken} taken back");
    assert!(taken > 50 && sent > 50, "both happened often");
    assert_eq!(fixture.value::<i64>("select count(*) from net.http_request_queue"), 0);
}

const ROUNDS: usize = 25;
const DOZEN: usize = 12;

/// Asks for a dozen at a time, and takes back what it can of them a moment later, now and then with a rollback. How many were
/// taken back for good.
fn work_by_the_dozen(client: &mut postgres::Client, url: &str, session: usize) -> usize {
    let mut numbers = Numbers(0x2545_F491_4F6C_DD1D ^ (session as u64 + 1));
    let mut taken = 0;
    for round in 0..ROUNDS {
        let ask = format!(
            "select array_agg(net.http_request('POST', '{url}', '{session}-{round}-' || n)) from generate_series(1, {DOZEN}) n"
        );
        let ids: Vec<i64> = client.query_one(&ask, &[]).unwrap().get(0);
        thread::sleep(Duration::from_micros(numbers.below(20_000)));
        let rolls_back = numbers.below(3) == 0;
        client.batch_execute("begin").unwrap();
        let cancelled: i64 = client.query_one("select net.cancel($1::bigint[])", &[&ids]).unwrap().get(0);
        thread::sleep(Duration::from_micros(numbers.below(3000)));
        client.batch_execute(if rolls_back { "rollback" } else { "commit" }).unwrap();
        taken += if rolls_back { 0 } else { cancelled as usize };
    }
    taken
}
