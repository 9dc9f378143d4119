//! What a scenario runs on: a server, a receiver, and what has been done to them.

use std::collections::HashSet;

use postgres::Client;
use testkit::{PATIENCE, wait_until};

use crate::clock::{self, Moment};
use crate::faults::Injection;
use crate::gate::Gate;
use crate::receiver::{Address, Receiver};
use crate::rng::Rng;

/// What faults are injected into.
pub(crate) struct Harness<'a> {
    /// The session that injects, as the server's owner. Before the server, so that it is closed first.
    pub(crate) client: Client,
    pub(crate) cluster: testkit::Cluster,
    pub(crate) receiver: Receiver,
    pub(crate) gate: &'a Gate,
    pub(crate) rng: Rng,
    /// Requests that the owner took out of the queue: that they do not arrive is as it should be.
    pub(crate) taken_back: HashSet<u64>,
}

impl Harness<'_> {
    /// One value of one row.
    pub(crate) fn value<T: for<'v> postgres::types::FromSql<'v>>(&mut self, sql: &str) -> T {
        self.client.query_one(sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error:?}")).get(0)
    }

    /// The worker's process.
    pub(crate) fn worker(&mut self) -> i32 {
        self.cluster.worker_pid(&mut self.client)
    }

    /// Waits for a worker that is another process than this one. When it began, which the one before did not live to see.
    pub(crate) fn another_worker(&mut self, before: i32) -> Moment {
        let began = "select (extract(epoch from backend_start) * 1000000)::bigint from pg_stat_activity
                      where backend_type ilike '%pg_net%' and datname = current_database() and pid <> $1";
        let client = &mut self.client;
        wait_until("another worker", PATIENCE, || {
            client.query_opt(began, &[&before]).expect("at most one worker").map(|row| row.get(0))
        })
    }

    /// Connects again, where the server is or as soon as it has recovered.
    pub(crate) fn reconnect(&mut self) {
        self.gate.moved(&self.cluster);
        let again = || self.cluster.try_connect_as("postgres", "postgres").ok();
        self.client = wait_until("the server", PATIENCE, again);
    }

    /// The owner takes these rows back; by their URLs.
    pub(crate) fn take_back(&mut self, urls: impl Iterator<Item = String>) {
        self.taken_back.extend(urls.filter_map(|url| Address::tag(&url)));
    }

    /// A pause of a random length.
    pub(crate) fn pause(&mut self, from: u64, to: u64) {
        let length = self.rng.milliseconds(from, to);
        std::thread::sleep(length);
    }
}

/// An injection that leaves the worker alone, begun at a moment and over now.
pub(crate) fn harmless(begin: Moment) -> Option<Injection> {
    Some(Injection { begin, end: clock::now(), ended_worker: false })
}

/// An injection that ended the worker, this process: another one runs now.
pub(crate) fn ended_worker(harness: &mut Harness, worker: i32, begin: Moment) -> Option<Injection> {
    Some(Injection { begin, end: harness.another_worker(worker), ended_worker: true })
}
