//! The queue as the functions write it.

use std::cell::{Cell, RefCell};

use pgrx::{PgSqlErrorCode, pg_sys};

use crate::pg::default::{ColumnDefault, Defaults};
use crate::pg::internal::Internal;
use crate::pg::plan::{Access, Plan, Session};
use crate::pg::relation::{self, Queue};
use crate::pg::table::Table;
use crate::pg::{SqlError, array, bulk, invalidation, server};
use crate::wake;

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
    /// With the count of changes before they were found.
    static PLACES: Cell<Option<(u64, Places)>> = const { Cell::new(None) };
    static DEFAULTS: RefCell<Defaults<COLUMNS>> = const { RefCell::new(Defaults::new()) };
}

/// Inserts a row into the open queue.
///
/// The executor takes longer to start and end than the row to be stored, so it is spared where it would only store the row.
pub(super) fn insert(places: &Places, table: &Table, usual: Usual, terms: Option<Terms>) {
    let is_stored = whole(places, table, usual, terms)
        .is_some_and(|row| bulk::insert_one(table, places.column_types(), row, places.assign_row_key));
    if is_stored {
        // As the trigger would have.
        wake::take_last_key();
    } else {
        run_insert(places, usual, terms);
    }
}

/// The row with all its columns; `None` where that takes the executor.
fn whole(places: &Places, table: &Table, usual: Usual, terms: Option<Terms>) -> Option<Whole> {
    DEFAULTS.with_borrow_mut(|defaults| {
        let mut default = |column| match defaults.of(table, column) {
            ColumnDefault::Value(value) => Some(value),
            ColumnDefault::Call(function) if Some(function) == places.this_database => {
                Some(Some(server::Stamp::of_this_database().0.into()))
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

fn run_insert(places: &Places, usual: Usual, terms: Option<Terms>) {
    let [id, method, url, headers, body, timeout, row_key, caller, delivery, most, _, due, key, _] =
        places.column_types();
    let types = [id, method, url, headers, body, timeout, row_key, caller];
    let _internal = Internal::new();
    let session = Session::connect();
    match terms {
        None => INSERT.with(|plan| {
            session.run(plan, Access::Write, types, usual);
        }),
        Some(terms) => INSERT_ON_TERMS.with(|plan| {
            let types: [_; 12] = array::joined(types, [delivery, most, due, key]);
            session.run(plan, Access::Write, types, array::joined(usual, terms));
        }),
    }
}

/// The objects that an insert needs, looked up once and again when the extension is another one.
#[derive(Clone, Copy)]
pub(super) struct Places {
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

impl Places {
    pub(super) fn find() -> Result<Self, SqlError> {
        let changes = invalidation::changed_places();
        let known = PLACES.get();
        if let Some((found_at, known)) = known
            && found_at == changes
        {
            return Ok(known);
        }
        let queue = Queue::find().ok_or_else(missing)?;
        let places = match known {
            Some((_, known)) if known.queue == queue => known,
            _ => Self::look_up(queue)?,
        };
        PLACES.set(Some((changes, places)));
        Ok(places)
    }

    fn look_up(queue: Queue) -> Result<Self, SqlError> {
        INSERT.with(Plan::forget);
        INSERT_ON_TERMS.with(Plan::forget);
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
    pub(super) fn owner(&self) -> pg_sys::Oid {
        self.queue.owner
    }

    /// Opens the queue, with the lock that an insert takes.
    pub(super) fn open_queue(&self) -> Result<Table, SqlError> {
        Table::open(self.queue.relation).ok_or_else(missing)
    }

    /// The next id and the next row key.
    pub(super) fn next_numbers(&self) -> (i64, i64) {
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

fn missing() -> SqlError {
    SqlError::new(PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE, "pg_net's queue is missing from this database")
        .hint("Run CREATE EXTENSION pg_net.")
}
