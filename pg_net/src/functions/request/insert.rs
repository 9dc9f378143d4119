//! The queue as the functions write it.

use std::cell::{Cell, RefCell};

use engine::Key;
use pgrx::{PgSqlErrorCode, pg_sys};

use crate::hooks::commit;
use crate::pg::SqlError;
use crate::pg::catalog::column_default::{ColumnDefault, Defaults};
use crate::pg::catalog::invalidation;
use crate::pg::catalog::relation::{self, Queue};
use crate::pg::catalog::schema::insert_one;
use crate::pg::catalog::schema::queue::{self, At};
use crate::pg::process::server;
use crate::pg::spi::internal::Internal;
use crate::pg::spi::on_table::OnTable;
use crate::pg::spi::plan::{Access, Plan, Rows, Session};
use crate::pg::storage::bulk;
use crate::pg::storage::table::Table;
use crate::pg::types::array;
use crate::pg::types::clock::Timestamp;
use crate::pg::types::value::{Domain, Label, Value};

/// The columns that every row is given.
#[derive(Clone, Copy)]
pub(in crate::functions) struct Usual {
    pub(in crate::functions) id: i64,
    pub(in crate::functions) method: Value,
    pub(in crate::functions) url: Value,
    pub(in crate::functions) headers: Value,
    pub(in crate::functions) body: Value,
    pub(in crate::functions) timeout_milliseconds: Value,
    pub(in crate::functions) row_key: Key,
    pub(in crate::functions) requested_by: Value,
}

/// Those that a row with terms of its own is given as well.
#[derive(Clone, Copy)]
pub(in crate::functions) struct Terms {
    pub(in crate::functions) delivery: Value,
    pub(in crate::functions) max_attempts: Value,
    pub(in crate::functions) due: Value,
    pub(in crate::functions) idempotency_key: Value,
}

const USUAL: [&str; 8] = queue::names([
    At::id,
    At::method,
    At::url,
    At::headers,
    At::body,
    At::timeout_milliseconds,
    At::row_key,
    At::requested_by,
]);
const TERMS: [&str; 4] = queue::names([At::delivery, At::max_attempts, At::due, At::idempotency_key]);

impl Usual {
    /// In the order of [`USUAL`].
    fn values(self) -> [Value; USUAL.len()] {
        let Self { id, method, url, headers, body, timeout_milliseconds, row_key, requested_by } = self;
        [Value::int8(id), method, url, headers, body, timeout_milliseconds, Value::int8(row_key), requested_by]
    }
}

impl Terms {
    /// In the order of [`TERMS`].
    fn values(self) -> [Value; TERMS.len()] {
        [self.delivery, self.max_attempts, self.due, self.idempotency_key]
    }
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
    fn new() -> Self {
        let plan = |columns: &[&str], and| Plan::new(insert_one("http_request_queue", columns, and));
        let on_terms: [_; USUAL.len() + TERMS.len()] = array::joined(USUAL, TERMS);
        let told = " returning id, row_key, due";
        Self {
            usual: plan(&USUAL, ""),
            usual_told: plan(&USUAL, told),
            on_terms: plan(&on_terms, ""),
            on_terms_told: plan(&on_terms, told),
        }
    }

    fn forget(&self) {
        [&self.usual, &self.usual_told, &self.on_terms, &self.on_terms_told].into_iter().for_each(Plan::forget);
    }
}

