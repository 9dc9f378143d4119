use pg_net_core::backoff::Obstacle;
use pgrx::PgSqlErrorCode;

/// What an error says about why something failed.
pub(crate) fn obstacle(reason: PgSqlErrorCode) -> Obstacle {
    if is_in_the_way(reason) { Obstacle::InTheWay } else { Obstacle::Failure }
}

/// Whether an error says that another process was in the way, and nothing about what was to be done.
pub(crate) fn is_in_the_way(reason: PgSqlErrorCode) -> bool {
    use PgSqlErrorCode::*;
    matches!(reason, ERRCODE_LOCK_NOT_AVAILABLE | ERRCODE_T_R_DEADLOCK_DETECTED | ERRCODE_QUERY_CANCELED)
}
