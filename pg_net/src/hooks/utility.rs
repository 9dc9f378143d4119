//! Commands that concern the workers: those that need a database to themselves, those that let connections into one, those that
//! change what its sessions are given, and `COMMIT PREPARED`; and those that would stop all requests: LOCK, TRUNCATE
//! and some that maintain tables, on ours.

#[cfg(any(feature = "pg17", feature = "pg18"))]
mod maintenance;

use std::cell::Cell;
use std::ffi::{CStr, CString, c_char};
use std::ptr;
use std::time::Duration;

use pgrx::pg_guard;
use pgrx::pg_sys::{self, NodeTag};

use super::{access, commit, removals};
#[cfg(any(feature = "pg17", feature = "pg18"))]
use crate::pg::SqlError;
use crate::pg::catalog::database;
#[cfg(any(feature = "pg17", feature = "pg18"))]
use crate::pg::catalog::own_tables;
use crate::pg::types::list::cells;
use crate::user_code::commands;
use crate::{settings, shmem};
#[cfg(any(feature = "pg17", feature = "pg18"))]
use maintenance::Maintained;

/// How long a worker may take to leave a database. It leaves at once unless a transaction of its own is stuck, and then
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
        if concerns_us((*statement).utilityStmt) {
            prepare((*statement).utilityStmt);
        }
        forward!(statement, source, read_only, context, parameters, environment, destination, completion);
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn prepare(node: *mut pg_sys::Node) {
    // SAFETY: the caller passes a utility statement that concerns us.
    match unsafe { Command::of(node) } {
        Command::NeedsDatabase(name) => block(&name),
        Command::AllowsConnections(name) => visit(&name),
        Command::Defaults(None) => commit::change_defaults_at_commit(None),
        Command::Defaults(Some(name)) => {
            if let Some(database) = oid(&name) {
                commit::change_defaults_at_commit(Some(database));
            }
        }
        Command::CommitPrepared => {
            commit::note_any_key();
            commit::wake_at_commit();
            removals::note();
        }
        Command::Locks(relations, mode) => access::check_lock(&relations, mode).unwrap_or_else(|error| error.raise()),
        Command::Truncates(relations) => {
            access::check_truncate(&relations).unwrap_or_else(|error| error.raise());
            commands::check_truncate(&relations);
        }
        Command::CopiesInto(relation) => commands::check_copy(relation),
        #[cfg(any(feature = "pg17", feature = "pg18"))]
        Command::Maintains(maintained) => check_maintenance(maintained).unwrap_or_else(|error| error.raise()),
        Command::Other => {}
    }
}

#[cfg(any(feature = "pg17", feature = "pg18"))]
fn check_maintenance(maintained: Maintained) -> Result<(), SqlError> {
    match maintained {
        Maintained::All => access::check_maintenance(&own_tables::all()),
        Maintained::Tables(tables) => access::check_maintenance(&tables),
    }
}

