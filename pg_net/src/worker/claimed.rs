//! What is remembered of a claimed row until its outcome is recorded.

use engine::Target;
use engine::method::Method;
use pgrx::pg_sys;

/// The claimed rows, by their row keys.
pub(super) type ClaimedRows = engine::ClaimWindow<Claimed>;

/// A claimed row.
#[derive(Clone, Debug)]
pub(super) struct Claimed {
    pub(super) id: i64,
    /// None where that is not known: the row was made by hand, or before the update from the C version.
    pub(super) requested_by: Option<pg_sys::Oid>,
    /// None where the row names none that could be sent.
    pub(super) method: Option<Method>,
    pub(super) target: Option<Target>,
    /// The row has left the queue: nothing is to be sent a second time.
    pub(super) at_most_once: bool,
    pub(super) max_attempts: i32,
    /// Attempts made, the one that is claimed included.
    pub(super) attempts: i32,
}
