//! Each fault, a few times: no request is lost, none is sent that was rolled back, and none is sent twice that was not in
//! flight.

use std::time::Duration;

use torture::{Extent, Fault};

use crate::{SEED, place};

const SMALL: Extent = Extent { injections: 3, time: Duration::from_secs(15), writers: 2 };

fn assert_withstood(fault: Fault) {
    let report = torture::run(&place(None), fault, SEED, SMALL);
    let (wrongs, none) = (report.wrongs(), Vec::<String>::new());
    assert_eq!(wrongs, none, "{report:?}");
}

macro_rules! withstands {
    ($($name:ident: $fault:ident,)+) => {
        $(
            #[test]
            fn $name() {
                assert_withstood(Fault::$fault);
            }
        )+
    };
}

withstands! {
    the_worker_is_killed: WorkerKilled,
    the_worker_is_terminated_again_and_again: WorkerTerminated,
    the_postmaster_is_killed: ServerKilled,
    the_server_is_shut_down_immediately: ServerStoppedAtOnce,
    the_settings_change: SettingsChanged,
    the_receiver_is_killed: ReceiverKilled,
    replies_are_reset_and_cut_short: RepliesBroken,
    idle_connections_are_closed: IdleConnectionsClosed,
    streams_are_turned_away: StreamsTurnedAway,
    the_queue_is_truncated: QueueTruncated,
    the_tables_are_rewritten: TablesRewritten,
    rows_of_the_queue_are_deleted: RowsDeleted,
    the_extension_is_dropped_and_created: ExtensionRecreated,
    an_old_snapshot_is_held: SnapshotHeld,
    transactions_are_prepared: TwoPhase,
    the_disk_is_full_under_the_responses: DiskFull,
    user_triggers_come_fail_and_go: TriggerFails,
}
