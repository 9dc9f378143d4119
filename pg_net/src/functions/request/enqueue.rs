//! Inserting into the queue, with the rights of its owner and in the name of the caller.

use std::borrow::Cow;

use pgrx::{PgSqlErrorCode, pg_sys};

use super::insert::{self, QueueHandles, Stored, Usual};
use super::row_key_hint;
use crate::hooks::commit;
use crate::pg::SqlError;
use crate::pg::catalog::role::ActAs;
use crate::pg::process::server;
use crate::pg::types::array::Element;
use crate::pg::types::clock::Timestamp;
use crate::pg::types::value::{Label, Value};
use crate::settings;

/// A checked request.
pub(in crate::functions) struct Row<'a> {
    pub(in crate::functions) method: &'a str,
    pub(in crate::functions) url: &'a str,
    /// A jsonb object.
    pub(in crate::functions) headers: Option<Value>,
    pub(in crate::functions) body: Option<&'a [u8]>,
    pub(in crate::functions) timeout_milliseconds: i32,
    /// Whose request it is.
    pub(in crate::functions) caller: pg_sys::Oid,
    /// `None`: one attempt, as soon as may be, at least once.
    pub(in crate::functions) terms: Option<Terms<'a>>,
}

impl Row<'_> {
    fn check_size(&self) -> Result<(), SqlError> {
        let headers = self.headers.map_or(0, Value::size);
        let bytes = self.url.len() + headers + self.body.map_or(0, <[u8]>::len);
        let most = settings::max_request_bytes();
        if bytes <= most {
            return Ok(());
        }
        Err(SqlError::new(
            PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            format!("the request has {bytes} bytes, but pg_net.max_request_bytes is {most}"),
        )
        .hint("URL, headers and body count. An administrator can raise pg_net.max_request_bytes."))
    }
}

/// When and how often a request is sent.
pub(in crate::functions) struct Terms<'a> {
    pub(in crate::functions) max_attempts: i32,
    /// A value of `net.delivery`.
    pub(in crate::functions) delivery: Label,
    pub(in crate::functions) not_before: Option<Timestamp>,
    pub(in crate::functions) idempotency_key: Option<Cow<'a, str>>,
}

/// Inserts the row and gives its id. The worker hears of it when the transaction commits. `None` where a trigger of the queue's owner has
/// made nothing of it: then there is no request.
pub(in crate::functions) fn insert(row: Row) -> Result<Option<i64>, SqlError> {
    if server::is_read_only() {
        return Err(read_only());
    }
    row.check_size()?;
    let queue = QueueHandles::find()?;
    SqlError::without_detail(|| write(row, &queue))?
}

fn write(row: Row, queue: &QueueHandles) -> Result<Option<i64>, SqlError> {
    let _owner = ActAs::new(queue.owner(), 0);
    // Before the sequences are asked: who takes the queue away, as `TRUNCATE … RESTART IDENTITY` does, locks it before them,
    // and in another order two sessions would wait for each other.
    let table = queue.open_queue()?;
    let (id, row_key) = queue.next_numbers();
    commit::expect_key(row_key);
    let terms = row.terms.as_ref();
    let due = terms.and_then(|terms| terms.not_before);
    let usual = Usual {
        id,
        method: queue.method(row.method),
        url: Value::text(row.url),
        headers: row.headers.unwrap_or(Value::null(Element::Jsonb.oid())),
        body: Value::bytea(row.body),
        timeout_milliseconds: Value::int4(row.timeout_milliseconds),
        row_key,
        requested_by: Value::oid(row.caller),
    };
    let terms = terms.map(|terms| insert::Terms {
        delivery: queue.delivery(terms.delivery),
        max_attempts: Value::int4(terms.max_attempts),
        due: Value::timestamp(terms.not_before),
        idempotency_key: Value::text(terms.idempotency_key.as_deref()),
    });
    let Some(stored) = insert::insert(queue, &table, usual, terms, Stored { id, row_key, due }) else {
        return Ok(None);
    };
    commit::note_key(stored.row_key);
    commit::take_last_key();
    row_key_hint::note(stored.id, stored.row_key);
    commit::wake_at_commit();
    if let Some(due) = stored.due {
        commit::note_due(due);
    }
    Ok(Some(stored.id))
}

/// Who owns the queue: whose rights the functions act with.
pub(in crate::functions) fn owner() -> Result<pg_sys::Oid, SqlError> {
    QueueHandles::find().map(|queue| queue.owner())
}

fn read_only() -> SqlError {
    let code = PgSqlErrorCode::ERRCODE_READ_ONLY_SQL_TRANSACTION;
    if server::is_in_recovery() {
        return SqlError::new(code, "cannot make HTTP requests on a standby: it is read-only")
            .hint("Make them on the primary, or promote this server.");
    }
    SqlError::new(code, "cannot make HTTP requests in a read-only transaction")
}
