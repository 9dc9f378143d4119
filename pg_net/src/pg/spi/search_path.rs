//! The search path that a new session of a role would have in this database, for code that runs with the role's rights.
//!
//! Neither the path of the session that runs it will do, nor what that session would go back to with RESET: both are the
//! caller's, who may have connected with options of his own.

use std::cell::RefCell;
use std::ffi::{CStr, CString};

use pgrx::pg_sys;

use super::plan::{Access, Plan, Session};
use crate::pg::catalog::role::{self, ActAs};
use crate::pg::types::text;

/// What Postgres has where nothing else says.
const BUILT_IN: &CStr = c"\"$user\", public";

thread_local! {
    static FILES: RefCell<Files> = const {
        RefCell::new(Files {
            read_at: None,
            path: None,
            read: Plan::new(
                c"select setting from pg_catalog.pg_show_all_file_settings() \
                  where name operator(pg_catalog.=) 'search_path' and applied order by seqno desc limit 1",
            ),
        })
    };
}

/// The configuration files, as far as they have a search path.
struct Files {
    /// When this process had last read its configuration when they were read.
    read_at: Option<pg_sys::TimestampTz>,
    path: Option<CString>,
    read: Plan,
}

/// The path of a new session of a role, as the text of the setting.
///
/// In a user's session, what is temporary there comes last: the caller's temporary tables must not take the place of the role's.
pub(crate) fn of_new_session(role: pg_sys::Oid) -> CString {
    let here = crate::pg::process::server::my_database();
    let none = pg_sys::InvalidOid;
    let path = [(here, role), (none, role), (here, none), (none, none)]
        .into_iter()
        .find_map(|(database, role)| stored(database, role))
        .or_else(in_files)
        .unwrap_or_else(|| BUILT_IN.to_owned());
    if role::is_worker() || memchr::memmem::find(path.as_bytes(), b"pg_temp").is_some() {
        return path;
    }
    let mut path = path.into_bytes();
    if !path.iter().all(u8::is_ascii_whitespace) {
        path.extend(b", ");
    }
    path.extend(b"pg_temp");
    CString::new(path).expect("parts without a NUL")
}

/// What ALTER ROLE … SET and ALTER DATABASE … SET have stored for a database and a role; invalid stands for all.
fn stored(database: pg_sys::Oid, role: pg_sys::Oid) -> Option<CString> {
    /// Not among the bindings of every version.
    const CATALOG: pg_sys::Oid = pg_sys::Oid::from_u32(2964);
    const INDEX: pg_sys::Oid = pg_sys::Oid::from_u32(2965);
    let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
    // SAFETY: a scan of a shared catalog by its index on these two columns, within a transaction; the row is read before the scan ends.
    unsafe {
        let catalog = pg_sys::table_open(CATALOG, lock);
        let mut keys: [pg_sys::ScanKeyData; 2] = std::mem::zeroed();
        for (place, (key, value)) in keys.iter_mut().zip([database, role]).enumerate() {
            pg_sys::ScanKeyInit(
                key,
                place as pg_sys::AttrNumber + 1,
                pg_sys::BTEqualStrategyNumber as pg_sys::StrategyNumber,
                pg_sys::Oid::from_u32(pg_sys::F_OIDEQ),
                value.into(),
            );
        }
        let scan = pg_sys::systable_beginscan(catalog, INDEX, true, std::ptr::null_mut(), 2, keys.as_mut_ptr());
        let row = pg_sys::systable_getnext(scan);
        let mut is_null = true;
        let settings = if row.is_null() {
            pg_sys::Datum::null()
        } else {
            pg_sys::SPI_getbinval(row, (*catalog).rd_att, 3, &mut is_null)
        };
        let path = if is_null { None } else { path_among(settings) };
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(catalog, lock);
        path
    }
}

/// # Safety
///
/// `settings` must be a text[] of settings, as the catalog has them: `name=value`.
unsafe fn path_among(settings: pg_sys::Datum) -> Option<CString> {
    let (mut values, mut nulls, mut count) = (std::ptr::null_mut(), std::ptr::null_mut(), 0);
    // SAFETY: by the caller's promise; the shape is that of text in pg_type. The elements live as long as the array.
    unsafe {
        let array = pg_sys::pg_detoast_datum(settings.cast_mut_ptr()).cast::<pg_sys::ArrayType>();
        let alignment = pg_sys::TYPALIGN_INT as std::ffi::c_char;
        pg_sys::deconstruct_array(array, pg_sys::TEXTOID, -1, false, alignment, &mut values, &mut nulls, &mut count);
        (0..count as usize)
            .filter(|&place| !*nulls.add(place))
            .filter_map(|place| text::bytes_of(*values.add(place)).strip_prefix(b"search_path="))
            .find_map(|path| CString::new(path).ok())
    }
}

/// What the configuration files have. Read with the rights that it takes, and again when this process has read its configuration again.
fn in_files() -> Option<CString> {
    FILES.with_borrow_mut(|files| {
        // SAFETY: a variable of this process.
        let loaded_at = unsafe { pg_sys::PgReloadTime };
        if files.read_at != Some(loaded_at) {
            let _superuser =
                ActAs::new(pg_sys::Oid::from_u32(pg_sys::BOOTSTRAP_SUPERUSERID), pg_sys::SECURITY_RESTRICTED_OPERATION);
            let session = Session::connect();
            let rows = session.run(&files.read, Access::Read, []);
            let path = (rows.count() > 0).then(|| rows.row::<1>(0)).and_then(|row| CString::new(row.bytes(0)?).ok());
            drop(session);
            files.path = path;
            files.read_at = Some(loaded_at);
        }
        files.path.clone()
    })
}

/// Has the path of a new session of a role in force until dropped.
pub(crate) struct SearchPath {
    level: i32,
}

impl SearchPath {
    pub(crate) fn of(role: pg_sys::Oid) -> Self {
        let path = of_new_session(role);
        // SAFETY: a level of settings of its own, as a function with a SET clause has one; `Drop`, or an abort, ends it.
        let level = unsafe { begin(&path) };
        Self { level }
    }
}

impl Drop for SearchPath {
    fn drop(&mut self) {
        // After an error the abort ends it.
        if !std::thread::panicking() {
            // SAFETY: begun by `of`.
            unsafe { end(self.level) };
        }
    }
}

/// Puts a path in force. The level to [`end`] is the result.
///
/// # Safety
///
/// Within a transaction; levels nest.
pub(crate) unsafe fn begin(path: &CStr) -> i32 {
    // SAFETY: a C string that is copied.
    unsafe {
        let level = pg_sys::NewGUCNestLevel();
        pg_sys::set_config_option(
            c"search_path".as_ptr(),
            path.as_ptr(),
            pg_sys::GucContext::PGC_USERSET,
            pg_sys::GucSource::PGC_S_SESSION,
            pg_sys::GucAction::GUC_ACTION_SAVE,
            true,
            0,
            false,
        );
        level
    }
}

/// Has the path of before in force again.
///
/// # Safety
///
/// `level` must come from [`begin`].
pub(crate) unsafe fn end(level: i32) {
    // SAFETY: by the caller's promise.
    unsafe { pg_sys::AtEOXact_GUC(true, level) };
}
