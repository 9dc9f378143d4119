//! What a transaction takes out of the queue by statements that are not ours, told to the worker when it commits.
//!
//! A session that deletes from a table tells no other process. Two hooks of Postgres see each statement that could:
//! the check of a statement's permissions, which knows what it deletes from, and that of objects which are dropped or truncated.
//! Neither sees which rows: the worker looks, once for each such transaction, and once for nothing where none was there.

use std::cell::Cell;
use std::ffi::{c_int, c_void};

use pgrx::pg_sys::{ObjectAccessType, SubXactEvent, XactEvent};
use pgrx::{pg_guard, pg_sys};

use crate::pg::catalog::own_tables;
use crate::pg::catalog::{invalidation, relation};
use crate::pg::process::server;
use crate::pg::types::list::cells;
use crate::shmem;

/// What the transaction that runs has done to the queue, with the lowest nesting level of subtransactions at which it has: a
/// rollback of this level undoes it.
#[derive(Clone, Copy)]
struct Noted {
    removed: Option<i32>,
    emptied: Option<i32>,
}

const NOTHING: Noted = Noted { removed: None, emptied: None };

thread_local! {
    static NOTED: Cell<Noted> = const { Cell::new(NOTHING) };
    /// Whether the next statement that deletes from the queue is one of ours.
    static OURS: Cell<bool> = const { Cell::new(false) };
    /// The queue of this database, with the count of changes before it was looked for.
    static QUEUE: Cell<Option<(u64, Option<pg_sys::Oid>)>> = const { Cell::new(None) };
}

/// Puts the hooks in place and registers the callbacks. Called once, while the library is preloaded; backends inherit them.
pub(crate) fn install() {
    // SAFETY: set in the postmaster, before any backend exists, to functions of this library, which is never unloaded.
    unsafe {
        NEXT_CHECK = pg_sys::ExecutorCheckPerms_hook;
        pg_sys::ExecutorCheckPerms_hook = Some(check);
        NEXT_ACCESS = pg_sys::object_access_hook;
        pg_sys::object_access_hook = Some(access);
        pg_sys::RegisterXactCallback(Some(at_end), std::ptr::null_mut());
        pg_sys::RegisterSubXactCallback(Some(at_end_of_level), std::ptr::null_mut());
    }
}

/// Until it is dropped, the next statement that deletes from the queue is not told of: it is one of ours, which the worker knows
/// about. What triggers do in it is theirs.
pub(crate) struct OwnDelete(());

impl OwnDelete {
    pub(crate) fn begin() -> Self {
        OURS.set(true);
        Self(())
    }
}

impl Drop for OwnDelete {
    fn drop(&mut self) {
        OURS.set(false);
    }
}

/// This transaction may take rows out of the queue that are not known here.
pub(crate) fn note() {
    note_at_level(false);
}

fn note_at_level(emptied: bool) {
    // SAFETY: reads a variable of this process.
    let level = unsafe { pg_sys::GetCurrentTransactionNestLevel() };
    let lowest = |noted: Option<i32>| Some(noted.map_or(level, |noted| noted.min(level)));
    let mut noted = NOTED.get();
    noted.removed = lowest(noted.removed);
    if emptied {
        noted.emptied = lowest(noted.emptied);
    }
    NOTED.set(noted);
}

fn is_queue(relation: pg_sys::Oid) -> bool {
    let changes = invalidation::changed_places();
    let queue = match QUEUE.get() {
        Some((found_at, queue)) if found_at == changes => queue,
        _ => {
            let queue = relation::relation_in_net(own_tables::QUEUE);
            QUEUE.set(Some((changes, queue)));
            queue
        }
    };
    queue == Some(relation)
}

static mut NEXT_CHECK: pg_sys::ExecutorCheckPerms_hook_type = None;

/// The hook of permission checks. Every statement of the server that reads or writes a table comes through here. It is passed on
/// from a frame that owns nothing, as the utility hook does it.
unsafe extern "C-unwind" fn check(
    relations: *mut pg_sys::List,
    #[cfg(not(any(feature = "pg13", feature = "pg14", feature = "pg15")))] permissions: *mut pg_sys::List,
    raise: bool,
) -> bool {
    #[cfg(any(feature = "pg13", feature = "pg14", feature = "pg15"))]
    let permissions = relations;
    // SAFETY: Postgres passes the relations of a planned statement with the permissions that it needs; both are passed on as
    // they came, to a hook that was set as ours is.
    unsafe {
        if deletes(permissions) {
            look_for_queue(relations);
        }
        match NEXT_CHECK {
            Some(next) => next(
                relations,
                #[cfg(not(any(feature = "pg13", feature = "pg14", feature = "pg15")))]
                permissions,
                raise,
            ),
            None => true,
        }
    }
}

