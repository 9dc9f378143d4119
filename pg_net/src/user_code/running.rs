//! Running a user's trigger: as the owner of its table, with the search path of a new session of that role.

use std::cell::RefCell;
use std::ffi::{CStr, c_char};

use pgrx::{PgSqlErrorCode, pg_guard, pg_sys};

use crate::pg::SqlError;
use crate::pg::catalog::role;
use crate::pg::spi::transaction::note_user_code;
use crate::pg::spi::{search_path, time_limit};

thread_local! {
    /// The triggers that run in this worker, the outermost first. After an error it still has them, until [`take_blamed`].
    static RUNS: RefCell<Vec<Trigger>> = const { RefCell::new(Vec::new()) };
}

/// A trigger and what it runs.
#[derive(Clone, Debug)]
pub(crate) struct Trigger {
    pub(crate) name: String,
    pub(crate) table: pg_sys::Oid,
    pub(crate) function: pg_sys::Oid,
}

/// The trigger in which an error came up, if it was in one, the outermost. Forgets it, and what else was running.
pub(crate) fn take_blamed() -> Option<Trigger> {
    RUNS.take().into_iter().next()
}

/// One run. It lies in a frame that an error jumps over, so it owns nothing.
#[repr(C)]
struct Run {
    data: pg_sys::TriggerData,
    trigger: pg_sys::Trigger,
    call: pg_sys::FunctionCallInfoBaseData,
    before: Before,
}

/// What is set back after it.
struct Before {
    role: pg_sys::Oid,
    context: i32,
    settings: i32,
    runs: usize,
}

/// What is kept for the length of a statement.
struct Kept {
    function: pg_sys::FmgrInfo,
    path: *mut c_char,
}

#[doc(hidden)]
#[unsafe(no_mangle)]
pub(crate) extern "C" fn pg_finfo_run_trigger() -> &'static pg_sys::Pg_finfo_record {
    const VERSION_1: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &VERSION_1
}

/// `net._run_trigger`. The user's function is called from a frame that owns nothing, without a guard: its error jumps over it and stays
/// exactly what it was. What was set for it is then set back by the rollback.
#[doc(hidden)]
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn run_trigger(frame: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: Postgres passes the frame of a call. Zeros are valid for all that a run holds; it does not move once it is prepared, which
    // has it refer to itself.
    unsafe {
        let mut run: Run = std::mem::zeroed();
        prepare(frame, &mut run);
        let function = (*run.call.flinfo).fn_addr.unwrap_unchecked();
        let result = function(&mut run.call);
        finish(&mut run);
        (*frame).isnull = run.call.isnull;
        result
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn prepare(frame: pg_sys::FunctionCallInfo, run: *mut Run) {
    // SAFETY: the frame of a call, and a run that outlives it. The context is a trigger's data, which its tag says.
    unsafe {
        let (frame, run) = (&mut *frame, &mut *run);
        let data = frame.context.cast::<pg_sys::TriggerData>();
        if data.is_null() || (*data).type_ != pg_sys::NodeTag::T_TriggerData {
            refuse();
        }
        run.data = *data;
        run.trigger = *(*data).tg_trigger;
        let relation = &*(*data).tg_relation;
        let original = original(relation, run.trigger.tgoid)
            .filter(|original| original.tgfoid != (*frame.flinfo).fn_oid)
            .unwrap_or_else(|| refuse());
        run.trigger.tgfoid = original.tgfoid;
        run.trigger.tgdeferrable = original.tgdeferrable;
        run.trigger.tginitdeferred = original.tginitdeferred;
        let owner = (*relation.rd_rel).relowner;
        let kept = kept(&mut *frame.flinfo, original.tgfoid, owner);
        run.data.tg_trigger = &raw mut run.trigger;
        run.call.flinfo = &raw mut kept.function;
        run.call.context = (&raw mut run.data).cast();
        begin(run, owner, CStr::from_ptr(kept.path));
    }
}

/// The trigger as the catalog has it.
///
/// # Safety
///
/// The relation must be open.
unsafe fn original(relation: &pg_sys::RelationData, trigger: pg_sys::Oid) -> Option<&pg_sys::Trigger> {
    // SAFETY: by the caller's promise; there are as many triggers as the number says.
    unsafe {
        let triggers = relation.trigdesc.as_ref()?;
        let triggers = std::slice::from_raw_parts(triggers.triggers, triggers.numtriggers as usize);
        triggers.iter().find(|other| other.tgoid == trigger)
    }
}

/// The function to call and the path to call it with, looked up once in a statement.
///
/// # Safety
///
/// `info` must be what our own function is called by.
unsafe fn kept(info: &mut pg_sys::FmgrInfo, function: pg_sys::Oid, owner: pg_sys::Oid) -> &'static mut Kept {
    // SAFETY: by the caller's promise; what is kept lies in the memory that is there for it, as long as the statement.
    unsafe {
        let mut kept = info.fn_extra.cast::<Kept>();
        if kept.is_null() {
            kept = pg_sys::MemoryContextAllocZero(info.fn_mcxt, size_of::<Kept>()).cast();
            pg_sys::fmgr_info_cxt(function, &raw mut (*kept).function, info.fn_mcxt);
            let path = search_path::of_new_session(owner);
            (*kept).path = pg_sys::MemoryContextStrdup(info.fn_mcxt, path.as_ptr());
            info.fn_extra = kept.cast();
        }
        &mut *kept
    }
}

/// # Safety
///
/// The run must be filled in otherwise.
unsafe fn begin(run: &mut Run, owner: pg_sys::Oid, path: &CStr) {
    if role::is_worker() {
        note_user_code();
        time_limit::start_over();
        // SAFETY: a trigger's name is a C string.
        let name = unsafe { CStr::from_ptr(run.trigger.tgname) }.to_string_lossy().into_owned();
        // SAFETY: the relation of a trigger's data is open.
        let table = unsafe { (*run.data.tg_relation).rd_id };
        run.before.runs = RUNS.with_borrow_mut(|runs| {
            runs.push(Trigger { name, table, function: run.trigger.tgfoid });
            runs.len() - 1
        });
    }
    // SAFETY: variables of this process, set back by `finish`, or by the abort of the transaction.
    unsafe {
        pg_sys::GetUserIdAndSecContext(&mut run.before.role, &mut run.before.context);
        run.before.settings = search_path::begin(path);
        pg_sys::SetUserIdAndSecContext(owner, role::context_of_owner(owner, run.before.context));
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn finish(run: *mut Run) {
    // SAFETY: sets back what `begin` set.
    unsafe {
        let before = &(*run).before;
        search_path::end(before.settings);
        pg_sys::SetUserIdAndSecContext(before.role, before.context);
        if role::is_worker() {
            RUNS.with_borrow_mut(|runs| runs.truncate(before.runs));
            time_limit::start_over();
        }
    }
}

fn refuse() -> ! {
    SqlError::new(
        PgSqlErrorCode::ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED,
        "net._run_trigger runs triggers of the extension's tables, and nothing else",
    )
    .raise()
}
