//! The roles that `net.restore_open_access` has opened the tables to.

use std::cell::RefCell;
use std::ffi::{CStr, CString};

use pgrx::{GucSetting, pg_sys};

use crate::pg::catalog::invalidation::{self, Watched};
use crate::pg::catalog::own_tables;
use crate::pg::catalog::{relation, role, scan};
use crate::pg::process::guc::{define_question, show_hook};
use crate::pg::process::server;

/// A setting that tells the role which reads it whether the tables are open to it: conditions on rows are made of Postgres' own
/// functions, and can read a setting.
pub(in crate::hooks::access) const SETTING: &CStr = c"pg_net.open_access";

thread_local! {
    static OPENED: RefCell<Opened> = const { RefCell::new(Opened { read_at: None, roles: Vec::new(), last: None }) };
}

/// The roles as this process last read them.
struct Opened {
    /// The count of changes before they were read.
    read_at: Option<u64>,
    /// None stands for all roles.
    roles: Vec<Option<pg_sys::Oid>>,
    /// The role that was asked about last, and the answer.
    last: Option<(pg_sys::Oid, bool)>,
}

/// Whether the tables are open to the current role. Within a transaction.
pub(in crate::hooks::access) fn is_open() -> bool {
    let current = role::current();
    OPENED.with_borrow_mut(|opened| {
        let changes = invalidation::count();
        if opened.read_at != Some(changes) {
            let table =
                relation::relation_in_net(own_tables::OPEN_ACCESS).filter(|&table| relation::is_extensions(table));
            invalidation::watch(Watched::OpenAccess, table.unwrap_or(pg_sys::InvalidOid));
            *opened = Opened { read_at: Some(changes), roles: table.map_or_else(Vec::new, scan::oids), last: None };
        }
        if let Some((_, is_open)) = opened.last.filter(|&(asked, _)| asked == current) {
            return is_open;
        }
        let is_open =
            opened.roles.iter().any(|opened| opened.is_none_or(|opened| role::has_rights_of(current, opened)));
        opened.last = Some((current, is_open));
        is_open
    })
}

/// Makes the setting known.
pub(in crate::hooks::access) fn define() {
    static NOTHING: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
    define_question(
        SETTING,
        c"Whether net.restore_open_access has opened the tables to the role that reads this.",
        &NOTHING,
        show_hook!(show),
    );
}

fn show() -> &'static CStr {
    if server::is_in_transaction() && is_open() { c"on" } else { c"off" }
}
