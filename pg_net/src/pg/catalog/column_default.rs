//! What a column gets that a row does not name.

use std::ffi::{CStr, CString};

use pgrx::pg_sys;

use crate::pg::storage::table::Table;
use crate::pg::types::value::Value;

/// A column's default, as far as it can be had without the executor.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ColumnDefault {
    /// A constant that is passed by value.
    Value(Value),
    Null,
    /// A call of this function, without arguments.
    Call(pg_sys::Oid),
    /// Something else.
    Other,
}

/// The defaults of `N` columns, worked out once and again when they are others.
pub(crate) struct Defaults<const N: usize>([Option<Known>; N]);

struct Known {
    text: CString,
    default: ColumnDefault,
}

impl<const N: usize> Defaults<N> {
    pub(crate) const fn new() -> Self {
        Self([const { None }; N])
    }

    /// The default of the column at a place, counted from 0.
    pub(crate) fn of(&mut self, table: &Table, column: usize) -> ColumnDefault {
        let Some(text) = table.default_text(column) else { return ColumnDefault::Null };
        match &self.0[column] {
            Some(known) if *known.text == *text => known.default,
            _ => {
                let default = work_out(table, column);
                self.0[column] = Some(Known { text: CStr::to_owned(text), default });
                default
            }
        }
    }
}

fn work_out(table: &Table, column: usize) -> ColumnDefault {
    // SAFETY: the relation is open and has the column; the tag of a node tells its type.
    unsafe {
        let node = pg_sys::build_column_default(table.relation(), column as i32 + 1);
        let Some(tag) = node.as_ref().map(|node| node.type_) else { return ColumnDefault::Null };
        match tag {
            pg_sys::NodeTag::T_Const => {
                let constant = &*node.cast::<pg_sys::Const>();
                match (constant.constisnull, constant.constbyval) {
                    (true, _) => ColumnDefault::Null,
                    (false, true) => ColumnDefault::Value(Value::new(constant.consttype, Some(constant.constvalue))),
                    (false, false) => ColumnDefault::Other,
                }
            }
            pg_sys::NodeTag::T_FuncExpr => {
                let call = &*node.cast::<pg_sys::FuncExpr>();
                if call.args.is_null() { ColumnDefault::Call(call.funcid) } else { ColumnDefault::Other }
            }
            _ => ColumnDefault::Other,
        }
    }
}
