//! What sessions ask the worker of their database, who alone knows which requests are under way.
//!
//! A session asks one question at a time, and sleeps until the worker has answered, which it does between two of its
//! transactions. Where no worker serves the database nothing is under way, and the session answers itself; a worker that
//! comes to serve answers what is open before it claims anything. Both answer by the same exchange, so one of them does.

use std::cell::Cell;
use std::sync::atomic::{AtomicI32, AtomicI64, AtomicU32, AtomicU64, Ordering::SeqCst};

use engine::Key;
use pgrx::pg_sys;

use super::per_process::PerProcess;
use crate::pg::{latch, server, wait};

/// How many questions are open; and the question of each process.
pub(super) static QUESTIONS: PerProcess<AtomicU32, Place> = PerProcess::new(c"pg_net questions");

#[repr(C)]
pub(super) struct Place {
    /// A number that no other question of this place has had, and how far the question is: see [`phase`].
    state: AtomicU64,
    database: AtomicU32,
    pid: AtomicI32,
    kind: AtomicU32,
    subject: AtomicI64,
    /// The role that asked for the request that the question is about.
    role: AtomicU32,
}

const IDLE: u64 = 0;
const ASKED: u64 = 1;
const YES: u64 = 2;
const NO: u64 = 3;
const PHASES: u64 = 4;

thread_local! {
    /// Whether this process has a question.
    static ASKING: Cell<bool> = const { Cell::new(false) };
}

fn phase(state: u64) -> u64 {
    state % PHASES
}

const MAY_TAKE_BACK: u32 = 0;
const IS_UNDER_WAY: u32 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// May the row with this key be taken back? From a yes until the [`Answer`] is dropped, the worker leaves it alone.
    MayTakeBack(Key),
    /// Is a request with this id under way that has left the queue?
    IsUnderWay(i64),
}

/// An answer, for as long as it holds.
pub(crate) struct Answer {
    /// What was answered; for a request that is under way, the role that asked for it.
    pub(crate) yes: Option<pg_sys::Oid>,
}

impl Drop for Answer {
    fn drop(&mut self) {
        end();
    }
}

/// Asks, and waits for the answer. A cancelled statement or a terminated session ends the wait with its error.
pub(crate) fn ask(question: Question) -> Answer {
    let place = mine();
    let asked = open(place, question);
    // Ends the question whichever way this function is left.
    let mut answer = Answer { yes: None };
    loop {
        match phase(place.state.load(SeqCst)) {
            YES => {
                answer.yes = Some(pg_sys::Oid::from(place.role.load(SeqCst)));
                return answer;
            }
            NO => return answer,
            _ => {}
        }
        // The question first, then the look for a worker: one that has come since sees the question.
        match super::get().serving(server::my_database()) {
            Some(worker) => {
                worker.poke();
                wait::wait_for_latch(None);
                pgrx::check_for_interrupts!();
            }
            None => {
                let own = if matches!(question, Question::MayTakeBack(_)) { YES } else { NO };
                let _ = place.state.compare_exchange(asked, asked - ASKED + own, SeqCst, SeqCst);
            }
        }
    }
}

fn open(place: &Place, question: Question) -> u64 {
    let (kind, subject) = match question {
        Question::MayTakeBack(key) => (MAY_TAKE_BACK, key),
        Question::IsUnderWay(id) => (IS_UNDER_WAY, id),
    };
    end();
    ASKING.set(true);
    QUESTIONS.common().fetch_add(1, SeqCst);
    let number = place.state.load(SeqCst) / PHASES + 1;
    place.database.store(server::my_database().to_u32(), SeqCst);
    place.pid.store(server::my_pid(), SeqCst);
    place.kind.store(kind, SeqCst);
    place.subject.store(subject, SeqCst);
    let asked = number * PHASES + ASKED;
    place.state.store(asked, SeqCst);
    asked
}

/// Ends the question of this process, if it has one. Cannot raise: called when a transaction ends, however it does, too.
pub(crate) fn end() {
    if ASKING.take() {
        let place = mine();
        // An answer that comes in between is lost, and one that comes later finds another state than it was for.
        place.state.store(place.state.load(SeqCst) / PHASES * PHASES + IDLE, SeqCst);
        QUESTIONS.common().fetch_sub(1, SeqCst);
    }
}

fn mine() -> &'static Place {
    &QUESTIONS.each()[latch::my_place() as usize]
}

impl Place {
    fn is_of(&self, database: pg_sys::Oid) -> bool {
        self.database.load(SeqCst) == database.to_u32()
    }

    fn question(&self) -> Question {
        let subject = self.subject.load(SeqCst);
        match self.kind.load(SeqCst) {
            MAY_TAKE_BACK => Question::MayTakeBack(subject),
            _ => Question::IsUnderWay(subject),
        }
    }
}

/// Answers what sessions of a database ask. Called by its worker, between two transactions.
pub(crate) fn answer(database: pg_sys::Oid, reply: impl Fn(Question) -> Option<pg_sys::Oid>) {
    each_asked(database, |number, place, state| {
        let reply = reply(place.question());
        place.role.store(reply.unwrap_or(pg_sys::InvalidOid).to_u32(), SeqCst);
        let answered = state - ASKED + if reply.is_some() { YES } else { NO };
        // A question that has ended meanwhile, and perhaps been followed by another, has another state.
        if place.state.compare_exchange(state, answered, SeqCst, SeqCst).is_ok() {
            latch::set(number, place.pid.load(SeqCst));
        }
    });
}

/// Wakes those who wait for the worker of a database: it is going.
pub(crate) fn rouse(database: pg_sys::Oid) {
    each_asked(database, |number, place, _| latch::set(number, place.pid.load(SeqCst)));
}

fn each_asked(database: pg_sys::Oid, mut act: impl FnMut(u32, &Place, u64)) {
    if QUESTIONS.common().load(SeqCst) == 0 {
        return;
    }
    for (number, place) in QUESTIONS.each().iter().enumerate() {
        let state = place.state.load(SeqCst);
        if phase(state) == ASKED && place.is_of(database) {
            act(number as u32, place, state);
        }
    }
}

/// The row keys in a database that may be taken back, and perhaps are being deleted right now.
pub(crate) fn granted(database: pg_sys::Oid) -> Vec<Key> {
    QUESTIONS
        .each()
        .iter()
        .filter(|place| phase(place.state.load(SeqCst)) == YES && place.is_of(database))
        .filter_map(|place| match place.question() {
            Question::MayTakeBack(key) => Some(key),
            Question::IsUnderWay(_) => None,
        })
        .collect()
}
