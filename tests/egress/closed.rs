//! Link-local addresses and those of cloud metadata are closed, however they are written and wherever they come from.

use std::net::TcpStream;

use testkit::{Cluster, Network, PATIENCE, Receiver, wait_until};

use super::{assert_refused, refusal, url_at};
use crate::fixture::Fixture;

const CLOSED: [&str; 11] = [
    "169.254.169.254",
    "169.254.170.2",
    "100.100.100.200",
    "168.63.129.16",
    "fd00:ec2::254",
    "fe80::a9fe:a9fe",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "2001::5601:5601",
    "::169.254.169.254",
];

const SPELLINGS: [&str; 21] = [
    "169.254.169.254",
    "169.254.169.254.",
    "2852039166",
    "0xa9fea9fe",
    "0xA9.0xFE.0xA9.0xFE",
    "0251.0376.0251.0376",
    "025177524776",
    "169.254.43518",
    "%31%36%39.254.169.254",
    "[::ffff:169.254.169.254]",
    "[0:0:0:0:0:ffff:a9fe:a9fe]",
    "169.254.170.2",
    "100.100.100.200",
    "168.63.129.16",
    "[fd00:ec2::254]",
    "[fe80::a9fe:a9fe]",
    "[64:ff9b::169.254.169.254]",
    "[64:ff9b:1::a9fe:a9fe]",
    "[2002:a9fe:a9fe::1]",
    "[2001::5601:5601]",
    "[::169.254.169.254]",
];

/// That a guard that failed would be seen: all but the one that needs an interface's name can be reached.
fn assert_reachable(receiver: &Receiver) {
    for address in CLOSED.iter().filter(|address| !address.starts_with("fe80")) {
        let before = receiver.connections();
        TcpStream::connect((*address, receiver.port())).unwrap_or_else(|error| panic!("{address}: {error}"));
        wait_until(address, PATIENCE, || receiver.connections() > before);
    }
}

#[test]
fn no_spelling_of_a_closed_address_is_called_or_dialled() {
    Network::with(&CLOSED).run(|_| {
        let receiver = Receiver::start_everywhere();
        assert_reachable(&receiver);
        let reachable = receiver.connections();
        let mut fixture = Fixture::new();
        // No rule opens them.
        let rules = "insert into net.egress_rule (action, network) values ('allow', '0.0.0.0/0'), ('allow', '::/0')";
        fixture.client.batch_execute(rules).unwrap();
        for host in SPELLINGS {
            let url = url_at(&receiver, host, "/?token=hunter2");
            assert_refused(&mut fixture, &url);
            let why = refusal(&mut fixture.client, &url);
            assert!(why.contains("link-local") || why.contains("metadata"), "{host}: {why}");
            assert!(!why.contains("hunter2") && !why.contains("http"), "{host}: {why}");
        }
        assert_eq!(receiver.connections(), reachable);
        fixture.assert_works();
    });
}

#[test]
fn a_refused_request_leaves_no_url_in_the_log() {
    Network::with(&["169.254.169.254"]).run(|hosts| {
        hosts.point("metadata.test", &["169.254.169.254"]);
        let mut fixture = Fixture::with(Cluster::builder().conf("log_min_messages", "debug1").start_ready());
        assert_refused(&mut fixture, "http://us:hunter2@metadata.test/hunter2?hunter2");
        assert!(!fixture.cluster.log().contains("hunter2"));
    });
}

#[test]
fn no_redirect_leads_to_a_closed_address() {
    Network::with(&["169.254.169.254", "fd00:ec2::254"]).run(|_| {
        let everywhere = Receiver::start_everywhere();
        let mut fixture = Fixture::new();
        for status in [301, 302, 303, 307, 308] {
            for host in ["169.254.169.254", "0xa9fea9fe", "[::ffff:169.254.169.254]", "[fd00:ec2::254]"] {
                let to = url_at(&everywhere, host, "/latest/meta-data/");
                let hop = fixture.receiver.url(&format!("/redirect/{status}?to={to}"));
                assert_refused(&mut fixture, &hop);
            }
        }
        let file = fixture.get("/redirect/302?to=file:///etc/passwd");
        file.assert_failure("Redirect to an unsupported or malformed URL");
        // Over a hop that is allowed.
        let twice = fixture.receiver.url(&format!("/redirect/302?to={}", url_at(&everywhere, "169.254.169.254", "/")));
        let first = fixture.receiver.url(&format!("/redirect/307?to={twice}"));
        assert_refused(&mut fixture, &first);
        assert_eq!(everywhere.connections(), 0);
    });
}
