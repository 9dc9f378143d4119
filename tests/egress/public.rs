//! `pg_net.egress = public`.

use testkit::{Network, Receiver};

use super::{assert_refused, refusal, status, url_at};
use crate::fixture::Fixture;

const PUBLIC: [&str; 2] = ["8.8.8.8", "2600::8"];

#[test]
fn public_is_no_special_purpose_range_and_applies_on_reload() {
    let special = ["10.1.2.3", "172.16.0.1", "192.168.0.1", "100.64.0.1", "203.0.113.7", "fd00::7", "2001:db8::7"];
    Network::with(&[&PUBLIC[..], &special].concat()).run(|hosts| {
        let receiver = Receiver::start_everywhere();
        let mut fixture = Fixture::new();
        let bracketed = |address: &str| if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
        // Where it is not said, everything may be called; the connections stay open.
        for address in PUBLIC.iter().chain(&special) {
            assert_eq!(
                status(&mut fixture.client, &url_at(&receiver, &bracketed(address), "/")),
                Some(200),
                "{address}"
            );
        }
        let before = receiver.count();

        fixture.cluster.alter_system("pg_net.egress", "public");
        fixture.client = fixture.cluster.connect();
        for address in special.iter().chain(&["127.0.0.1", "localhost", "0.0.0.0", "::1"]) {
            let url = url_at(&receiver, &bracketed(address), "/");
            assert_refused(&mut fixture, &url);
            assert!(refusal(&mut fixture.client, &url).ends_with("and not public"), "{address}");
        }
        for address in special {
            hosts.point("special.test", &[address]);
            assert_refused(&mut fixture, &url_at(&receiver, "special.test", "/"));
        }
        assert_eq!(receiver.count(), before);
        for address in PUBLIC {
            assert_eq!(
                status(&mut fixture.client, &url_at(&receiver, &bracketed(address), "/")),
                Some(200),
                "{address}"
            );
        }
        // Not by a way round either.
        let inside = url_at(&receiver, "10.1.2.3", "/");
        let round = url_at(&receiver, PUBLIC[0], &format!("/redirect/302?to={inside}"));
        assert_refused(&mut fixture, &round);

        // Unless a rule names the network.
        fixture.client.batch_execute("insert into net.egress_rule (action, network) values ('allow', '10/8')").unwrap();
        assert_eq!(status(&mut fixture.client, &inside), Some(200));
        assert_refused(&mut fixture, &url_at(&receiver, "192.168.0.1", "/"));

        fixture.cluster.alter_system("pg_net.egress", "any");
        fixture.client = fixture.cluster.connect();
        assert_eq!(status(&mut fixture.client, &url_at(&receiver, "192.168.0.1", "/")), Some(200));
    });
}
