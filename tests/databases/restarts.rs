//! The server starts with work waiting in several databases.

use testkit::{Cluster, Receiver, Shutdown};

use super::{assert_all_answered, create, queue, wait_for_workers_in};

const DATABASES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

#[test]
fn what_waits_in_several_databases_is_sent_when_the_server_starts() {
    for how in [Shutdown::Fast, Shutdown::Immediate] {
        let mut cluster = Cluster::builder().conf("pg_net.paused", "on").start_ready();
        let receiver = Receiver::start();
        for name in DATABASES {
            queue(&mut create(&cluster, name), &receiver.url(&format!("/{name}")), 10);
        }
        cluster.connect().batch_execute("alter system set pg_net.paused = off").unwrap();
        cluster.stop(how);
        assert_eq!(receiver.count(), 0);
        cluster.start();
        // Before anybody connects to them.
        receiver.wait_for(60);
        for name in DATABASES {
            assert_all_answered(&mut cluster.connect_as("postgres", name), 10);
        }
        assert_eq!(receiver.count(), 60);
    }
}

#[test]
fn an_idle_server_of_several_databases_shows_one_process() {
    let mut cluster = Cluster::start_default();
    for name in DATABASES {
        drop(create(&cluster, name));
    }
    cluster.stop(Shutdown::Fast);
    cluster.start();
    wait_for_workers_in(&mut cluster.connect(), &["postgres"]);
    // A visit ends where there is nothing to do, and is not repeated: time itself is what this is about.
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(super::served(&mut cluster.connect()), ["postgres"]);
}
