//! Writers: sessions that ask for requests in transactions of all shapes, and note what they did.

use std::thread;
use std::time::Duration;

use postgres::Client;

use crate::clock;
use crate::gate::Door;
use crate::ledger::{Asked, End, Transaction};
use crate::receiver::Address;
use crate::request_kind::Kind;
use crate::rng::Dice;

/// Writers wait while so many requests do, so that a run ends soon after they stop.
const MOST_WAITING: usize = 1000;

/// What writers do.
pub(crate) struct Habits {
    /// What the receiver is to do with a request, as a path.
    pub(crate) path: fn(&mut Dice) -> String,
    /// Whether some transactions are prepared, and left to others to end.
    pub(crate) two_phase: bool,
    /// Requests that one writer makes, at most.
    pub(crate) most: usize,
}

/// A writer, on a thread of its own.
pub(crate) struct Writer<'a> {
    number: u64,
    dice: Dice,
    habits: &'a Habits,
    door: &'a Door,
    receiver: Address,
    tags: u64,
    done: Vec<Transaction>,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(number: u64, dice: Dice, habits: &'a Habits, door: &'a Door, receiver: Address) -> Self {
        Self { number, dice, habits, door, receiver, tags: 0, done: Vec::new() }
    }

    /// Writes until the door is closed; gives all that was done.
    pub(crate) fn run(mut self) -> Vec<Transaction> {
        let mut session = None;
        while !self.door.is_closed() && self.tags < self.habits.most as u64 {
            match session.take().or_else(|| self.door.enter()) {
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
        while self.is_ahead(client)? && !self.door.is_closed() {
            thread::sleep(Duration::from_millis(5));
        }
        thread::sleep(self.dice.milliseconds(0, 4));
        let number = self.unique(self.done.len() as u64);
        self.done.push(Transaction { number, end: End::RolledBack, asked: Vec::new() });
        client.batch_execute(&format!("begin; insert into torture.markers values ({number})"))?;
        for _ in 0..self.dice.between(1, 3) {
            self.ask_some(client)?;
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
    fn ask_some(&mut self, client: &mut Client) -> Result<(), postgres::Error> {
        let savepoint = self.dice.chance(50);
        let undone = savepoint && self.dice.chance(40);
        if savepoint {
            client.batch_execute("savepoint s")?;
        }
        for _ in 0..self.dice.between(1, 3) {
            self.ask(client, undone)?;
        }
        match (savepoint, undone) {
            (true, true) => client.batch_execute("rollback to s"),
            (true, false) => client.batch_execute("release s"),
            _ => Ok(()),
        }
    }

    fn ask(&mut self, client: &mut Client, undone: bool) -> Result<(), postgres::Error> {
        self.tags += 1;
        let tag = self.unique(self.tags);
        let kind = Kind::any(&mut self.dice);
        let waits = kind.can_wait() && self.dice.chance(20);
        let not_before = waits.then(|| clock::now() + self.dice.milliseconds(0, 800).as_micros() as i64);
        let url = self.receiver.url(&(self.habits.path)(&mut self.dice), tag);
        client.batch_execute(&kind.call(&url, not_before))?;
        let asked = Asked { tag, kind, not_before, undone };
        self.done.last_mut().expect("the transaction").asked.push(asked);
        Ok(())
    }

    fn end(&mut self, client: &mut Client, number: u64) -> Result<(), postgres::Error> {
        if self.dice.chance(15) {
            return client.batch_execute("rollback");
        }
        let prepares = self.habits.two_phase && self.dice.chance(50);
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
