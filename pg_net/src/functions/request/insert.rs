//! The queue as the functions write it.

use std::cell::{Cell, RefCell};

use engine::Key;
use pgrx::{PgSqlErrorCode, pg_sys};

use crate::hooks::commit;
use crate::pg::SqlError;
use crate::pg::catalog::column_default::{ColumnDefault, Defaults};
use crate::pg::catalog::invalidation;
use crate::pg::catalog::relation::{self, Queue};
use crate::pg::process::server;
use crate::pg::spi::internal::Internal;
use crate::pg::spi::on_table::OnTable;
use crate::pg::spi::plan::{Access, Plan, Rows, Session};
use crate::pg::storage::bulk;
use crate::pg::storage::table::Table;
use crate::pg::types::array;
use crate::pg::types::clock::Timestamp;

/// The columns that every row is given: id, method, url, headers, body, timeout_milliseconds, row_key, requested_by.
type Usual = [Option<pg_sys::Datum>; 8];
/// Those that a row with terms of its own is given as well: delivery, max_attempts, due, idempotency_key.
type Terms = [Option<pg_sys::Datum>; 4];
/// All of them, in the order in which the table has them.
type Whole = [Option<pg_sys::Datum>; COLUMNS];

const COLUMNS: usize = 14;
// Where those stand that not every row is given.
const DELIVERY: usize = 8;
const MAX_ATTEMPTS: usize = 9;
const ATTEMPTS: usize = 10;
const DUE: usize = 11;
const IDEMPOTENCY_KEY: usize = 12;
const MADE_IN: usize = 13;

/// An INSERT of the columns that every row is given, and of others; and what comes after it.
macro_rules! insert {
    ($columns:literal, $values:literal, $returning:literal) => {
        const {
            let statement = concat!(
                "insert into net.http_request_queue \
                 (id, method, url, headers, body, timeout_milliseconds, row_key, requested_by",
                $columns,
                ") values ($1, $2, $3, $4, $5, $6, $7, $8",
                $values,
                ")",
                $returning,
                "\0"
            );
            match std::ffi::CStr::from_bytes_with_nul(statement.as_bytes()) {
                Ok(statement) => Plan::new(statement),
                Err(_) => panic!("a statement holds no NUL"),
            }
        }
    };
}

/// The ways to insert a row: with the usual terms, and with others; each also in a way that says what was stored, which rules need not
/// admit.
struct Inserts {
    usual: Plan,
    usual_told: Plan,
    on_terms: Plan,
    on_terms_told: Plan,
}

impl Inserts {
    fn forget(&self) {
        [&self.usual, &self.usual_told, &self.on_terms, &self.on_terms_told].into_iter().for_each(Plan::forget);
    }
}

thread_local! {
    static INSERTS: Inserts = const {
        Inserts {
            usual: insert!("", "", ""),
            usual_told: insert!("", "", " returning id, row_key, due"),
            on_terms: insert!(", delivery, max_attempts, due, idempotency_key", ", $9, $10, $11, $12", ""),
            on_terms_told: insert!(
                ", delivery, max_attempts, due, idempotency_key",
                ", $9, $10, $11, $12",
                " returning id, row_key, due"
            ),
        }
    };
    /// With the count of changes before they were found.
    static HANDLES: Cell<Option<(u64, QueueHandles)>> = const { Cell::new(None) };
    static DEFAULTS: RefCell<Defaults<COLUMNS>> = const { RefCell::new(Defaults::new()) };
}

/// What stands in the queue of a row that was to be inserted: triggers of the owner may have changed it.
pub(in crate::functions) struct Stored {
    pub(in crate::functions) id: i64,
    pub(in crate::functions) row_key: Key,
    pub(in crate::functions) due: Option<Timestamp>,
}

/// Inserts a row into the open queue. `None` where a trigger has made nothing of it.
///
/// The executor takes longer to start and end than the row to be stored, so it is spared where it would only store the row.
pub(in crate::functions) fn insert(
    queue: &QueueHandles,
    table: &Table,
    usual: Usual,
    terms: Option<Terms>,
    asked: Stored,
) -> Option<Stored> {
    let is_stored = whole(queue, table, usual, terms)
        .is_some_and(|row| bulk::insert_one(table, queue.column_types(), row, queue.assign_row_key));
    if is_stored {
        // As the trigger would have.
        commit::take_last_key();
        return Some(asked);
    }
    let _owner = OnTable::of(table);
    let session = Session::connect();
    if table.has_rules() {
        // What they make of it is theirs; the worker finds what there is by the key.
        run_insert(&session, queue, usual, terms, false);
        return Some(asked);
    }
    let rows = run_insert(&session, queue, usual, terms, true);
    if rows.count() == 0 {
        commit::take_last_key();
        return None;
    }
    let row = rows.row::<3>(0);
    Some(Stored {
        id: row.int8(0).unwrap_or(asked.id),
        row_key: row.int8(1).unwrap_or(asked.row_key),
        due: row.timestamp(2),
    })
}

