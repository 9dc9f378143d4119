//! A name is judged by the addresses that it has when it is dialled, and those alone are dialled.

use std::net::IpAddr;

use testkit::{Network, PATIENCE, Receiver, wait_until};

use super::{assert_refused, insert, status, url_at};
use crate::fixture::Fixture;

/// The addresses that requests came to.
fn met(receiver: &Receiver) -> Vec<IpAddr> {
    receiver.requests().iter().map(|request| request.address).collect()
}

#[test]
fn of_mixed_answers_the_permitted_address_is_dialled() {
    Network::with(&["203.0.113.7", "169.254.169.254", "fd00:ec2::254"]).run(|hosts| {
        let receiver = Receiver::start_everywhere();
        let mut fixture = Fixture::new();
        for (name, order) in [
            ("first.test", &["203.0.113.7", "169.254.169.254", "fd00:ec2::254"][..]),
            ("mixed.test", &["169.254.169.254", "fd00:ec2::254", "203.0.113.7"]),
        ] {
            hosts.point(name, order);
            // Closed afterwards, so that the next one is dialled again.
            assert_eq!(status(&mut fixture.client, &url_at(&receiver, name, "/half-close")), Some(200));
        }
        assert_eq!(met(&receiver), ["203.0.113.7".parse::<IpAddr>().unwrap(); 2]);
        // Where it does not answer, the others are no way out.
        let closed = Receiver::refused_port();
        let nobody = format!("http://mixed.test:{}/", closed.port());
        insert(&mut fixture, &nobody).assert_failure("Couldn't connect to server");
        assert_eq!(receiver.connections(), 2);
    });
}

#[test]
fn a_name_that_points_elsewhere_on_the_second_look_is_refused() {
    Network::with(&["203.0.113.7", "169.254.169.254"]).run(|hosts| {
        let receiver = Receiver::start_everywhere();
        let mut fixture = Fixture::new();
        let url = url_at(&receiver, "rebinding.test", "/half-close");
        hosts.point("rebinding.test", &["203.0.113.7"]);
        assert_eq!(status(&mut fixture.client, &url), Some(200));
        hosts.point("rebinding.test", &["169.254.169.254"]);
        // What was found first is used for a few seconds, and is what is dialled.
        wait_until("the second look", PATIENCE, || status(&mut fixture.client, &url).is_none());
        assert_refused(&mut fixture, &url);
        let first = "203.0.113.7".parse::<IpAddr>().unwrap();
        assert!(met(&receiver).iter().all(|met| *met == first));
        assert_eq!(receiver.connections(), receiver.count());
    });
}

#[test]
fn a_network_rule_is_about_the_address_behind_the_name() {
    Network::with(&["203.0.113.7", "198.51.100.7"]).run(|hosts| {
        let receiver = Receiver::start_everywhere();
        let mut fixture = Fixture::new();
        fixture
            .client
            .batch_execute(
                "create role app login;
                 insert into net.egress_rule (role, action, network) values ('app', 'allow', '203.0.113.0/24')",
            )
            .unwrap();
        let mut app = fixture.cluster.connect_as("app", "postgres");
        hosts.point("somewhere.test", &["198.51.100.7", "203.0.113.7"]);
        assert_eq!(status(&mut app, &url_at(&receiver, "somewhere.test", "/")), Some(200));
        hosts.point("elsewhere.test", &["198.51.100.7"]);
        assert_eq!(status(&mut app, &url_at(&receiver, "elsewhere.test", "/")), None);
        assert_eq!(met(&receiver), ["203.0.113.7".parse::<IpAddr>().unwrap()]);
        // Others may.
        assert_eq!(status(&mut fixture.client, &url_at(&receiver, "elsewhere.test", "/")), Some(200));
    });
}
