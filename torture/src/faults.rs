//! The faults: what goes wrong at random moments.

mod crashes;
mod owner;
mod receiver;
mod sessions;
mod triggers;

pub(crate) use sessions::end_all_prepared;

use crate::clock::Moment;
use crate::harness::Harness;
use crate::rng::Rng;

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "their names in the table say it")]
pub enum Fault {
    WorkerKilled,
    WorkerTerminated,
    ServerKilled,
    ServerStoppedAtOnce,
    SettingsChanged,
    ReceiverKilled,
    RepliesBroken,
    IdleConnectionsClosed,
    StreamsTurnedAway,
    QueueTruncated,
    TablesRewritten,
    RowsDeleted,
    ExtensionRecreated,
    SnapshotHeld,
    TwoPhase,
    DiskFull,
    TriggerFails,
}

/// What one injection met.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Injection {
    /// Just before it.
    pub(crate) begin: Moment,
    /// When it was over; where it ended the worker, when the next one began.
    pub(crate) end: Moment,
    /// Whether it ended the worker: what was in flight is sent again.
    pub(crate) ended_worker: bool,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::WorkerKilled,
        Self::WorkerTerminated,
        Self::ServerKilled,
        Self::ServerStoppedAtOnce,
        Self::SettingsChanged,
        Self::ReceiverKilled,
        Self::RepliesBroken,
        Self::IdleConnectionsClosed,
        Self::StreamsTurnedAway,
        Self::QueueTruncated,
        Self::TablesRewritten,
        Self::RowsDeleted,
        Self::ExtensionRecreated,
        Self::SnapshotHeld,
        Self::TwoPhase,
        Self::DiskFull,
        Self::TriggerFails,
    ];

    /// What it is called in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::WorkerKilled => "worker killed (kill -9)",
            Self::WorkerTerminated => "worker terminated, restarted",
            Self::ServerKilled => "postmaster killed (kill -9)",
            Self::ServerStoppedAtOnce => "immediate shutdown",
            Self::SettingsChanged => "settings changed, reload",
            Self::ReceiverKilled => "receiver killed",
            Self::RepliesBroken => "replies reset and cut short",
            Self::IdleConnectionsClosed => "idle connections closed",
            Self::StreamsTurnedAway => "streams turned away (GOAWAY)",
            Self::QueueTruncated => "queue truncated",
            Self::TablesRewritten => "tables rewritten (vacuum full)",
            Self::RowsDeleted => "rows of the queue deleted",
            Self::ExtensionRecreated => "extension dropped, created",
            Self::SnapshotHeld => "old snapshot held",
            Self::TwoPhase => "two-phase commit, crashes",
            Self::DiskFull => "disk full under the responses",
            Self::TriggerFails => "user triggers come, fail and go",
        }
    }

    /// Whether the server crashes: then the responses are kept in a logged table, to know what had an outcome before.
    pub(crate) fn crashes_server(self) -> bool {
        matches!(self, Self::WorkerKilled | Self::ServerKilled | Self::ServerStoppedAtOnce | Self::TwoPhase)
    }

    /// Whether the queue is emptied: that ends also what has left it, is sent at most once, and waits in the worker.
    pub(crate) fn empties_queue(self) -> bool {
        matches!(self, Self::QueueTruncated | Self::ExtensionRecreated)
    }

    /// Whether requests may fail: the receiver refuses, resets, or breaks off.
    pub(crate) fn breaks_requests(self) -> bool {
        matches!(self, Self::ReceiverKilled | Self::RepliesBroken)
    }

    /// Whether the receiver closes connections at the moment at which they are used again. What is sent at most once may fail for
    /// that; nothing else may.
    pub(crate) fn closes_connections(self) -> bool {
        self == Self::IdleConnectionsClosed
    }

    /// Whether requests go over HTTP/2, to a server in front of the receiver that lets connections go while requests are on their
    /// way.
    pub(crate) fn goes_over_http2(self) -> bool {
        self == Self::StreamsTurnedAway
    }

    /// What the receiver does with a request meanwhile.
    pub(crate) fn path(self) -> fn(&mut Rng) -> String {
        match self {
            Self::RepliesBroken => receiver::broken_path,
            Self::IdleConnectionsClosed => receiver::closing_path,
            Self::WorkerTerminated => |rng| {
                // Some outlast the second that a worker that is asked to stop gives them.
                if rng.chance(1) { "/delay/1500".to_owned() } else { usual_path(rng) }
            },
            _ => usual_path,
        }
    }

    /// Makes it happen once. Gives when, unless it could not happen.
    pub(crate) fn inject(self, harness: &mut Harness) -> Option<Injection> {
        match self {
            Self::WorkerKilled => crashes::kill_worker(harness),
            Self::WorkerTerminated => crashes::terminate_worker(harness),
            Self::ServerKilled => crashes::kill_server(harness),
            Self::ServerStoppedAtOnce => crashes::stop_server(harness),
            Self::SettingsChanged => sessions::change_settings(harness),
            Self::ReceiverKilled => receiver::kill(harness),
            Self::RepliesBroken => receiver::break_replies(harness),
            Self::IdleConnectionsClosed | Self::StreamsTurnedAway => receiver::go_on(harness),
            Self::QueueTruncated => owner::truncate(harness),
            Self::TablesRewritten => owner::rewrite(harness),
            Self::RowsDeleted => owner::delete_rows(harness),
            Self::ExtensionRecreated => owner::recreate_extension(harness),
            Self::SnapshotHeld => sessions::hold_snapshot(harness),
            Self::TwoPhase => sessions::end_prepared(harness),
            Self::DiskFull => triggers::fill_disk(harness),
            Self::TriggerFails => triggers::fail(harness),
        }
    }
}

/// Most are answered at once; some take a while, so that there is always something in flight.
fn usual_path(rng: &mut Rng) -> String {
    if rng.chance(30) { format!("/delay/{}", rng.between(1, 120)) } else { "/".to_owned() }
}
