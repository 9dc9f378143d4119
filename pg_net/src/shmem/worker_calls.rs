//! Calls of the worker: what sessions ask the worker of their database, which alone knows what requests are under way.
//!
//! A session makes one call at a time, and sleeps until the worker has answered, which it does between two of its transactions.
//! Where no worker serves the database nothing is under way, and the session answers itself; a worker that comes to serve
//! answers what is open before it claims anything. Both answer by the same exchange, so one of them does.

use std::cell::Cell;
use std::collections::HashSet;
use std::sync::atomic::{AtomicI32, AtomicI64, AtomicU32, AtomicU64, Ordering::SeqCst};

use engine::Key;
use pg_net_core::key_set::KeySet;
pub(crate) use pg_net_core::key_set::fitting;
use pgrx::pg_sys;

use super::per_process::PerProcess;
use crate::pg::process::wait_event::WaitEvent;
use crate::pg::process::{latch, server, wait};

/// How many calls are open; and the call of each process.
pub(super) static CALLS: PerProcess<AtomicU32, Place> = PerProcess::new(c"pg_net worker calls");

#[repr(C)]
pub(super) struct Place {
    /// A number that no other call of this place has had, and how far the call is: see [`phase`].
    state: AtomicU64,
    database: AtomicU32,
    pid: AtomicI32,
    kind: AtomicU32,
    /// The id of the request that the call is about.
    id: AtomicI64,
    /// The role that asked for that request.
    role: AtomicU32,
    /// The rows that the call is about.
    keys: KeySet,
}

const IDLE: u64 = 0;
const ASKED: u64 = 1;
const YES: u64 = 2;
const NO: u64 = 3;
const PHASES: u64 = 4;

thread_local! {
    /// Whether this process has a call open.
    static IS_OPEN: Cell<bool> = const { Cell::new(false) };
}

fn phase(state: u64) -> u64 {
    state % PHASES
}

fn number(state: u64) -> u64 {
    state / PHASES
}

const MAY_TAKE_BACK: u32 = 0;
const IS_UNDER_WAY: u32 = 1;

/// A call, as the worker gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WorkerCall {
    /// May the rows with these keys be taken back? From the answer until the [`Grant`] is dropped, the worker leaves those alone
    /// that may.
    MayTakeBack(Vec<Key>),
    /// Is a request with this id under way that has left the queue?
    IsUnderWay(i64),
}

/// What the worker says.
pub(crate) enum Reply {
    /// All but the rows with these keys may be taken back.
    AllBut(Vec<Key>),
    /// The request is under way, and this role asked for it; or it is not.
    UnderWay(Option<pg_sys::Oid>),
}

/// An open call, until it is dropped.
struct OpenCall;

impl Drop for OpenCall {
    fn drop(&mut self) {
        end();
    }
}

/// Rows that may be taken back, for as long as it is not dropped.
pub(crate) struct Grant {
    pub(crate) keys: Vec<Key>,
    _call: OpenCall,
}

/// Asks which of the rows with these keys, which must be sorted and [fit](fitting), may be taken back, and waits for the
/// answer. A cancelled statement or a terminated session ends the wait with its error.
pub(crate) fn may_take_back(keys: &[Key]) -> Grant {
    let place = mine();
    let (open, call) = open_call(place, MAY_TAKE_BACK, |place| place.keys.put(keys));
    let answered = wait_for_answer(place, call, YES);
    // Of what cannot be told the worker has said nothing: then it is not ours.
    let is_granted = |key: &Key| answered == Answered::ByUs || place.keys.is_refused(number(call), *key) == Some(false);
    Grant { keys: keys.iter().copied().filter(is_granted).collect(), _call: open }
}

