//! What the engine dials and reuses under policies and rules. That it refuses the addresses that no test may dial is shown
//! where they are judged, and in a network of its own by the integration tests.

use std::net::TcpListener;
use std::sync::Arc;

use engine::{Action, Egress, EgressRule, Failure, FailureKind, HostPattern, Network, Policy, Proxy, Reach, RuleSet};

use crate::servers::host::{Host, get, text};
use crate::servers::proxy::{Manner, ProxyServer};
use crate::servers::server::{Server, ok};

/// A rule of somebody's own on one port.
fn on_port(action: Action, port: u16) -> EgressRule {
    EgressRule { id: 1, action, for_all: false, host: None, network: None, port: Some(port) }
}

/// A rule for everybody that opens loopback.
fn loopback() -> EgressRule {
    let network = Network::new([127, 0, 0, 0].into(), 8);
    EgressRule { id: 2, action: Action::Allow, for_all: true, host: None, network, port: None }
}

fn rules(rules: &[EgressRule]) -> Arc<RuleSet> {
    Arc::new(RuleSet::new(rules.to_vec()))
}

fn public() -> Policy {
    Policy { egress: Egress { reach: Reach::Public, own_port: None }, ..Policy::default() }
}

fn get_under(host: &Host, url: &str, rules: &Arc<RuleSet>) -> Result<String, Failure> {
    let mut request = get(url);
    request.set_rules(rules.clone());
    host.carry_out(request).result.map(|response| text(&response).to_owned())
}

#[track_caller]
fn assert_refused(failure: Failure, why: &str) {
    assert_eq!((failure.kind(), failure.kind().name()), (&FailureKind::Forbidden, "egress_refused"));
    assert_eq!(failure.to_string(), "Refused by the egress policy");
    assert!(failure.detail().unwrap().contains(why), "{failure:?}");
}

#[test]
fn a_connection_serves_those_alone_whose_rules_it_was_opened_under() {
    let server = Server::answering(ok("x"));
    let host = Host::new(Policy::default());
    let port = server.address().port();
    let [one, other] = [(); 2].map(|()| rules(&[on_port(Action::Allow, port)]));
    for _ in 0..2 {
        for rules in [&one, &other] {
            get_under(&host, &server.url("/"), rules).unwrap();
        }
        host.get(&server.url("/"));
    }
    assert_eq!((server.connections(), server.requests().len()), (3, 6));
    // One that may not come here gets no connection, also not one that waits.
    let refused = get_under(&host, &server.url("/"), &rules(&[on_port(Action::Deny, port)])).unwrap_err();
    assert_refused(refused, "egress rule 1 denies it");
    assert_eq!(server.requests().len(), 6);
}

#[test]
fn a_narrower_policy_closes_what_was_opened_under_a_wider_one() {
    let server = Server::answering(ok("x"));
    let host = Host::new(Policy::default());
    host.get(&server.url("/"));
    host.engine.set_policy(public());
    let refused = host.carry_out(get(&server.url("/"))).result.unwrap_err();
    assert_refused(refused, "127.0.0.1 is in 127.0.0.0/8: loopback, and not public");
    assert_eq!(get_under(&host, &server.url("/"), &rules(&[loopback()])).unwrap(), "x");
    host.engine.set_policy(Policy::default());
    host.get(&server.url("/"));
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn every_hop_is_looked_at() {
    let forbidden = Server::answering(ok("secret"));
    let location = forbidden.url("/");
    let server = Server::answering(format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"));
    let host = Host::new(Policy::default());
    let only_there = rules(&[on_port(Action::Allow, server.address().port())]);
    assert_refused(
        get_under(&host, &server.url("/"), &only_there).unwrap_err(),
        "no egress rule of the role allows it",
    );
    assert_eq!((server.requests().len(), forbidden.connections()), (1, 0));
    // The same, where a connection of somebody else's waits there.
    assert_eq!(text(&host.get(&server.url("/"))), "secret");
    get_under(&host, &server.url("/"), &only_there).unwrap_err();
    assert_eq!(forbidden.requests().len(), 1);
}

#[test]
fn the_hosts_own_port_is_left_alone() {
    let own = TcpListener::bind("127.0.0.1:0").unwrap();
    own.set_nonblocking(true).unwrap();
    let url = format!("http://{}/", own.local_addr().unwrap());
    let server = Server::answering(format!("HTTP/1.1 307 Over There\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n"));
    let own_port = Some(own.local_addr().unwrap().port());
    let host = Host::new(Policy { egress: Egress { own_port, ..Egress::default() }, ..Policy::default() });
    for url in [url.clone(), url.replace("127.0.0.1", "localhost"), server.url("/")] {
        let refused = host.carry_out(get(&url)).result.unwrap_err();
        assert_refused(refused, "of this machine is the server's own");
    }
    assert_eq!(own.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn a_proxy_may_be_where_no_target_may() {
    let proxy = ProxyServer::start(Manner::default());
    let host = Host::new(Policy { proxy: Proxy::parse(&format!("http://{}", proxy.address)).ok(), ..public() });
    assert_eq!(text(&host.get("http://app.example/")), "forwarded");
}

#[test]
fn a_proxy_is_told_of_no_forbidden_target() {
    for scheme in ["http", "socks5", "socks5h"] {
        // It connects to nobody, should it be told.
        let proxy = ProxyServer::start(Manner { refusal: Some(b"\x05\x02\x00\x01"), ..Manner::default() });
        let address = proxy.address;
        let host = Host::new(Policy { proxy: Proxy::parse(&format!("{scheme}://{address}")).ok(), ..public() });
        for url in [
            "http://169.254.169.254/",
            "https://169.254.169.254/",
            "http://0xa9fea9fe/",
            "http://[64:ff9b::a9fe:a9fe]/",
            "http://metadata.google.internal/",
            "http://10.0.0.1/",
            "http://localhost/",
        ] {
            // There this name is asked of our resolver, which may know it or not.
            if scheme == "socks5" && url.contains("internal") {
                continue;
            }
            let failure = host.carry_out(get(url)).result.unwrap_err();
            assert_eq!(failure.kind(), &FailureKind::Forbidden, "{scheme} {url}");
        }
        let denied = rules(&[EgressRule { host: HostPattern::parse("*.example").ok(), ..on_port(Action::Deny, 80) }]);
        if scheme != "socks5" {
            assert_refused(get_under(&host, "http://app.example/", &denied).unwrap_err(), "egress rule 1 denies it");
        }
        assert_eq!(proxy.log(), [""; 0]);
    }
}
