//! A table that rows are stored in below the executor, as COPY does it, where that comes to the same as an INSERT.

use std::ffi::CStr;

use pgrx::pg_sys;

use crate::pg::catalog::{relation, schema};

/// An open table, with the lock that an INSERT takes. The lock is kept when it is closed.
pub(crate) struct Table(pg_sys::Relation);

/// What of a table's is passed by where rows are stored below the executor.
#[derive(Clone, Copy)]
pub(crate) enum Passing {
    Nothing,
    /// A trigger that calls this function, which does nothing to such rows.
    Trigger(Option<pg_sys::Oid>),
    /// Triggers and rules of users.
    UserCode,
}

impl Table {
    /// `None` if it is gone.
    pub(crate) fn open(table: pg_sys::Oid) -> Option<Self> {
        // SAFETY: within a transaction; null for a relation that is gone.
        let relation = unsafe { pg_sys::try_relation_open(table, pg_sys::RowExclusiveLock as pg_sys::LOCKMODE) };
        (!relation.is_null()).then(|| Self(relation))
    }

    /// Looks at a table, and leaves no lock: a session that is about to take a stronger one must not hold a weaker one that another session
    /// waits for in turn.
    pub(crate) fn glance<R>(table: pg_sys::Oid, look: impl FnOnce(&Self) -> R) -> Option<R> {
        let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
        // SAFETY: within a transaction; null for a relation that is gone. Closed below, or by the abort after an error.
        unsafe {
            let relation = pg_sys::try_relation_open(table, lock);
            if relation.is_null() {
                return None;
            }
            let open = std::mem::ManuallyDrop::new(Self(relation));
            let result = look(&open);
            pg_sys::relation_close(relation, lock);
            Some(result)
        }
    }

    pub(in crate::pg) fn oid(&self) -> pg_sys::Oid {
        // SAFETY: the relation is open.
        unsafe { (*self.0).rd_id }
    }

    /// Whether it has rows of its own, and is not a view of others'.
    pub(in crate::pg) fn is_table(&self) -> bool {
        // SAFETY: the relation is open.
        unsafe { (*(*self.0).rd_rel).relkind as u8 == pg_sys::RELKIND_RELATION }
    }

    pub(in crate::pg) fn is_heap(&self) -> bool {
        // SAFETY: the relation is open.
        unsafe { (*(*self.0).rd_rel).relam == pg_sys::HEAP_TABLE_AM_OID }
    }

    /// Who owns it.
    pub(crate) fn owner(&self) -> pg_sys::Oid {
        // SAFETY: the relation is open.
        unsafe { (*(*self.0).rd_rel).relowner }
    }

    /// Looks at each trigger.
    pub(crate) fn each_trigger(&self, mut look: impl FnMut(Trigger)) {
        // SAFETY: the relation is open; there are as many triggers as the number says.
        unsafe {
            if let Some(found) = (*self.0).trigdesc.as_ref() {
                (0..found.numtriggers as usize).for_each(|at| look(Trigger(&*found.triggers.add(at))));
            }
        }
    }

    /// Whether there is a rule, which may make something else of a statement.
    pub(crate) fn has_rules(&self) -> bool {
        // SAFETY: the relation is open.
        unsafe { !(*self.0).rd_rules.is_null() }
    }

    /// Whether a statement on the table may run code that is not ours, apart from the expressions of indexes.
    pub(in crate::pg) fn has_code(&self) -> bool {
        // SAFETY: the relation is open; what may be missing is looked at only where it is there.
        unsafe {
            let class = &*(*self.0).rd_rel;
            let computes = (*self.description()).constr.as_ref().is_some_and(|constraints| {
                constraints.num_check > 0
                    || constraints.has_generated_stored
                    || (0..usize::from(constraints.num_defval))
                        .any(|at| i32::from((*constraints.defval.add(at)).adnum) > own_columns(self.oid()))
            });
            let mut has_triggers = false;
            self.each_trigger(|trigger| has_triggers |= trigger.is_users());
            has_triggers || computes || class.relforcerowsecurity || class.relhassubclass || self.has_rules()
        }
    }

    pub(in crate::pg) fn relation(&self) -> pg_sys::Relation {
        self.0
    }

    pub(in crate::pg) fn description(&self) -> pg_sys::TupleDesc {
        // SAFETY: the relation is open.
        unsafe { (*self.0).rd_att }
    }

    /// Whether an INSERT of rows with values of these types, which they have at the places that `is_given` says, would only store
    /// them, but for what is passed by.
    pub(in crate::pg) fn only_stores(
        &self,
        types: &[pg_sys::Oid],
        is_given: impl Fn(usize) -> bool,
        passing: Passing,
    ) -> bool {
        self.is_plain(passing) && self.has_columns(types, is_given)
    }