/// Asks whether a request with this id is under way that has left the queue, and waits for the answer, as
/// [`may_take_back`] does. The role that asked for it.
pub(crate) fn under_way(id: i64) -> Option<pg_sys::Oid> {
    let place = mine();
    let (_open, call) = open_call(place, IS_UNDER_WAY, |place| place.id.store(id, SeqCst));
    wait_for_answer(place, call, NO);
    (phase(place.state.load(SeqCst)) == YES).then(|| pg_sys::Oid::from(place.role.load(SeqCst)))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Answered {
    ByWorker,
    ByUs,
}

/// Waits until the worker has answered, or there is none: then the answer is `own`.
fn wait_for_answer(place: &Place, call: u64, own: u64) -> Answered {
    while phase(place.state.load(SeqCst)) == ASKED {
        // The call first, then the search for a worker: one that has come since sees the call.
        match super::get().serving(server::my_database()) {
            Some(worker) => {
                worker.set_latch();
                wait::wait_for_latch(WaitEvent::WorkerAnswer, None);
                pgrx::check_for_interrupts!();
            }
            None => {
                let answered = call - ASKED + own;
                if place.state.compare_exchange(call, answered, SeqCst, SeqCst).is_ok() {
                    return Answered::ByUs;
                }
            }
        }
    }
    Answered::ByWorker
}

/// Opens a call. It ends when the guard is dropped, whichever way that comes about.
fn open_call(place: &Place, kind: u32, put: impl FnOnce(&Place)) -> (OpenCall, u64) {
    end();
    IS_OPEN.set(true);
    CALLS.common().fetch_add(1, SeqCst);
    let guard = OpenCall;
    let number = number(place.state.load(SeqCst)) + 1;
    place.database.store(server::my_database().to_u32(), SeqCst);
    place.pid.store(server::my_pid(), SeqCst);
    place.kind.store(kind, SeqCst);
    put(place);
    let asked = number * PHASES + ASKED;
    place.state.store(asked, SeqCst);
    (guard, asked)
}

/// Ends the call of this process, if it has one. Cannot raise: called when a transaction ends, however it does, too.
pub(crate) fn end() {
    if IS_OPEN.take() {
        let place = mine();
        // An answer that comes in between is lost, and one that comes later finds another state than it was for.
        place.state.store(number(place.state.load(SeqCst)) * PHASES + IDLE, SeqCst);
        CALLS.common().fetch_sub(1, SeqCst);
    }
}

fn mine() -> &'static Place {
    &CALLS.each()[latch::my_place() as usize]
}

impl Place {
    fn is_of(&self, database: pg_sys::Oid) -> bool {
        self.database.load(SeqCst) == database.to_u32()
    }

    fn call(&self) -> WorkerCall {
        match self.kind.load(SeqCst) {
            MAY_TAKE_BACK => WorkerCall::MayTakeBack(self.keys.get()),
            _ => WorkerCall::IsUnderWay(self.id.load(SeqCst)),
        }
    }

    /// Writes down what is replied to the call in this state. The state that says so.
    fn write(&self, state: u64, reply: Reply) -> u64 {
        let phase = match reply {
            Reply::AllBut(refused) => {
                self.keys.refuse(number(state), &refused);
                YES
            }
            Reply::UnderWay(Some(role)) => {
                self.role.store(role.to_u32(), SeqCst);
                YES
            }
            Reply::UnderWay(None) => NO,
        };
        state - ASKED + phase
    }
}

/// Answers what sessions of a database ask. Called by its worker, between two transactions.
pub(crate) fn answer(database: pg_sys::Oid, mut reply: impl FnMut(WorkerCall) -> Reply) {
    each_asked(database, |place_number, place, state| {
        let answered = place.write(state, reply(place.call()));
        // A call that has ended meanwhile, and perhaps been followed by another, has another state.
        if place.state.compare_exchange(state, answered, SeqCst, SeqCst).is_ok() {
            latch::set(place_number, place.pid.load(SeqCst));
        }
    });
}

/// Wakes those who wait for the worker of a database: it is going.
pub(crate) fn wake_callers(database: pg_sys::Oid) {
    each_asked(database, |number, place, _| latch::set(number, place.pid.load(SeqCst)));
}

fn each_asked(database: pg_sys::Oid, mut act: impl FnMut(u32, &Place, u64)) {
    if CALLS.common().load(SeqCst) == 0 {
        return;
    }
    for (number, place) in CALLS.each().iter().enumerate() {
        let state = place.state.load(SeqCst);
        if phase(state) == ASKED && place.is_of(database) {
            act(number as u32, place, state);
        }
    }
}

/// The row keys in a database that may be taken back, and perhaps are being deleted right now.
pub(crate) fn granted(database: pg_sys::Oid) -> HashSet<Key> {
    let mut granted = HashSet::new();
    for place in CALLS.each() {
        let state = place.state.load(SeqCst);
        if phase(state) == YES
            && place.is_of(database)
            && let WorkerCall::MayTakeBack(keys) = place.call()
        {
            let is_granted = |key: &Key| place.keys.is_refused(number(state), *key) != Some(true);
            granted.extend(keys.into_iter().filter(is_granted));
        }
    }
    granted
}
