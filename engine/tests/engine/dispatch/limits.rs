use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};

use engine::Policy;

use crate::servers::host::{Host, PATIENCE, eventually, request};
use crate::servers::server::{Server, ok};

/// Holds requests back until the test lets them go.
#[derive(Default)]
pub(crate) struct Brake {
    released: Mutex<usize>,
    changed: Condvar,
    waiting: AtomicUsize,
    most: AtomicUsize,
}

impl Brake {
    fn pass(&self) {
        let waiting = self.waiting.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(waiting, Ordering::SeqCst);
        let released = self.released.lock().unwrap();
        let (mut released, _) = self.changed.wait_timeout_while(released, PATIENCE, |released| *released == 0).unwrap();
        *released = released.saturating_sub(1);
        self.waiting.fetch_sub(1, Ordering::SeqCst);
    }

    pub(crate) fn release(&self, count: usize) {
        *self.released.lock().unwrap() += count;
        self.changed.notify_all();
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

pub(crate) fn braked() -> (Server, Arc<Brake>) {
    let brake = Arc::new(Brake::default());
    let passed = brake.clone();
    let server = Server::start(move |connection| {
        while connection.receive().is_some() {
            passed.pass();
            connection.send(ok(""));
        }
    });
    (server, brake)
}

pub(crate) fn requests(server: &Server, keys: impl IntoIterator<Item = i64>) -> Vec<engine::Request> {
    keys.into_iter().map(|key| request(key, "GET", &server.url("/"), &[], "")).collect()
}

#[test]
fn an_origin_gets_no_more_than_its_share() {
    let (server, brake) = braked();
    let (other, other_brake) = braked();
    let host = Host::new(Policy { max_in_flight_per_origin: 3, ..Policy::default() });
    host.submit(requests(&server, 0..10));
    host.submit(requests(&other, 10..11));
    // The other origin's request starts although seven wait in front of it.
    eventually("four requests arrive", || brake.waiting() == 3 && other_brake.waiting() == 1);
    assert_eq!(host.engine.under_way(), 4);
    brake.release(10);
    other_brake.release(1);
    host.wait_for(11);
    assert_eq!(brake.most(), 3);
    assert_eq!(host.engine.under_way(), 0);
}

#[test]
fn no_more_are_under_way_than_allowed() {
    let servers = [braked(), braked(), braked()];
    let host = Host::new(Policy { max_in_flight: 2, ..Policy::default() });
    for (server, _) in &servers {
        host.submit(requests(server, 0..3));
    }
    let waiting = || servers.iter().map(|(_, brake)| brake.waiting()).sum::<usize>();
    eventually("two requests arrive", || waiting() == 2);
    assert_eq!(host.engine.under_way(), 2);
    for (_, brake) in &servers {
        brake.release(3);
    }
    host.wait_for(9);
    assert!(servers.iter().all(|(server, brake)| server.requests().len() == 3 && brake.most() <= 2));
}

#[test]
fn origins_take_turns() {
    let [long, short] = [Server::answering(ok("")), Server::answering(ok(""))];
    let host = Host::new(Policy { max_in_flight: 1, ..Policy::default() });
    let mut all = requests(&long, 0..5);
    all.extend(requests(&short, 10..12));
    host.submit(all);
    let order = host.wait_for(7).iter().map(|outcome| outcome.key).collect::<Vec<_>>();
    assert_eq!(order, [0, 10, 1, 11, 2, 3, 4]);
}

#[test]
fn a_wider_policy_lets_waiting_requests_start() {
    let (server, brake) = braked();
    let host = Host::new(Policy { max_in_flight: 1, ..Policy::default() });
    host.submit(requests(&server, 0..3));
    eventually("one request arrives", || brake.waiting() == 1);
    host.engine.set_policy(Policy::default());
    eventually("all requests arrive", || brake.waiting() == 3);
    brake.release(3);
    host.wait_for(3);
}

#[test]
fn no_more_connections_are_open_than_allowed() {
    let (closed, was_closed) = mpsc::channel();
    let servers = [0, 1, 2].map(|number| {
        let closed = closed.clone();
        Server::start(move |connection| {
            while connection.receive().is_some() {
                connection.send(ok(""));
            }
            closed.send(number).unwrap();
        })
    });
    let host = Host::new(Policy { max_connections: 2, max_in_flight: 100, ..Policy::default() });
    for server in &servers {
        host.get(&server.url("/"));
    }
    assert_eq!(was_closed.recv_timeout(PATIENCE), Ok(0), "the one that waited longest makes room");
    host.get(&servers[1].url("/"));
    assert_eq!(servers[1].connections(), 1);

    let (slow, brake) = braked();
    host.submit(requests(&slow, 0..5));
    eventually("two requests arrive", || brake.waiting() == 2);
    assert_eq!(host.engine.under_way(), 2);
    brake.release(5);
    host.wait_for(5);
    assert_eq!(brake.most(), 2);
}
