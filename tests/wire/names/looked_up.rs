//! A name means what it means to every other program of the machine, and from when on.

use std::net::IpAddr;
use std::time::Instant;

use testkit::{Answer, Call, NameServer, PATIENCE, Receiver, wait_until};

use super::{NAME_SERVER, name_server, network};
use crate::fixture::Fixture;

/// The address that the last request came to.
fn last_met(fixture: &Fixture) -> Option<IpAddr> {
    fixture.receiver.requests().last().map(|request| request.address)
}

/// Sends until a request comes to this address.
fn wait_until_met(fixture: &mut Fixture, name: &str, address: &str) {
    let address = address.parse().unwrap();
    wait_until("a request there", PATIENCE, || {
        let answer = fixture.get_by_name(name);
        answer.status_code == Some(200) && last_met(fixture) == Some(address)
    });
}

fn fixture() -> Fixture {
    Fixture { receiver: Receiver::start_everywhere(), ..Fixture::new() }
}

#[test]
fn names_are_looked_up_as_the_system_is_configured() {
    network().run(|hosts| {
        let (server, second) = (name_server(), NameServer::start("127.0.0.2"));
        let mut fixture = fixture();
        server.set("large.test", Answer::OverTcp(vec!["203.0.113.7".parse().unwrap()]));
        server.point("short.corp.test", &["203.0.113.7"]);
        server.point("a.b.corp.test", &["203.0.113.7"]);
        second.point("second.test", &["203.0.113.7"]);
        hosts.point("file.test", &["203.0.113.7"]);
        let expected = Some("203.0.113.7".parse().unwrap());
        for (name, resolv_conf) in [
            ("file.test", "nameserver 127.0.0.1\n"),
            ("large.test", "nameserver 127.0.0.1\n"),
            ("short", "nameserver 127.0.0.1\nsearch other.test corp.test\n"),
            ("a.b", "nameserver 127.0.0.1\nsearch corp.test\noptions ndots:2\n"),
            // Nothing listens there.
            ("second.test", "nameserver 127.0.0.9\nnameserver 127.0.0.2\n"),
        ] {
            // The worker is not told.
            hosts.write("resolv.conf", resolv_conf);
            let answer = fixture.get_by_name(name);
            assert_eq!((answer.status_code, last_met(&fixture)), (Some(200), expected), "{name}: {answer:?}");
        }
        assert!(server.questions().iter().any(|question| question.name == "large.test" && question.tcp));
        assert!(server.questions().iter().all(|question| question.name != "file.test"));
        assert_eq!(fixture.receiver.count(), 5);
        // What nsswitch.conf leaves out is not asked.
        hosts.write("nsswitch.conf", "hosts: files\n");
        fixture.get_by_name("good.test").assert_failure("Couldn't resolve host name");
        assert_eq!(server.look_ups("good.test"), 0);
    });
}

#[test]
fn a_name_that_points_elsewhere_is_followed_within_seconds_and_at_once_after_a_reload() {
    network().run(|_| {
        let server = name_server();
        let mut fixture = fixture();
        server.point("moves.test", &["203.0.113.7"]);
        wait_until_met(&mut fixture, "moves.test", "203.0.113.7");
        server.point("moves.test", &["203.0.113.8"]);
        wait_until_met(&mut fixture, "moves.test", "203.0.113.8");
        assert_eq!(server.look_ups("moves.test"), 2);

        // Were it not for the reloads, each move would take seconds to be seen.
        let begun = Instant::now();
        for address in ["203.0.113.7", "203.0.113.8"].repeat(4) {
            server.point("moves.test", &[address]);
            fixture.client.batch_execute("select pg_reload_conf()").unwrap();
            wait_until_met(&mut fixture, "moves.test", address);
        }
        assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    });
}

#[test]
fn a_name_server_that_fails_is_asked_again_where_attempts_are_left() {
    network().run(|_| {
        let server = name_server();
        let mut fixture = fixture();
        server.set("fails.test", Answer::Fails);
        let url = format!("http://fails.test:{}/", fixture.receiver.port());
        let plain = fixture.get_url(&url);
        plain.assert_failure("Couldn't resolve host name");
        let detail: String = fixture.value("select error_detail from net._http_response");
        assert!(detail.contains("Temporary failure in name resolution"), "{detail}");
        let id = fixture.send(Call::request("GET", &url).max_attempts(10));
        let queued = format!("select attempts from net.http_request_queue where id = {id} and attempts > 0");
        wait_until("a failed attempt", PATIENCE, || fixture.client.query_opt(&queued, &[]).unwrap().is_some());
        server.point("fails.test", &["203.0.113.7"]);
        assert_eq!(fixture.response(id).status_code, Some(200));
    });
}

#[test]
fn a_name_that_does_not_exist_is_no_failure_to_connect() {
    network().run(|_| {
        let server = NameServer::start(NAME_SERVER);
        let mut fixture = fixture();
        let answer = fixture.get_by_name("nowhere.test");
        answer.assert_failure("Couldn't resolve host name");
        assert_eq!(fixture.value::<String>("select error_kind from net._http_response"), "resolve");
        assert_eq!(server.look_ups("nowhere.test"), 1);
    });
}
