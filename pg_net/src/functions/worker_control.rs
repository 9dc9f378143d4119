//! The worker's controls.

use pgrx::{PgSqlErrorCode, pg_sys};

use crate::hooks::commit;
use crate::pg::SqlError;
use crate::pg::catalog::database::{self, Look};
use crate::pg::catalog::relation;
use crate::pg::fcall::call::{Call, sql_function};
use crate::pg::fcall::row_trigger;
use crate::pg::process::server;
use crate::pg::types::text;
use crate::settings::{self, VERSION};
use crate::shmem;
use crate::shmem::{Reason, Slot};

sql_function!(wake, pg_finfo_wake, wake_worker);
sql_function!(worker_restart, pg_finfo_worker_restart, restart_worker);
sql_function!(wait_until_running, pg_finfo_wait_until_running, wait_until_worker_runs);
sql_function!(check_worker_is_up, pg_finfo_check_worker_is_up, check_worker);
sql_function!(library_version, pg_finfo_library_version, version);
sql_function!(note_row_key, pg_finfo_note_row_key, note_key);
sql_function!(take_noted_row_key, pg_finfo_take_noted_row_key, take_key);
sql_function!(next_row_key, pg_finfo_next_row_key, next_key);
sql_function!(assign_row_key, pg_finfo_assign_row_key, assign_key);

type Answer = Result<Option<pg_sys::Datum>, SqlError>;

/// What a function that returns void gives.
const VOID: Answer = Ok(Some(pg_sys::Datum::null()));

/// A role that calls this by hand has rows in the queue that came some other way than ours: the worker reads all of it.
fn wake_worker(_: &Call) -> Answer {
    commit::note_any_key();
    commit::wake_at_commit();
    VOID
}

fn restart_worker(_: &Call) -> Answer {
    commit::restart_at_commit();
    Ok(Some(true.into()))
}

fn wait_until_worker_runs(_: &Call) -> Answer {
    if server::is_in_recovery() {
        return Err(SqlError::new(
            PgSqlErrorCode::ERRCODE_READ_ONLY_SQL_TRANSACTION,
            "no pg_net background worker runs while the server is in recovery",
        )
        .hint("It starts by itself when the server is promoted."));
    }
    let (shared, database) = (shmem::get(), server::my_database());
    shared.state_changed.wait_until(|| {
        let Some(slot) = shared.serving(database) else {
            // It may have come and gone between two looks.
            shared.request_launch(database, Reason::Work);
            return false;
        };
        slot.keep();
        slot.is_running_as_wanted()
    });
    VOID
}

fn check_worker(_: &Call) -> Answer {
    if is_up() {
        return VOID;
    }
    Err(SqlError::new(
        PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        "the pg_net background worker is not up",
    )
    .hint("Requests wait in the queue until it is. The server log says why it does not run."))
}

/// Whether this database's worker runs, or would come if there were something to do.
fn is_up() -> bool {
    let (shared, database) = (shmem::get(), server::my_database());
    if shared.serving(database).is_some_and(Slot::is_running) {
        return true;
    }
    let is_to_be_there = database::name(database) == settings::database_name();
    // That of `pg_net.database_name` comes unasked, unless it has made room for other databases.
    (!is_to_be_there || shared.home.has_made_room())
        && shared.launcher.has_process()
        && shared.wake_schedule.failures(database) == 0
        && matches!(database::look(database, settings::username().as_deref()), Look::Clear(..))
}

fn version(_: &Call) -> Answer {
    Ok(Some(text::datum(VERSION)))
}

fn note_key(call: &Call) -> Answer {
    let key = call.datum(0);
    // No row has another: the sequence gives none.
    if let Some(key) = call.int8(0).filter(|&key| key > 0) {
        commit::note_key(key);
    }
    Ok(key)
}

fn take_key(_: &Call) -> Answer {
    Ok(commit::take_last_key().map(pg_sys::Datum::from))
}

fn next_key(_: &Call) -> Answer {
    let key = new_key()?;
    commit::note_key(key);
    Ok(Some(key.into()))
}

fn new_key() -> Result<i64, SqlError> {
    relation::relation_in_net(c"http_request_queue_row_key_seq").map(relation::next_value).ok_or_else(|| {
        SqlError::new(
            PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE,
            "net.http_request_queue_row_key_seq is missing from this database",
        )
    })
}

/// A trigger on the queue, before a row is inserted.
fn assign_key(call: &Call) -> Answer {
    let Some(row) = row_trigger::NewRow::of(call) else {
        return Err(SqlError::new(
            PgSqlErrorCode::ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED,
            "net._assign_row_key is for a trigger before a row is inserted",
        ));
    };
    let noted = commit::take_last_key();
    if noted.is_some() && noted == row.int8(c"row_key") {
        return Ok(Some(row.unchanged()));
    }
    if server::is_replica() {
        return Ok(Some(pg_sys::Datum::null()));
    }
    let key = new_key()?;
    commit::note_key(key);
    commit::take_last_key();
    Ok(Some(row.with([(c"row_key", key), (c"made_in", server::DatabaseIdentity::of_this_database().0)])))
}
