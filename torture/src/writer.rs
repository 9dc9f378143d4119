//! Writers: sessions that make requests in transactions of all shapes, and note what they did.

use std::thread;
use std::time::Duration;

use postgres::Client;

use crate::clock;
use crate::gate::Gate;
use crate::ledger::{End, Requested, Transaction};
use crate::receiver::Address;
use crate::request_kind::RequestKind;
use crate::rng::Rng;

/// Writers wait while so many requests do, so that a run ends soon after they stop.
const MOST_WAITING: usize = 1000;

/// What all writers of a scenario do.
pub(crate) struct WriterSettings {
    /// What the receiver is to do with a request, as a path.
    pub(crate) path: fn(&mut Rng) -> String,
    /// Whether some transactions are prepared, and left to others to end.
    pub(crate) two_phase: bool,
    /// Requests that one writer makes, at most.
    pub(crate) most: usize,
}

/// A writer, on a thread of its own.
pub(crate) struct Writer<'a> {
    number: u64,
    rng: Rng,
    settings: &'a WriterSettings,
    gate: &'a Gate,
    receiver: Address,
    tags: u64,
    done: Vec<Transaction>,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(number: u64, rng: Rng, settings: &'a WriterSettings, gate: &'a Gate, receiver: Address) -> Self {
        Self { number, rng, settings, gate, receiver, tags: 0, done: Vec::new() }
    }

    /// Writes until the gate is closed; gives all that was done.
    pub(crate) fn run(mut self) -> Vec<Transaction> {
        let mut session = None;
        while !self.gate.is_closed() && self.tags < self.settings.most as u64 {
            match session.take().or_else(|| self.gate.enter()) {
                Some(mut client) => {
                    // An error is the server's crash or the extension's absence: both pass.
                    let done = self.transact(&mut client);
                    let usable = done.is_ok() || (!client.is_closed() && client.batch_execute("rollback").is_ok());
                    if usable {
                        session = Some(client);
                    }
                    if done.is_err() {
                        thread::sleep(Duration::from_millis(5));
                    }
                }
                None => thread::sleep(Duration::from_millis(5)),
            }
        }
        self.done
    }

    /// One transaction.
    fn transact(&mut self, client: &mut Client) -> Result<(), postgres::Error> {
        while self.is_ahead(client)? && !self.gate.is_closed() {
            thread::sleep(Duration::from_millis(5));
        }
        thread::sleep(self.rng.milliseconds(0, 4));
        let number = self.unique(self.done.len() as u64);
        self.done.push(Transaction { number, end: End::RolledBack, requested: Vec::new() });
        client.batch_execute(&format!("begin; insert into torture.markers values ({number})"))?;
        for _ in 0..self.rng.between(1, 3) {
            self.request_some(client)?;
        }
        self.end(client, number)
    }

    /// Whether the worker is to catch up first.
    fn is_ahead(&mut self, client: &mut Client) -> Result<bool, postgres::Error> {
        if !self.done.len().is_multiple_of(16) {
            return Ok(false);
        }
        let waiting = format!(
            "select count(*) > {MOST_WAITING} from (select from net.http_request_queue limit {MOST_WAITING} + 1) as waiting"
        );
        Ok(client.query_one(&waiting, &[])?.get(0))
    }

    /// Some requests, perhaps in a savepoint, which is perhaps rolled back.
    fn request_some(&mut self, client: &mut Client) -> Result<(), postgres::Error> {
        let savepoint = self.rng.chance(50);
        let undone = savepoint && self.rng.chance(40);
        if savepoint {
            client.batch_execute("savepoint s")?;
        }
        for _ in 0..self.rng.between(1, 3) {
            self.request(client, undone)?;
        }
        match (savepoint, undone) {
            (true, true) => client.batch_execute("rollback to s"),
            (true, false) => client.batch_execute("release s"),
            _ => Ok(()),
        }
    }

    fn request(&mut self, client: &mut Client, undone: bool) -> Result<(), postgres::Error> {
        self.tags += 1;
        let tag = self.unique(self.tags);
        let kind = RequestKind::any(&mut self.rng);
        let waits = kind.can_wait() && self.rng.chance(20);
        let not_before = waits.then(|| clock::now() + self.rng.milliseconds(0, 800).as_micros() as i64);
        let url = self.receiver.url(&(self.settings.path)(&mut self.rng), tag);
        client.batch_execute(&kind.call(&url, not_before).select())?;
        let requested = Requested { tag, kind, not_before, undone };
        self.done.last_mut().expect("the transaction").requested.push(requested);
        Ok(())
    }

    fn end(&mut self, client: &mut Client, number: u64) -> Result<(), postgres::Error> {
        if self.rng.chance(15) {
            return client.batch_execute("rollback");
        }
        let prepares = self.settings.two_phase && self.rng.chance(50);
        let transaction = self.done.last_mut().expect("the transaction");
        transaction.end = End::Open;
        if prepares {
            return client.batch_execute(&format!("prepare transaction '{number}'"));
        }
        client.batch_execute("commit")?;
        transaction.end = End::Committed;
        Ok(())
    }

    /// A number that no other writer has.
    fn unique(&self, number: u64) -> u64 {
        (self.number << 32) | number
    }
}
