//! The server's own port is no target, on whichever address of the machine.

use testkit::{Cluster, Network};

use super::{REFUSED, assert_refused, insert, refusal};
use crate::fixture::Fixture;

/// What Postgres logs about a connection from an address that none of our clients has, or in another protocol.
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
fn the_servers_own_port_is_refused_until_a_rule_names_it() {
    Network::with(&["203.0.113.7", "2001:db8::7"]).run(|hosts| {
        hosts.point("database.test", &["203.0.113.7"]);
        let cluster = Cluster::builder().conf("listen_addresses", "*").conf("log_connections", "on").start_ready();
        let mut fixture = Fixture::with(cluster);
        let port = fixture.cluster.port();
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
            assert_refused(&mut fixture, &url);
            let why = refusal(&mut fixture.client, &url);
            assert_eq!(why, format!("port {port} of this machine is the server's own"));
            let hop = fixture.receiver.url(&format!("/redirect/307?to={url}"));
            assert_refused(&mut fixture, &hop);
        }
        let name = format!("http://database.test:{port}/");
        assert_refused(&mut fixture, &name);
        assert_eq!(strangers(&fixture.cluster), 0, "{}", fixture.cluster.log());

        fixture.client.batch_execute("insert into net.egress_rule (action, network) values ('allow', '0/0')").unwrap();
        assert_refused(&mut fixture, &name);
        let rule = format!("insert into net.egress_rule (action, port) values ('allow', {port})");
        fixture.client.batch_execute(&rule).unwrap();
        assert_ne!(insert(&mut fixture, &name).error(), REFUSED);
        fixture.cluster.wait_for_log("connection received: host=203.0.113.7");
    });
}
