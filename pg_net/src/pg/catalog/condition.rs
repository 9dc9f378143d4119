//! Conditions on the rows of a table, as expressions that the planner takes.
//!
//! They are made of Postgres' own functions alone: a function of ours would ask each role for EXECUTE, which an administrator may
//! have revoked.

use std::ffi::CStr;

use pgrx::pg_sys;

use super::expression::{list_of, node, setting_read};
use crate::pg::types::text;

/// The built-in function `pg_has_role(oid, text)`.
const PG_HAS_ROLE: u32 = 2710;
/// The built-in function `texteq(text, text)`.
const TEXTEQ: u32 = pg_sys::F_TEXTEQ;

/// A condition on a row, in the current memory context.
pub(crate) struct Condition(*mut pg_sys::Expr);

/// A column of type oid, of the table that the condition is about.
#[derive(Clone, Copy)]
pub(crate) struct OidColumn(pg_sys::AttrNumber);

impl OidColumn {
    /// `None` where the table has no such column.
    pub(crate) fn of(table: pg_sys::Oid, name: &CStr) -> Option<Self> {
        // SAFETY: catalog look-ups within a transaction; a missing column gives number 0.
        unsafe {
            let number = pg_sys::get_attnum(table, name.as_ptr());
            (number > 0 && pg_sys::get_atttype(table, number) == pg_sys::OIDOID).then_some(Self(number))
        }
    }

    fn expression(self) -> *mut pg_sys::Var {
        // SAFETY: makes a node: a column of the one table that there is.
        unsafe { pg_sys::makeVar(1, self.0, pg_sys::OIDOID, -1, pg_sys::InvalidOid, 0) }
    }
}

impl Condition {
    /// The column is null.
    pub(crate) fn is_null(column: OidColumn) -> Self {
        // SAFETY: a node made whole, of one made whole.
        unsafe {
            let test = node::<pg_sys::NullTest>(pg_sys::NodeTag::T_NullTest);
            (*test).arg = column.expression().cast();
            (*test).nulltesttype = pg_sys::NullTestType::IS_NULL;
            (*test).location = -1;
            Self(test.cast())
        }
    }

    /// Who runs the statement has the rights of the role in the column, as it stands when the row is met.
    pub(crate) fn has_role_in(column: OidColumn) -> Self {
        Self::has_role(column.expression().cast())
    }

    /// Who runs the statement has the rights of a role.
    #[cfg(not(feature = "pg13"))]
    pub(crate) fn has_rights_of(role: pg_sys::Oid) -> Self {
        // SAFETY: makes a node.
        Self::has_role(
            unsafe { pg_sys::makeConst(pg_sys::OIDOID, -1, pg_sys::InvalidOid, 4, role.into(), false, true) }.cast(),
        )
    }

    fn has_role(role: *mut pg_sys::Node) -> Self {
        call(PG_HAS_ROLE, [role, text_constant(c"usage")])
    }

    /// A setting is `on`, as it stands when the row is met.
    pub(crate) fn setting_is_on(setting: &CStr) -> Self {
        call(TEXTEQ, [setting_read(setting).cast(), text_constant(c"on")])
    }

    /// One of these holds; `None` where there is none.
    pub(crate) fn any_of(conditions: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut list = std::ptr::null_mut();
        for Self(condition) in conditions {
            // SAFETY: a list of nodes, or none yet.
            list = unsafe { pg_sys::lappend(list, condition.cast()) };
        }
        // SAFETY: makes a node of the list.
        (!list.is_null()).then(|| Self(unsafe { pg_sys::makeBoolExpr(pg_sys::BoolExprType::OR_EXPR, list, -1) }))
    }

    pub(in crate::pg) fn expression(self) -> *mut pg_sys::Expr {
        self.0
    }
}

fn text_constant(value: &CStr) -> *mut pg_sys::Node {
    // SAFETY: makes a node with a text of its own.
    unsafe {
        let value = text::varlena(value.to_bytes());
        pg_sys::makeConst(pg_sys::TEXTOID, -1, pg_sys::DEFAULT_COLLATION_OID, -1, value, false, false).cast()
    }
}

/// A call of a built-in function that tells whether something holds.
fn call(function: u32, arguments: [*mut pg_sys::Node; 2]) -> Condition {
    // SAFETY: makes a node of nodes made whole.
    let call = unsafe {
        pg_sys::makeFuncExpr(
            pg_sys::Oid::from(function),
            pg_sys::BOOLOID,
            list_of(arguments),
            pg_sys::InvalidOid,
            pg_sys::DEFAULT_COLLATION_OID,
            pg_sys::CoercionForm::COERCE_EXPLICIT_CALL,
        )
    };
    Condition(call.cast())
}
