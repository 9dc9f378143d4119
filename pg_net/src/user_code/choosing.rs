//! Which triggers a statement on the extension's tables runs, and how.
//!
//! A statement has a copy of each table's triggers of its own, made when it starts. There, what is not to run is disabled, and what is
//! to run is led through `net._run_trigger`. That is so for every statement: ours, the worker's, and those of every role that may write the tables.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::ffi::{CStr, c_int};

use pgrx::{pg_guard, pg_sys};

use crate::pg::catalog::{own_tables, relation, role};
use crate::pg::storage::table::is_users;
use crate::pg::types::list::cells;
use crate::pg::types::text;

static mut NEXT: pg_sys::ExecutorStart_hook_type = None;

unsafe extern "C-unwind" {
    // The bare C function. The one that the bindings have turns errors into panics, which loses parts of them.
    fn standard_ExecutorStart(query: *mut pg_sys::QueryDesc, flags: c_int);
    /// Not among the bindings.
    fn has_superclass(relation: pg_sys::Oid) -> bool;
}

pub(super) fn install() {
    // SAFETY: set in the postmaster, before any backend exists.
    unsafe {
        NEXT = pg_sys::ExecutorStart_hook;
        pg_sys::ExecutorStart_hook = Some(start);
    }
}

/// The hook. Every statement of the server comes through here. It is passed on from a frame that owns nothing, without a guard: an error
/// jumps over it and stays exactly what it was.
unsafe extern "C-unwind" fn start(query: *mut pg_sys::QueryDesc, flags: c_int) {
    // SAFETY: Postgres passes a planned statement; it is passed on as it came, to a hook that was set as ours is.
    unsafe {
        match NEXT {
            Some(next) => next(query, flags),
            None => standard_ExecutorStart(query, flags),
        }
        if !(*(*query).plannedstmt).resultRelations.is_null() && flags & pg_sys::EXEC_FLAG_EXPLAIN_ONLY as c_int == 0 {
            choose(query, flags);
        }
    }
}

thread_local! {
    /// Whether the next statement on a table of ours is to run no triggers of users.
    static WITHOUT: Cell<bool> = const { Cell::new(false) };
    /// Triggers that this session was told about.
    static TOLD: RefCell<Option<HashSet<(pg_sys::Oid, pg_sys::Oid)>>> = const { RefCell::new(None) };
}

/// Runs one statement on a table of ours that fires no trigger of users, be it one that fires ALWAYS.
pub(crate) fn without_user_triggers<R>(run: impl FnOnce() -> R) -> R {
    /// Takes it back also where the statement failed before it started.
    struct Back;
    impl Drop for Back {
        fn drop(&mut self) {
            WITHOUT.set(false);
        }
    }
    WITHOUT.set(true);
    let _back = Back;
    run()
}

#[pg_guard]
unsafe extern "C-unwind" fn choose(query: *mut pg_sys::QueryDesc, flags: c_int) {
    // SAFETY: a statement that has started; its range table has the relations that the numbers name.
    unsafe {
        let plan = &*(*query).plannedstmt;
        let table = |number: &pg_sys::ListCell| {
            let entry = cells(plan.rtable)[number.int_value as usize - 1].ptr_value.cast::<pg_sys::RangeTblEntry>();
            (*entry).relid
        };
        if !cells(plan.resultRelations).iter().map(table).any(own_tables::contain) {
            return;
        }
        let without = WITHOUT.take();
        let skips_after = flags & pg_sys::EXEC_FLAG_SKIP_TRIGGERS as c_int != 0;
        let Some(runner) = own_tables::runner() else { return };
        let choice = Choice { runner, is_sound: relation::is_in_c(runner), without, skips_after };
        each_result(&*(*query).estate, |result| choice.make(result));
    }
}

/// Does something with each relation that a statement writes.
///
/// # Safety
///
/// The statement must have started.
unsafe fn each_result(state: &pg_sys::EState, mut act: impl FnMut(&mut pg_sys::ResultRelInfo)) {
    // SAFETY: by the caller's promise; each is alive as long as the statement.
    unsafe {
        #[cfg(feature = "pg13")]
        for at in 0..state.es_num_result_relations as usize {
            act(&mut *state.es_result_relations.add(at));
        }
        #[cfg(not(feature = "pg13"))]
        for cell in cells(state.es_opened_result_relations) {
            act(&mut *cell.ptr_value.cast::<pg_sys::ResultRelInfo>());
        }
    }
}

struct Choice {
    runner: pg_sys::Oid,
    /// Whether that is our function still, and not what its owner has made of it.
    is_sound: bool,
    without: bool,
    /// The statement is one of a foreign key, whose triggers fire in the statement that set it off, out of our reach.
    skips_after: bool,
}