/// Whether a command could be one that [`Command`] names. Reads the statement's tag and calls nothing.
///
/// # Safety
///
/// `node` must be a utility statement.
unsafe fn concerns_us(node: *const pg_sys::Node) -> bool {
    // SAFETY: by the caller's promise; each arm reads the node as what its tag says it is.
    unsafe {
        match (*node).type_ {
            NodeTag::T_DropdbStmt | NodeTag::T_CreatedbStmt | NodeTag::T_AlterDatabaseStmt => true,
            NodeTag::T_LockStmt | NodeTag::T_TruncateStmt => true,
            #[cfg(any(feature = "pg17", feature = "pg18"))]
            _ if maintenance::may_be(node) => true,
            NodeTag::T_CopyStmt => {
                let copy = &*node.cast::<pg_sys::CopyStmt>();
                copy.is_from && !copy.relation.is_null()
            }
            NodeTag::T_AlterDatabaseSetStmt | NodeTag::T_AlterRoleSetStmt => true,
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

/// What a command means for us.
enum Command {
    /// It cannot run while a session is connected to this database.
    NeedsDatabase(CString),
    /// It may let connections into this database.
    AllowsConnections(CString),
    /// It may change whether sessions of this database, or of all, write.
    Defaults(Option<CString>),
    /// It commits what another session, or this one earlier, prepared.
    CommitPrepared,
    /// It locks these relations in a mode.
    Locks(Vec<pg_sys::Oid>, pg_sys::LOCKMODE),
    /// It truncates these relations.
    Truncates(Vec<pg_sys::Oid>),
    /// It copies rows into this relation.
    CopiesInto(pg_sys::Oid),
    /// It maintains tables and stops others meanwhile.
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    Maintains(Maintained),
    Other,
}

impl Command {
    /// # Safety
    ///
    /// `node` must be a utility statement that concerns us.
    unsafe fn of(node: *mut pg_sys::Node) -> Self {
        // SAFETY: each arm reads the node as what its tag says it is.
        unsafe {
            match (*node).type_ {
                NodeTag::T_DropdbStmt => Self::needs((*node.cast::<pg_sys::DropdbStmt>()).dbname),
                NodeTag::T_RenameStmt => Self::needs((*node.cast::<pg_sys::RenameStmt>()).subname),
                NodeTag::T_CreatedbStmt => Self::of_create(&*node.cast::<pg_sys::CreatedbStmt>()),
                NodeTag::T_AlterDatabaseStmt => Self::of_alter(&*node.cast::<pg_sys::AlterDatabaseStmt>()),
                NodeTag::T_AlterDatabaseSetStmt => {
                    let statement = &*node.cast::<pg_sys::AlterDatabaseSetStmt>();
                    Self::of_defaults(statement.setstmt, statement.dbname, ptr::null())
                }
                NodeTag::T_AlterRoleSetStmt => {
                    let statement = &*node.cast::<pg_sys::AlterRoleSetStmt>();
                    Self::of_defaults(statement.setstmt, statement.database, statement.role)
                }
                NodeTag::T_TransactionStmt => Self::CommitPrepared,
                NodeTag::T_LockStmt => {
                    let lock = &*node.cast::<pg_sys::LockStmt>();
                    Self::Locks(relations(lock.relations), lock.mode)
                }
                NodeTag::T_TruncateStmt => Self::Truncates(relations((*node.cast::<pg_sys::TruncateStmt>()).relations)),
                NodeTag::T_CopyStmt => {
                    relation((*node.cast::<pg_sys::CopyStmt>()).relation).map_or(Self::Other, Self::CopiesInto)
                }
                #[cfg(any(feature = "pg17", feature = "pg18"))]
                _ if maintenance::may_be(node) => Maintained::by(node).map_or(Self::Other, Self::Maintains),
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

    /// ALTER DATABASE and ALTER ROLE with SET or RESET. What other roles than the workers' are given does not concern these.
    ///
    /// # Safety
    ///
    /// The setting and the role must come from the parser, the database's name must be null or a C string. No role is all roles.
    unsafe fn of_defaults(
        setting: *const pg_sys::VariableSetStmt,
        database: *const c_char,
        role: *const pg_sys::RoleSpec,
    ) -> Self {
        // SAFETY: by the caller's promise; RESET ALL has no name.
        unsafe {
            let name = (*setting).name;
            let is_ours = name.is_null()
                || CStr::from_ptr(name).to_bytes().eq_ignore_ascii_case(b"default_transaction_read_only");
            let workers = || database::role(settings::username().as_deref());
            if !is_ours || (!role.is_null() && pg_sys::get_rolespec_oid(role, true) != workers()) {
                return Self::Other;
            }
            Self::Defaults((!database.is_null()).then(|| CStr::from_ptr(database).to_owned()))
        }
    }

    /// CREATE DATABASE needs the database that it copies.
    ///
    /// # Safety
    ///
    /// The statement must come from the parser.
    unsafe fn of_create(statement: &pg_sys::CreatedbStmt) -> Self {
        // SAFETY: by the caller's promise.
        unsafe {
            match option(statement.options, c"template") {
                Some(template) => Self::needs(pg_sys::defGetString(template)),
                None => Self::NeedsDatabase(c"template1".to_owned()),
            }
        }
    }

    /// ALTER DATABASE needs the database to move it, and may let connections in.
    ///
    /// # Safety
    ///
    /// The statement must come from the parser.
    unsafe fn of_alter(statement: &pg_sys::AlterDatabaseStmt) -> Self {
        // SAFETY: by the caller's promise.
        unsafe {
            if option(statement.options, c"tablespace").is_some() {
                return Self::needs(statement.dbname);
            }
            match option(statement.options, c"allow_connections") {
                Some(_) => Self::AllowsConnections(CStr::from_ptr(statement.dbname).to_owned()),
                None => Self::Other,
            }
        }
    }
}

/// The relations that a list in a statement names, but for those that are not there.
///
/// # Safety
///
/// `names` must be null or a list of RangeVars, as the parser makes it.
unsafe fn relations(names: *const pg_sys::List) -> Vec<pg_sys::Oid> {
    // SAFETY: by the caller's promise.
    unsafe { cells(names).iter().filter_map(|name| relation(name.ptr_value.cast())).collect() }
}

/// The relation that a statement names, if it is there.
///
/// # Safety
///
/// `name` must be a RangeVar, as the parser makes it.
unsafe fn relation(name: *const pg_sys::RangeVar) -> Option<pg_sys::Oid> {
    // Who has no right to a relation must not wait for it, so it is not locked here.
    let (no_lock, missing_ok) = (pg_sys::NoLock as pg_sys::LOCKMODE, pg_sys::RVROption::RVR_MISSING_OK);
    // SAFETY: by the caller's promise.
    let relation = unsafe { pg_sys::RangeVarGetRelidExtended(name, no_lock, missing_ok, None, std::ptr::null_mut()) };
    (relation != pg_sys::InvalidOid).then_some(relation)
}

/// An option of a statement, if it is there and has a value.
///
/// # Safety
///
/// `options` must be null or a list of DefElems, as the parser makes it.
unsafe fn option(options: *const pg_sys::List, name: &CStr) -> Option<*mut pg_sys::DefElem> {
    // SAFETY: by the caller's promise; the names are C strings.
    unsafe {
        cells(options)
            .iter()
            .map(|option| option.ptr_value.cast::<pg_sys::DefElem>())
            .find(|&option| CStr::from_ptr((*option).defname) == name && !(*option).arg.is_null())
    }
}

thread_local! {
    /// What keeps workers out of databases while this transaction runs.
    static BLOCKED: Cell<Vec<shmem::Block>> = const { Cell::new(Vec::new()) };
}

/// Asks the worker of a database to leave, and all to stay out until the transaction has ended; waits until it has left.
/// Does nothing where the caller could not run the command anyway.
fn block(name: &CStr) {
    // SAFETY: catalog look-ups within the command's transaction.
    let database = unsafe {
        let database = pg_sys::get_database_oid(name.as_ptr(), true);
        if database == pg_sys::InvalidOid || !may_block(database) {
            return;
        }
        database
    };
    let shared = shmem::get();
    let mut blocked = BLOCKED.take();
    blocked.extend(shared.block(database));
    BLOCKED.set(blocked);
    shared.state_changed.wait_at_most(LEAVE, || !shared.may_be_entered(database));
}

/// Has a visitor look whether a database has requests that wait when the transaction has committed.
fn visit(name: &CStr) {
    if let Some(database) = oid(name) {
        commit::visit_at_commit(database);
    }
}

fn oid(name: &CStr) -> Option<pg_sys::Oid> {
    // SAFETY: a catalog look-up within the command's transaction.
    let database = unsafe { pg_sys::get_database_oid(name.as_ptr(), true) };
    (database != pg_sys::InvalidOid).then_some(database)
}

/// Lets workers in again. Called when a transaction ends, either way; cannot raise.
pub(crate) fn transaction_ended() {
    for block in BLOCKED.take() {
        shmem::get().unblock(block);
    }
}

/// Whether the caller owns the database, or may create databases, as copying a template asks.
///
/// # Safety
///
/// Within a transaction.
unsafe fn may_block(database: pg_sys::Oid) -> bool {
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
