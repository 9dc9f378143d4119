//! Commands that concern the worker: those that need a database to themselves, and `COMMIT PREPARED`.

use std::cell::Cell;
use std::ffi::{CStr, c_char};
use std::time::Duration;

use pgrx::pg_guard;
use pgrx::pg_sys::{self, NodeTag};

use crate::{shared, wake};

/// How long the worker may take to leave a database. It leaves at once unless a transaction of its own is stuck, and then
/// Postgres' own wait for other sessions is what reports it.
const LEAVE: Duration = Duration::from_secs(5);

/// Puts the hook in place. Called once, while the library is preloaded.
pub(crate) fn install() {
    // SAFETY: set in the postmaster, before any backend exists.
    unsafe {
        NEXT = pg_sys::ProcessUtility_hook;
        pg_sys::ProcessUtility_hook = Some(run);
    }
}

static mut NEXT: pg_sys::ProcessUtility_hook_type = None;

unsafe extern "C-unwind" {
    // The bare C function. The one that the bindings have turns errors into panics, which loses parts of them.
    fn standard_ProcessUtility(
        statement: *mut pg_sys::PlannedStmt,
        source: *const c_char,
        #[cfg(not(feature = "pg13"))] read_only: bool,
        context: pg_sys::ProcessUtilityContext::Type,
        parameters: pg_sys::ParamListInfo,
        environment: *mut pg_sys::QueryEnvironment,
        destination: *mut pg_sys::DestReceiver,
        completion: *mut pg_sys::QueryCompletion,
    );
}