impl Choice {
    /// # Safety
    ///
    /// Of a statement that has started. The triggers are its own copy.
    unsafe fn make(&self, result: &mut pg_sys::ResultRelInfo) {
        // SAFETY: by the caller's promise.
        unsafe {
            let (relation, triggers) = (&*result.ri_RelationDesc, result.ri_TrigDesc);
            if triggers.is_null() || !(own_tables::contain(relation.rd_id) || is_child(relation.rd_id)) {
                return;
            }
            let is_private = relation::name(relation.rd_id) == "_held_response";
            let owner = (*relation.rd_rel).relowner;
            for trigger in (0..(*triggers).numtriggers as usize).map(|at| &mut *(*triggers).triggers.add(at)) {
                if !is_users(trigger) {
                    continue;
                }
                let obstacle =
                    if self.without || is_private { Some(Obstacle::Asked) } else { self.obstacle(owner, trigger) };
                match obstacle {
                    Some(obstacle) => {
                        obstacle.tell(relation.rd_id, trigger);
                        trigger.tgenabled = b'D' as std::ffi::c_char;
                    }
                    None => {
                        // One that is put off would fire at the commit, with other rights.
                        trigger.tgdeferrable = false;
                        trigger.tginitdeferred = false;
                        trigger.tgfoid = self.runner;
                    }
                }
            }
        }
    }

    fn obstacle(&self, owner: pg_sys::Oid, trigger: &pg_sys::Trigger) -> Option<Obstacle> {
        let is_after = trigger.tgtype as u32 & (pg_sys::TRIGGER_TYPE_BEFORE | pg_sys::TRIGGER_TYPE_INSTEAD) == 0;
        match stranger(owner, trigger.tgfoid) {
            Some(other) => Some(Obstacle::Stranger(other)),
            _ if !self.is_sound => Some(Obstacle::Replaced),
            _ if self.skips_after && is_after => Some(Obstacle::ForeignKey),
            _ => None,
        }
    }
}

/// Who owns a function, where that is neither the owner of the table nor a superuser.
fn stranger(owner: pg_sys::Oid, function: pg_sys::Oid) -> Option<pg_sys::Oid> {
    relation::owner_of_function(function).filter(|&other| other != owner && !role::is_superuser(other))
}

/// Whether a function belongs to neither the owner of the table nor a superuser.
pub(super) fn is_strangers(owner: pg_sys::Oid, function: pg_sys::Oid) -> bool {
    stranger(owner, function).is_some()
}

/// A child that an owner made of one of our tables is written where the table is.
///
/// # Safety
///
/// Within a transaction.
unsafe fn is_child(table: pg_sys::Oid) -> bool {
    // SAFETY: a catalog look-up, through the boundary that turns an error into a panic.
    unsafe { pg_sys::ffi::pg_guard_ffi_boundary(|| has_superclass(table)) }
}

/// Why a trigger does not run.
enum Obstacle {
    /// It is our wish.
    Asked,
    /// Its function is this role's, who owns neither the table nor everything.
    Stranger(pg_sys::Oid),
    ForeignKey,
    /// What would run it is not ours any more.
    Replaced,
}

impl Obstacle {
    /// Says so, once in a session.
    ///
    /// # Safety
    ///
    /// The trigger must be a table's.
    unsafe fn tell(&self, table: pg_sys::Oid, trigger: &pg_sys::Trigger) {
        let why = |name: &str, function: &str| match self {
            Self::Asked => None,
            Self::Stranger(owner) => Some(format!(
                "pg_net: trigger \"{name}\" is passed by: its function {function} belongs to \"{}\", who is neither the table's \
                 owner nor a superuser",
                relation::role_name(*owner)
            )),
            Self::ForeignKey => Some(format!(
                "pg_net: trigger \"{name}\" is passed by where a foreign key changes the table: it would run {function} with the \
                 rights of the role that set it off"
            )),
            Self::Replaced => Some(format!(
                "pg_net: trigger \"{name}\" is passed by: net._run_trigger(), which is to run {function}, has been replaced"
            )),
        };
        let told =
            |told: &mut Option<HashSet<_>>| !told.get_or_insert_default().insert((trigger.tgoid, trigger.tgfoid));
        if matches!(self, Self::Asked) || TOLD.with_borrow_mut(told) {
            return;
        }
        // SAFETY: by the caller's promise its name is a C string.
        let name = unsafe { CStr::from_ptr(trigger.tgname) }.to_string_lossy();
        let table = relation::name(table);
        if let Some(message) =
            why(&format!("{name}\" on table \"net.{table}"), &relation::function_name(trigger.tgfoid))
        {
            pgrx::warning!("{}", text::for_message(message));
        }
    }
}