thread_local! {
    static INSERTS: Inserts = Inserts::new();
    /// With the count of changes before they were found.
    static HANDLES: Cell<Option<(u64, QueueHandles)>> = const { Cell::new(None) };
    static DEFAULTS: RefCell<Defaults<{ queue::COUNT }>> = const { RefCell::new(Defaults::new()) };
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
    handles: &QueueHandles,
    table: &Table,
    usual: Usual,
    terms: Option<Terms>,
    asked: Stored,
) -> Option<Stored> {
    let is_stored = whole(handles, table, usual, terms)
        .is_some_and(|row| bulk::insert_one(table, row.values(), handles.assign_row_key));
    if is_stored {
        // As the trigger would have.
        commit::take_last_key();
        return Some(asked);
    }
    let _owner = OnTable::of(table);
    let session = Session::connect();
    if table.has_rules() {
        // What they make of it is theirs; the worker finds what there is by the key.
        run_insert(&session, usual, terms, false);
        return Some(asked);
    }
    let rows = run_insert(&session, usual, terms, true);
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
fn whole(handles: &QueueHandles, table: &Table, usual: Usual, terms: Option<Terms>) -> Option<queue::Row> {
    DEFAULTS.with_borrow_mut(|defaults| {
        let mut default = |column: At, null: fn(&QueueHandles) -> Value| match defaults.of(table, column as usize) {
            ColumnDefault::Value(value) => Some(value),
            ColumnDefault::Null => Some(null(handles)),
            ColumnDefault::Call(function) if Some(function) == handles.this_database => {
                Some(Value::int8(server::DatabaseIdentity::of_this_database().0))
            }
            ColumnDefault::Call(_) | ColumnDefault::Other => None,
        };
        let int4 = |_: &QueueHandles| Value::int4(None);
        let terms = match terms {
            Some(terms) => terms,
            None => Terms {
                delivery: default(At::delivery, |handles| Value::null(handles.delivery_type))?,
                max_attempts: default(At::max_attempts, int4)?,
                due: default(At::due, |_| Value::timestamp(None))?,
                idempotency_key: default(At::idempotency_key, |_| Value::text(None::<&str>))?,
            },
        };
        Some(queue::Row {
            id: Value::int8(usual.id),
            method: usual.method,
            url: usual.url,
            headers: usual.headers,
            body: usual.body,
            timeout_milliseconds: usual.timeout_milliseconds,
            row_key: Value::int8(usual.row_key),
            requested_by: usual.requested_by,
            delivery: terms.delivery,
            max_attempts: terms.max_attempts,
            attempts: default(At::attempts, int4)?,
            due: terms.due,
            idempotency_key: terms.idempotency_key,
            made_in: default(At::made_in, |_| Value::int8(None))?,
        })
    })
}

fn run_insert<'s>(session: &'s Session, usual: Usual, terms: Option<Terms>, is_told: bool) -> Rows<'s> {
    let _internal = Internal::new();
    INSERTS.with(|inserts| match terms {
        None => {
            let plan = if is_told { &inserts.usual_told } else { &inserts.usual };
            session.run(plan, Access::Write, usual.values())
        }
        Some(terms) => {
            let plan = if is_told { &inserts.on_terms_told } else { &inserts.on_terms };
            let arguments: [_; USUAL.len() + TERMS.len()] = array::joined(usual.values(), terms.values());
            session.run(plan, Access::Write, arguments)
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
    method_domain: Domain,
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
            method_domain: method_domain().ok_or_else(missing)?,
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

    /// A method that the functions have checked.
    pub(in crate::functions) fn method(&self, method: &str) -> Value {
        Value::text(method).of_domain(self.method_domain)
    }

    /// A label of `net.delivery`.
    pub(in crate::functions) fn delivery(&self, label: Label) -> Value {
        Value::label(self.delivery_type, label)
    }
}

/// The next row key, for a row that is not a call's.
pub(in crate::functions) fn next_row_key() -> Option<Key> {
    relation::relation_in_net(c"http_request_queue_row_key_seq").map(relation::next_value)
}

/// The domain `net.http_method`.
pub(in crate::functions) fn method_domain() -> Option<Domain> {
    relation::type_in_net(c"http_method").map(Domain::of)
}

fn missing() -> SqlError {
    SqlError::new(PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE, "pg_net's queue is missing from this database")
        .hint("Run CREATE EXTENSION pg_net.")
}
