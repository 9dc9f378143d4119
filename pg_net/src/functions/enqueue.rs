//! Inserting into the queue, with the rights of its owner and in the name of the caller.

use std::borrow::Cow;
use std::cell::Cell;

use pgrx::{PgSqlErrorCode, pg_sys};

use super::whereabouts;
use crate::pg::clock::Timestamp;
use crate::pg::plan::{Access, Plan, Session};
use crate::pg::relation::{self, Queue};
use crate::pg::role::ActAs;
use crate::pg::{SqlError, server, text};
use crate::{settings, wake};

/// A checked request.
pub(super) struct Row<'a> {
    pub(super) method: &'a str,
    pub(super) url: &'a str,
    /// A jsonb object.
    pub(super) headers: Option<pg_sys::Datum>,
    pub(super) body: Option<&'a [u8]>,
    pub(super) timeout_milliseconds: i32,
    /// Whose request it is.
    pub(super) caller: pg_sys::Oid,
    /// `None`: one attempt, as soon as may be, at least once.
    pub(super) terms: Option<Terms<'a>>,
}

impl Row<'_> {
    fn check_size(&self) -> Result<(), SqlError> {
        let headers = self.headers.map_or(0, text::size);
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
pub(super) struct Terms<'a> {
    pub(super) max_attempts: i32,
    /// A value of `net.delivery`.
    pub(super) delivery: pg_sys::Datum,
    pub(super) not_before: Option<Timestamp>,
    pub(super) idempotency_key: Option<Cow<'a, str>>,
}

/// Inserts the row and gives its id. The worker hears of it when the transaction commits.
pub(super) fn insert(row: Row) -> Result<i64, SqlError> {
    if server::is_read_only() {
        return Err(read_only());
    }
    row.check_size()?;
    let places = Places::find()?;
    SqlError::without_detail(|| write(row, places))
}

fn write(row: Row, places: Places) -> i64 {
    let _owner = ActAs::new(places.queue.owner, 0);
    places.queue.lock_for_insert();
    let id = relation::next_value(places.ids);
    let row_key = relation::next_value(places.row_keys);
    wake::note_key(row_key);
    whereabouts::note(id, row_key);
    wake::wake_at_commit();
    let columns = [
        Some(id.into()),
        Some(text::datum(row.method)),
        Some(text::datum(row.url)),
        row.headers,
        row.body.map(text::varlena),
        Some(row.timeout_milliseconds.into()),
        Some(row_key.into()),
        Some(row.caller.into()),
    ];
    let session = Session::connect();
    match row.terms {
        None => INSERT.with(|plan| {
            session.run(plan, Access::Write, places.types(), columns);
        }),
        Some(terms) => INSERT_ON_TERMS.with(|plan| {
            if let Some(due) = terms.not_before {
                wake::note_due(due);
            }
            let [id, method, url, headers, body, timeout, row_key, caller] = columns;
            let [t1, t2, t3, t4, t5, t6, t7, t8] = places.types();
            session.run(
                plan,
                Access::Write,
                [
                    t1,
                    t2,
                    t3,
                    t4,
                    t5,
                    t6,
                    t7,
                    t8,
                    places.delivery_type,
                    pg_sys::INT4OID,
                    pg_sys::TIMESTAMPTZOID,
                    pg_sys::TEXTOID,
                ],
                [
                    id,
                    method,
                    url,
                    headers,
                    body,
                    timeout,
                    row_key,
                    caller,
                    Some(terms.delivery),
                    Some(terms.max_attempts.into()),
                    terms.not_before.map(pg_sys::Datum::from),
                    terms.idempotency_key.as_deref().map(text::datum),
                ],
            );
        }),
    }
    id
}

/// Who owns the queue: whose rights the functions act with.
pub(super) fn owner() -> Result<pg_sys::Oid, SqlError> {
    Places::find().map(|places| places.queue.owner)
}

fn read_only() -> SqlError {
    let code = PgSqlErrorCode::ERRCODE_READ_ONLY_SQL_TRANSACTION;
    if server::is_in_recovery() {
        return SqlError::new(code, "cannot make HTTP requests on a standby: it is read-only")
            .hint("Make them on the primary, or promote this server.");
    }
    SqlError::new(code, "cannot make HTTP requests in a read-only transaction")
}

thread_local! {
    static INSERT: Plan = const {
        Plan::new(
            c"insert into net.http_request_queue \
              (id, method, url, headers, body, timeout_milliseconds, row_key, requested_by) \
              values ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
    };
    static INSERT_ON_TERMS: Plan = const {
        Plan::new(
            c"insert into net.http_request_queue \
              (id, method, url, headers, body, timeout_milliseconds, row_key, requested_by, \
               delivery, max_attempts, due, idempotency_key) \
              values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        )
    };
    static PLACES: Cell<Option<Places>> = const { Cell::new(None) };
}

/// The objects that an insert needs, looked up once and again when the extension is another one.
#[derive(Clone, Copy)]
struct Places {
    queue: Queue,
    ids: pg_sys::Oid,
    row_keys: pg_sys::Oid,
    /// The domain `net.http_method`. The parameter has this type so that the domain's check is not run: the methods of these
    /// functions pass it.
    method_type: pg_sys::Oid,
    /// The enum `net.delivery`.
    delivery_type: pg_sys::Oid,
}

impl Places {
    fn find() -> Result<Self, SqlError> {
        let missing = || {
            SqlError::new(PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE, "pg_net's queue is missing from this database")
                .hint("Run CREATE EXTENSION pg_net.")
        };
        let queue = Queue::find().ok_or_else(missing)?;
        if let Some(known) = PLACES.get()
            && known.queue == queue
        {
            return Ok(known);
        }
        INSERT.with(Plan::forget);
        INSERT_ON_TERMS.with(Plan::forget);
        let places = Self {
            queue,
            ids: relation::relation_in_net(c"http_request_queue_id_seq").ok_or_else(missing)?,
            row_keys: relation::relation_in_net(c"http_request_queue_row_key_seq").ok_or_else(missing)?,
            method_type: relation::type_in_net(c"http_method").ok_or_else(missing)?,
            // Missing while the SQL is that of the C version, whose own functions insert.
            delivery_type: relation::type_in_net(c"delivery").ok_or_else(missing)?,
        };
        PLACES.set(Some(places));
        Ok(places)
    }

    /// The types of the columns that every insert gives.
    fn types(&self) -> [pg_sys::Oid; 8] {
        [
            pg_sys::INT8OID,
            self.method_type,
            pg_sys::TEXTOID,
            pg_sys::JSONBOID,
            pg_sys::BYTEAOID,
            pg_sys::INT4OID,
            pg_sys::INT8OID,
            pg_sys::OIDOID,
        ]
    }
}