    /// Whether an INSERT only stores the rows: there is no rule, constraint to check, column to compute, policy for the owner, or
    /// trigger, but for what is passed by.
    fn is_plain(&self, passing: Passing) -> bool {
        // SAFETY: the relation is open; what may be missing is looked at only where it is there.
        unsafe {
            let class = &*(*self.0).rd_rel;
            let constraints = (*self.description()).constr;
            let (mut triggers, mut passed) = (0, 0);
            self.each_trigger(|trigger| {
                triggers += 1;
                passed += i32::from(match passing {
                    Passing::Nothing => false,
                    Passing::Trigger(function) => function == Some(trigger.function()),
                    Passing::UserCode => trigger.is_users(),
                });
            });
            // Of a trigger of ours there is one.
            let has_trigger = triggers != passed || (matches!(passing, Passing::Trigger(_)) && passed > 1);
            let has_rule = self.has_rules() && !matches!(passing, Passing::UserCode);
            class.relkind == pg_sys::RELKIND_RELATION as std::ffi::c_char
                && class.relam == pg_sys::HEAP_TABLE_AM_OID
                && !class.relispartition
                && !class.relforcerowsecurity
                && !has_trigger
                && !has_rule
                && constraints
                    .as_ref()
                    .is_none_or(|constraints| constraints.num_check == 0 && !Self::computes_columns(constraints))
        }
    }

    /// Whether the table has exactly columns of these types, and each that must have a value is given one: `is_given` is asked
    /// with its place.
    fn has_columns(&self, types: &[pg_sys::Oid], is_given: impl Fn(usize) -> bool) -> bool {
        let columns = self.columns();
        columns.len() == types.len()
            && columns.iter().zip(types).enumerate().all(|(place, (column, &wanted))| {
                column.atttypid == wanted && !column.attisdropped && (!column.attnotnull || is_given(place))
            })
    }

    fn columns(&self) -> &[pg_sys::FormData_pg_attribute] {
        // SAFETY: the relation is open; there are as many columns as `natts` says.
        unsafe {
            let description = self.description();
            let count = (*description).natts as usize;
            #[cfg(not(feature = "pg18"))]
            let first = (*description).attrs.as_ptr();
            // Behind as many shorter ones (tupdesc.h: TupleDescAttrAddress).
            #[cfg(feature = "pg18")]
            let first = (&raw const (*description).compact_attrs).cast::<pg_sys::CompactAttribute>().add(count).cast();
            std::slice::from_raw_parts(first, count)
        }
    }

    /// Whether a column is computed: stored, or since Postgres 18 when it is read.
    fn computes_columns(constraints: &pg_sys::TupleConstr) -> bool {
        #[cfg(feature = "pg18")]
        if constraints.has_generated_virtual {
            return true;
        }
        constraints.has_generated_stored
    }

    /// The default of a column, counted from 0, as the catalog has it.
    pub(in crate::pg) fn default_text(&self, column: usize) -> Option<&CStr> {
        // SAFETY: the relation is open; there are as many defaults as the count says, each a C string.
        unsafe {
            let constraints = (*self.description()).constr.as_ref()?;
            (0..usize::from(constraints.num_defval))
                .map(|at| &*constraints.defval.add(at))
                .find(|default| default.adnum as usize == column + 1)
                .map(|default| CStr::from_ptr(default.adbin))
        }
    }
}

/// A trigger of a table that is open.
#[derive(Clone, Copy)]
pub(crate) struct Trigger<'a>(&'a pg_sys::Trigger);

impl Trigger<'_> {
    pub(crate) fn name(self) -> String {
        // SAFETY: a trigger's name is a C string.
        unsafe { CStr::from_ptr(self.0.tgname) }.to_string_lossy().into_owned()
    }

    /// The function that it runs.
    pub(crate) fn function(self) -> pg_sys::Oid {
        self.0.tgfoid
    }

    /// Whether it fires at an event: one of `TRIGGER_TYPE_…`.
    pub(crate) fn fires_at(self, event: u32) -> bool {
        self.0.tgtype as u32 & event != 0
    }

    /// Whether it is not ours, nor the server's own.
    pub(crate) fn is_users(self) -> bool {
        is_users(self.0)
    }
}

/// Whether a trigger is not ours, nor the server's own. The owner of a function of ours may have replaced it.
pub(crate) fn is_users(trigger: &pg_sys::Trigger) -> bool {
    const DISABLED: std::ffi::c_char = b'D' as std::ffi::c_char;
    let ours = [c"_assign_row_key", c"_settings_changed"];
    let is_ours = |name| relation::function_in_net(name) == Some(trigger.tgfoid);
    !trigger.tgisinternal
        && trigger.tgenabled != DISABLED
        && !(ours.into_iter().any(is_ours) && relation::is_in_c(trigger.tgfoid))
}

/// How many columns the extension gives its tables that rows are stored in without being asked.
fn own_columns(table: pg_sys::Oid) -> i32 {
    let count = match relation::name(table).as_str() {
        "http_request_queue" => schema::queue::COUNT,
        "_http_response" => schema::response::COUNT + 1,
        "dead_letter" => schema::dead_letter::COUNT + 1,
        _ => i16::MAX as usize,
    };
    count as i32
}

impl Drop for Table {
    fn drop(&mut self) {
        // After an error the abort closes it.
        if !std::thread::panicking() {
            // SAFETY: opened by `open`.
            unsafe { pg_sys::relation_close(self.0, pg_sys::NoLock as pg_sys::LOCKMODE) };
        }
    }
}
