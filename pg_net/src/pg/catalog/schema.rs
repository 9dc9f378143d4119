//! The columns of the tables that rows are stored in: each stands here once, in the order of the table.
//!
//! Statements, types and numbers follow from these lists, and the compiler asks for a new column wherever a row is made. A test
//! compares them with the catalog.

use std::ffi::{CStr, CString};

use crate::pg::types::array::Element;
use crate::pg::types::value::Value;

/// Names and number of columns, and a struct with a value for each.
macro_rules! columns {
    ($($column:ident),+) => {
        pub(crate) const COUNT: usize = [$(stringify!($column)),+].len();
        pub(crate) const NAMES: [&str; COUNT] = [$(stringify!($column)),+];

        /// The places of the columns, counted from 0.
        #[allow(non_camel_case_types, dead_code)]
        #[derive(Clone, Copy)]
        pub(crate) enum At {
            $($column),+
        }

        /// A value for each column.
        #[derive(Clone, Copy)]
        pub(crate) struct Row {
            $(pub(crate) $column: Value),+
        }

        /// The names of some of them.
        #[allow(dead_code)]
        pub(crate) const fn names<const N: usize>(columns: [At; N]) -> [&'static str; N] {
            let mut names = [""; N];
            let mut place = 0;
            while place < N {
                names[place] = NAMES[columns[place] as usize];
                place += 1;
            }
            names
        }

        impl Row {
            /// The values in the order of the columns.
            pub(crate) fn values(self) -> [Value; COUNT] {
                [$(self.$column),+]
            }
        }
    };
}

/// The same, with the types of the columns.
macro_rules! typed_columns {
    ($($column:ident: $element:ident),+ $(,)?) => {
        columns!($($column),+);

        pub(crate) const ELEMENTS: [Element; COUNT] = [$(Element::$element),+];

        #[allow(dead_code)]
        impl Row {
            /// A row of these values, which must have the types of the columns.
            pub(crate) fn new([$($column),+]: [Value; COUNT]) -> Self {
                Self { $($column),+ }
            }

            /// A null in each column.
            pub(crate) fn nulls() -> Self {
                Self { $($column: Value::null(Element::$element.oid())),+ }
            }
        }
    };
}

/// `net.http_request_queue`. `method` and `delivery` have types of the extension's own, the others are plain.
pub(crate) mod queue {
    use super::Value;

    columns!(
        id,
        method,
        url,
        headers,
        body,
        timeout_milliseconds,
        row_key,
        requested_by,
        delivery,
        max_attempts,
        attempts,
        due,
        idempotency_key,
        made_in
    );
}

/// `net._http_response`, but for its column `created`.
pub(crate) mod response {
    use super::{Element, Value};

    /// Where `created` stands among the columns of the table.
    pub(crate) const CREATED: usize = 7;

    typed_columns! {
        id: Int8,
        status_code: Int4,
        content_type: Text,
        headers: Jsonb,
        content: Text,
        timed_out: Bool,
        error_msg: Text,
        content_bytes: Bytea,
        requested_by: Oid,
        method: Text,
        url: Text,
        attempts: Int4,
        elapsed_ms: Float4,
        dns_ms: Float4,
        handshake_ms: Float4,
        exchange_ms: Float4,
        redirects: Int4,
        remote_address: Text,
        protocol: Text,
        error_kind: Text,
        error_detail: Text,
    }
}

/// `net.dead_letter`, but for its column `created`, the last one.
pub(crate) mod dead_letter {
    use super::Value;

    columns!(
        id,
        method,
        url,
        headers,
        body,
        timeout_milliseconds,
        requested_by,
        max_attempts,
        attempts,
        idempotency_key,
        status_code,
        content_type,
        response_headers,
        content,
        content_bytes,
        timed_out,
        error_msg,
        error_kind,
        error_detail
    );
}

/// What `net._held_response` has beside the columns of a response.
pub(crate) mod held {
    use super::{Element, Value};

    typed_columns! {
        row_key: Int8,
        failures: Int4,
        slow: Bool,
        due: Timestamp,
        last_error: Text,
    }
}

/// `$1, $2, …`
fn parameters(count: usize) -> String {
    (1..=count).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ")
}

/// A statement of pieces, made once in a process.
pub(crate) fn statement(text: String) -> &'static CStr {
    Box::leak(CString::new(text).expect("a statement holds no NUL").into_boxed_c_str())
}

/// Stores a row.
pub(crate) fn insert_one(table: &str, columns: &[&str], and: &str) -> &'static CStr {
    let (names, values) = (columns.join(", "), parameters(columns.len()));
    statement(format!("insert into net.{table} ({names}) values ({values}){and}"))
}

/// Stores many rows at once: an array a column.
pub(crate) fn insert_many(table: &str, columns: &[&str]) -> &'static CStr {
    let (names, values) = (columns.join(", "), parameters(columns.len()));
    statement(format!("insert into net.{table} ({names}) select * from unnest({values})"))
}