/// The row with all its columns; `None` where that takes the executor.
fn whole(queue: &QueueHandles, table: &Table, usual: Usual, terms: Option<Terms>) -> Option<Whole> {
    DEFAULTS.with_borrow_mut(|defaults| {
        let mut default = |column| match defaults.of(table, column) {
            ColumnDefault::Value(value) => Some(value),
            ColumnDefault::Call(function) if Some(function) == queue.this_database => {
                Some(Some(server::DatabaseIdentity::of_this_database().0.into()))
            }
            ColumnDefault::Call(_) | ColumnDefault::Other => None,
        };
        let terms = match terms {
            Some(terms) => terms,
            None => [default(DELIVERY)?, default(MAX_ATTEMPTS)?, default(DUE)?, default(IDEMPOTENCY_KEY)?],
        };
        let [id, method, url, headers, body, timeout, row_key, caller] = usual;
        let [delivery, most, due, key] = terms;
        let (attempts, made_in) = (default(ATTEMPTS)?, default(MADE_IN)?);
        Some([id, method, url, headers, body, timeout, row_key, caller, delivery, most, attempts, due, key, made_in])
    })
}

fn run_insert<'s>(
    session: &'s Session,
    queue: &QueueHandles,
    usual: Usual,
    terms: Option<Terms>,
    is_told: bool,
) -> Rows<'s> {
    let [id, method, url, headers, body, timeout, row_key, caller, delivery, most, _, due, key, _] =
        queue.column_types();
    let types = [id, method, url, headers, body, timeout, row_key, caller];
    let _internal = Internal::new();
    INSERTS.with(|inserts| match terms {
        None => {
            let plan = if is_told { &inserts.usual_told } else { &inserts.usual };
            session.run(plan, Access::Write, types, usual)
        }
        Some(terms) => {
            let plan = if is_told { &inserts.on_terms_told } else { &inserts.on_terms };
            let types: [_; 12] = array::joined(types, [delivery, most, due, key]);
            session.run(plan, Access::Write, types, array::joined(usual, terms))
        }
    })
}

/// The objects that an insert needs, looked up once and again when the extension is another one.
#[derive(Clone, Copy)]
pub(in crate::functions) struct QueueHandles {
    queue: Queue,
    ids: pg_sys::Oid,
    row_keys: pg_sys::Oid,
    /// The domain `net.http_method`. The parameter has this type so that the domain's check is not run: the methods of these
    /// functions pass it.
    method_type: pg_sys::Oid,
    /// The enum `net.delivery`.
    delivery_type: pg_sys::Oid,
    /// What the queue's trigger calls: it has nothing to do for a row whose key this session has just noted.
    assign_row_key: Option<pg_sys::Oid>,
    /// What `made_in` is by default.
    this_database: Option<pg_sys::Oid>,
}

impl QueueHandles {
    pub(in crate::functions) fn find() -> Result<Self, SqlError> {
        let changes = invalidation::changed_places();
        let known = HANDLES.get();
        if let Some((found_at, known)) = known
            && found_at == changes
        {
            return Ok(known);
        }
        let queue = Queue::find().ok_or_else(missing)?;
        let handles = match known {
            Some((_, known)) if known.queue == queue => known,
            _ => Self::look_up(queue)?,
        };
        HANDLES.set(Some((changes, handles)));
        Ok(handles)
    }

    fn look_up(queue: Queue) -> Result<Self, SqlError> {
        INSERTS.with(Inserts::forget);
        Ok(Self {
            queue,
            ids: relation::relation_in_net(c"http_request_queue_id_seq").ok_or_else(missing)?,
            row_keys: relation::relation_in_net(c"http_request_queue_row_key_seq").ok_or_else(missing)?,
            method_type: relation::type_in_net(c"http_method").ok_or_else(missing)?,
            // Missing while the SQL is that of the C version, whose own functions insert.
            delivery_type: relation::type_in_net(c"delivery").ok_or_else(missing)?,
            assign_row_key: relation::function_in_net(c"_assign_row_key"),
            this_database: relation::function_in_net(c"_this_database"),
        })
    }

    /// Who owns the queue.
    pub(in crate::functions) fn owner(&self) -> pg_sys::Oid {
        self.queue.owner
    }

    /// Opens the queue, with the lock that an insert takes.
    pub(in crate::functions) fn open_queue(&self) -> Result<Table, SqlError> {
        Table::open(self.queue.relation).ok_or_else(missing)
    }

    /// The next id and the next row key.
    pub(in crate::functions) fn next_numbers(&self) -> (i64, i64) {
        (relation::next_value(self.ids), relation::next_value(self.row_keys))
    }

    fn column_types(&self) -> [pg_sys::Oid; COLUMNS] {
        [
            pg_sys::INT8OID,
            self.method_type,
            pg_sys::TEXTOID,
            pg_sys::JSONBOID,
            pg_sys::BYTEAOID,
            pg_sys::INT4OID,
            pg_sys::INT8OID,
            pg_sys::OIDOID,
            self.delivery_type,
            pg_sys::INT4OID,
            pg_sys::INT4OID,
            pg_sys::TIMESTAMPTZOID,
            pg_sys::TEXTOID,
            pg_sys::INT8OID,
        ]
    }
}

/// The next row key, for a row that is not a call's.
pub(in crate::functions) fn next_row_key() -> Option<Key> {
    relation::relation_in_net(c"http_request_queue_row_key_seq").map(relation::next_value)
}

/// The domain `net.http_method`.
pub(in crate::functions) fn method_type() -> Option<pg_sys::Oid> {
    relation::type_in_net(c"http_method")
}

fn missing() -> SqlError {
    SqlError::new(PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE, "pg_net's queue is missing from this database")
        .hint("Run CREATE EXTENSION pg_net.")
}
