//! The server's own port is no target, on whichever address of the machine.

use testkit::{Cluster, Network};

use super::{REFUSED, assert_refused, insert, refusal};
use crate::support::Bench;

/// What Postgres logs where somebody connects from an address that none of our clients has, or does not speak its language.
fn strangers(cluster: &Cluster) -> usize {
    let log = cluster.log();
    let ours = "connection received: host=127.0.0.1";
    let lines = log.lines().filter(|line| {
        line.contains("connection received: host=") && !line.contains(ours)
            || line.contains("startup packet")
            || line.contains("unsupported frontend protocol")
    });
    lines.count()
}

#[test]
fn it_is_refused_until_a_rule_names_it() {
    Network::with(&["203.0.113.7", "2001:db8::7"]).run(|hosts| {
        hosts.point("database.test", &["203.0.113.7"]);
        let cluster = Cluster::builder().conf("listen_addresses", "*").conf("log_connections", "on").start_ready();
        let mut bench = Bench::with(cluster);
        let port = bench.cluster.port();
        for host in [
            "127.0.0.1",
            "127.9.9.9",
            "localhost",
            "0.0.0.0",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "203.0.113.7",
            "[2001:db8::7]",
        ] {
            let url = format!("http://{host}:{port}/");
            assert_refused(&mut bench, &url);
            let why = refusal(&mut bench.client, &url);
            assert_eq!(why, format!("port {port} of this machine is the server's own"));
            let hop = bench.receiver.url(&format!("/redirect/307?to={url}"));
            assert_refused(&mut bench, &hop);
        }
        let name = format!("http://database.test:{port}/");
        assert_refused(&mut bench, &name);
        assert_eq!(strangers(&bench.cluster), 0, "{}", bench.cluster.log());

        bench.client.batch_execute("insert into net.egress_rule (action, network) values ('allow', '0/0')").unwrap();
        assert_refused(&mut bench, &name);
        let rule = format!("insert into net.egress_rule (action, port) values ('allow', {port})");
        bench.client.batch_execute(&rule).unwrap();
        assert_ne!(insert(&mut bench, &name).error(), REFUSED);
        bench.cluster.wait_for_log("connection received: host=203.0.113.7");
    });
}