#[cfg(any(feature = "pg13", feature = "pg14", feature = "pg15"))]
type Permissions = pg_sys::RangeTblEntry;
#[cfg(not(any(feature = "pg13", feature = "pg14", feature = "pg15")))]
type Permissions = pg_sys::RTEPermissionInfo;

/// Whether a statement needs the permission to delete from any table.
///
/// # Safety
///
/// `permissions` must be what Postgres passes to the hook.
unsafe fn deletes(permissions: *const pg_sys::List) -> bool {
    // SAFETY: by the caller's promise.
    unsafe {
        cells(permissions).iter().any(|cell| {
            let needed = (*cell.ptr_value.cast::<Permissions>()).requiredPerms;
            needed & pg_sys::ACL_DELETE as pg_sys::AclMode != 0
        })
    }
}

/// Notes a statement that deletes and has the queue among its relations: as the table that it deletes from, or as a child of that
/// one, for which no permission is asked.
#[pg_guard]
unsafe extern "C-unwind" fn look_for_queue(relations: *mut pg_sys::List) {
    // SAFETY: by the caller's promise a statement's relations.
    let has_queue = unsafe {
        cells(relations).iter().any(|cell| {
            let relation = &*cell.ptr_value.cast::<pg_sys::RangeTblEntry>();
            relation.rtekind == pg_sys::RTEKind::RTE_RELATION && is_queue(relation.relid)
        })
    };
    if has_queue && !OURS.take() {
        note();
    }
}

static mut NEXT_ACCESS: pg_sys::object_access_hook_type = None;

/// The hook of objects: passed on as in [`check`].
unsafe extern "C-unwind" fn access(
    kind: ObjectAccessType::Type,
    class: pg_sys::Oid,
    object: pg_sys::Oid,
    part: c_int,
    argument: *mut c_void,
) {
    // SAFETY: passed on as it came, to a hook that was set as ours is.
    unsafe {
        let is_end = kind == ObjectAccessType::OAT_DROP || kind == ObjectAccessType::OAT_TRUNCATE;
        if is_end && class == pg_sys::RelationRelationId && part == 0 {
            look_at(object, kind == ObjectAccessType::OAT_TRUNCATE);
        }
        if let Some(next) = NEXT_ACCESS {
            next(kind, class, object, part, argument);
        }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn look_at(relation: pg_sys::Oid, truncated: bool) {
    if is_queue(relation) {
        note_at_level(truncated);
    }
}

/// An error here would take the server down: atomics and latches cannot raise.
#[pg_guard]
unsafe extern "C-unwind" fn at_end(event: XactEvent::Type, _argument: *mut c_void) {
    let noted = match event {
        XactEvent::XACT_EVENT_COMMIT => NOTED.replace(NOTHING),
        // After PREPARE it is another session's COMMIT PREPARED that removes the rows; see `utility`.
        XactEvent::XACT_EVENT_ABORT | XactEvent::XACT_EVENT_PREPARE => return NOTED.set(NOTHING),
        _ => return,
    };
    if noted.removed.is_some() {
        shmem::get().remove(server::my_database(), noted.emptied.is_some());
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn at_end_of_level(
    event: SubXactEvent::Type,
    _level: pg_sys::SubTransactionId,
    _above: pg_sys::SubTransactionId,
    _argument: *mut c_void,
) {
    let noted = NOTED.get();
    if noted.removed.is_none() {
        return;
    }
    // SAFETY: reads a variable of this process.
    let level = unsafe { pg_sys::GetCurrentTransactionNestLevel() };
    let left = |noted: Option<i32>| match event {
        SubXactEvent::SUBXACT_EVENT_ABORT_SUB => noted.filter(|&noted| noted < level),
        SubXactEvent::SUBXACT_EVENT_COMMIT_SUB => noted.map(|noted| noted.min(level - 1)),
        _ => noted,
    };
    NOTED.set(Noted { removed: left(noted.removed), emptied: left(noted.emptied) });
}
