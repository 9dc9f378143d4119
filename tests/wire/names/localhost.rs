//! `localhost` and the names below it are this machine, whatever the resolver says.

use testkit::{Cluster, Receiver};

use super::{name_server, network};
use crate::fixture::Fixture;

const NAMES: [&str; 4] = ["localhost", "app.localhost", "LOCALHOST", "localhost."];

#[test]
fn case_32_localhost_is_both_loopback_addresses_whatever_the_resolver_says() {
    network().run(|hosts| {
        let server = name_server();
        hosts.write("hosts", "203.0.113.7 localhost\n");
        server.point("localhost", &["203.0.113.7"]);
        server.point("app.localhost", &["203.0.113.7"]);
        let mut fixture = Fixture::new();
        for receiver in [Receiver::start_on_ipv6(), Receiver::start()] {
            fixture.receiver = receiver;
            for name in NAMES {
                let answer = fixture.get_by_name(name);
                assert_eq!(answer.status_code, Some(200), "{name}: {answer:?}");
            }
            assert!(fixture.receiver.requests().iter().all(|request| request.address.is_loopback()));
            assert_eq!(fixture.receiver.count(), NAMES.len());
        }
        assert_eq!(server.questions(), []);
    });
}

#[test]
fn case_32_a_proxy_at_localhost_is_both_loopback_addresses() {
    network().run(|hosts| {
        let server = name_server();
        hosts.write("hosts", "");
        let proxy = Receiver::start_on_ipv6();
        let address = format!("http://proxy.localhost:{}", proxy.port());
        let cluster = Cluster::builder().conf("pg_net.proxy", &address).start();
        cluster.connect().batch_execute("create extension pg_net").unwrap();
        let mut fixture = Fixture::with(cluster);
        let answer = fixture.get_url("http://elsewhere.test/there");
        assert_eq!(answer.status_code, Some(200), "{answer:?}");
        assert_eq!(proxy.requests()[0].target, "http://elsewhere.test/there");
        assert_eq!(server.questions(), []);
    });
}

#[test]
fn rules_about_either_address_hold_for_localhost() {
    network().run(|_| {
        let mut fixture = Fixture::new();
        fixture.receiver = Receiver::start_everywhere();
        let mut deny = |network: &str| {
            let rule = format!("insert into net.egress_rule (action, network) values ('deny', '{network}')");
            fixture.client.batch_execute(&rule).unwrap();
            fixture.get_by_name("localhost")
        };
        assert_eq!(deny("::1/128").status_code, Some(200));
        deny("127.0.0.0/8").assert_failure("Refused by the egress policy");
        let met: Vec<_> = fixture.receiver.requests().iter().map(|request| request.address).collect();
        assert_eq!(met, ["127.0.0.1".parse::<std::net::IpAddr>().unwrap()]);
    });
}