/// Passes a call of the hook on to whom it would have gone without us.
macro_rules! forward {
    ($statement:ident, $source:ident, $read_only:ident, $($rest:ident),+) => {
        match NEXT {
            Some(next) => next($statement, $source, #[cfg(not(feature = "pg13"))] $read_only, $($rest),+),
            None => standard_ProcessUtility(
                $statement, $source, #[cfg(not(feature = "pg13"))] $read_only, $($rest),+
            ),
        }
    };
}

/// The hook. Every utility command of the server comes through here. It is passed on from a frame that owns nothing, without
/// a guard: an error of the command jumps over it and stays exactly what it was. What we have to do is done before, and
/// undone when the transaction ends.
unsafe extern "C-unwind" fn run(
    statement: *mut pg_sys::PlannedStmt,
    source: *const c_char,
    #[cfg(not(feature = "pg13"))] read_only: bool,
    context: pg_sys::ProcessUtilityContext::Type,
    parameters: pg_sys::ParamListInfo,
    environment: *mut pg_sys::QueryEnvironment,
    destination: *mut pg_sys::DestReceiver,
    completion: *mut pg_sys::QueryCompletion,
) {
    // SAFETY: Postgres passes a planned utility statement; it is passed on as it came, to a hook that was set as ours is.
    unsafe {
        if concerns_worker((*statement).utilityStmt) {
            prepare((*statement).utilityStmt);
        }
        forward!(statement, source, read_only, context, parameters, environment, destination, completion);
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn prepare(node: *mut pg_sys::Node) {
    // SAFETY: the caller passes a utility statement that concerns the worker.
    match unsafe { Command::of(node) } {
        Command::NeedsDatabase(name) => close(&name),
        Command::CommitPrepared => {
            wake::note_any_key();
            wake::wake_at_commit();
        }
        Command::Other => {}
    }
}

/// Whether a command could be one that [`Command`] names. Reads the statement's tag and calls nothing.
///
/// # Safety
///
/// `node` must be a utility statement.
unsafe fn concerns_worker(node: *const pg_sys::Node) -> bool {
    // SAFETY: by the caller's promise; each arm reads the node as what its tag says it is.
    unsafe {
        match (*node).type_ {
            NodeTag::T_DropdbStmt | NodeTag::T_CreatedbStmt => true,
            NodeTag::T_RenameStmt => {
                (*node.cast::<pg_sys::RenameStmt>()).renameType == pg_sys::ObjectType::OBJECT_DATABASE
            }
            NodeTag::T_TransactionStmt => {
                let kind = (*node.cast::<pg_sys::TransactionStmt>()).kind;
                kind == pg_sys::TransactionStmtKind::TRANS_STMT_COMMIT_PREPARED
            }
            _ => false,
        }
    }
}

/// What a command means for the worker.
enum Command {
    /// It cannot run while somebody is connected to this database.
    NeedsDatabase(std::ffi::CString),
    /// It commits what another session, or this one earlier, prepared.
    CommitPrepared,
    Other,
}

impl Command {
    /// # Safety
    ///
    /// `node` must be a utility statement that concerns the worker.
    unsafe fn of(node: *mut pg_sys::Node) -> Self {
        // SAFETY: each arm reads the node as what its tag says it is.
        unsafe {
            match (*node).type_ {
                NodeTag::T_DropdbStmt => Self::needs((*node.cast::<pg_sys::DropdbStmt>()).dbname),
                NodeTag::T_RenameStmt => Self::needs((*node.cast::<pg_sys::RenameStmt>()).subname),
                NodeTag::T_CreatedbStmt => template(&*node.cast::<pg_sys::CreatedbStmt>()),
                NodeTag::T_TransactionStmt => Self::CommitPrepared,
                _ => Self::Other,
            }
        }
    }

    /// # Safety
    ///
    /// `name` must be null or a C string.
    unsafe fn needs(name: *const c_char) -> Self {
        if name.is_null() {
            return Self::Other;
        }
        // SAFETY: by the caller's promise.
        Self::NeedsDatabase(unsafe { CStr::from_ptr(name) }.to_owned())
    }
}

/// The database that CREATE DATABASE copies.
///
/// # Safety
///
/// The statement must come from the parser.
unsafe fn template(statement: &pg_sys::CreatedbStmt) -> Command {
    // SAFETY: the options of the statement are DefElems with C strings for names.
    unsafe {
        let Some(options) = statement.options.as_ref() else { return Command::Other };
        for place in 0..options.length as usize {
            let option = (*options.elements.add(place)).ptr_value.cast::<pg_sys::DefElem>();
            if CStr::from_ptr((*option).defname) == c"template" && !(*option).arg.is_null() {
                return Command::needs(pg_sys::defGetString(option));
            }
        }
    }
    Command::Other
}

thread_local! {
    /// What keeps the worker out of a database while this transaction runs.
    static CLOSED: Cell<Option<shared::Entry>> = const { Cell::new(None) };
}

/// Asks the worker to leave a database, and to stay out until the transaction has ended; waits until it has left. Does
/// nothing where the worker is elsewhere, or where the caller could not run the command anyway.
fn close(name: &CStr) {
    // SAFETY: catalog look-ups within the command's transaction.
    let database = unsafe {
        let database = pg_sys::get_database_oid(name.as_ptr(), true);
        if database == pg_sys::InvalidOid || !may_close(database) {
            return;
        }
        database
    };
    let shared = shared::get();
    if CLOSED.get().is_none() && shared.serving(database).is_some() {
        CLOSED.set(shared.close(database));
        shared.state_changed.wait_at_most(LEAVE, || shared.serving(database).is_none());
    }
}

/// Lets the worker in again. Called when a transaction ends, either way; cannot raise.
pub(crate) fn transaction_ended() {
    if let Some(entry) = CLOSED.take() {
        shared::get().reopen(entry);
    }
}

/// Whether the caller owns the database, or may create databases, as copying a template asks.
///
/// # Safety
///
/// Within a transaction.
unsafe fn may_close(database: pg_sys::Oid) -> bool {
    // SAFETY: catalog look-ups.
    unsafe {
        let user = pg_sys::GetUserId();
        #[cfg(any(feature = "pg13", feature = "pg14", feature = "pg15"))]
        let owns = pg_sys::pg_database_ownercheck(database, user);
        #[cfg(not(any(feature = "pg13", feature = "pg14", feature = "pg15")))]
        let owns = pg_sys::object_ownercheck(pg_sys::DatabaseRelationId, database, user);
        owns || may_create_databases(user)
    }
}

/// Whether a role has CREATEDB. Postgres' own function for it is not in the headers of every minor version.
///
/// # Safety
///
/// Within a transaction.
unsafe fn may_create_databases(role: pg_sys::Oid) -> bool {
    // SAFETY: the row of pg_authid stays valid until it is released, and is read only before.
    unsafe {
        let tuple = pg_sys::SearchSysCache1(pg_sys::SysCacheIdentifier::AUTHOID as i32, role.into());
        if tuple.is_null() {
            return false;
        }
        let may = (*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_authid>()).rolcreatedb;
        pg_sys::ReleaseSysCache(tuple);
        may
    }
}
