use std::time::Duration;

use engine::{Failure, Policy, Trace};

use crate::servers::certificates::Authority;
use crate::servers::host::{Host, get, with_timeout};
use crate::servers::refused::Refused;
use crate::servers::server::{Server, ok};

fn trace(host: &Host, url: &str) -> Trace {
    let outcome = host.carry_out(get(url));
    let trace = outcome.trace().unwrap().clone();
    assert_eq!(trace.phases.total(), outcome.elapsed);
    trace
}

#[test]
fn a_reply_tells_of_its_connection() {
    let server = Server::answering(ok(""));
    let host = Host::new(Policy::default());
    let url = server.url("/a?b=c");
    let first = trace(&host, &url.replace("http://", "http://user:secret@"));
    assert_eq!((first.url(), first.redirects), (url.clone(), 0));
    assert_eq!((first.remote, first.version), (Some(server.address()), Some("HTTP/1.1")));
    assert!(first.phases.handshake > Duration::ZERO && first.phases.exchange > Duration::ZERO, "{first:?}");
    assert!(!format!("{first:?}").contains("secret"), "{first:?}");
    let second = trace(&host, &url);
    assert_eq!((second.remote, second.phases.handshake), (Some(server.address()), Duration::ZERO), "a pooled one");
}

#[test]
fn redirects_are_counted_and_the_last_hop_is_told_of() {
    let last = Server::answering(ok(""));
    let location = last.url("/last#fragment").replace("http://", "http://user:secret@");
    let first = Server::start(move |connection| {
        while let Some(request) = connection.receive() {
            let location = if request.line().contains(" /1 ") { "/2" } else { &location };
            connection.send(format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"));
        }
    });
    let trace = trace(&Host::new(Policy::default()), &first.url("/1"));
    assert_eq!((trace.url(), trace.redirects, trace.remote), (last.url("/last"), 2, Some(last.address())));
}

#[test]
fn a_failure_tells_how_far_it_came() {
    let closed = Refused::take();
    let server =
        Server::answering(format!("HTTP/1.1 302 Found\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", closed.url("/")));
    let host = Host::new(Policy::default());
    let refused = trace(&host, &server.url("/"));
    assert_eq!((refused.url(), refused.redirects), (closed.url("/"), 1));
    assert_eq!((refused.remote, refused.version), (None, None));

    let silent = Server::start(|connection| connection.wait_for_close());
    let outcome = host.carry_out(with_timeout(&silent.url("/"), Duration::from_millis(500)));
    let trace = outcome.trace().unwrap();
    assert_eq!((trace.remote, trace.version), (Some(silent.address()), Some("HTTP/1.1")));
    assert!(trace.phases.exchange > Duration::ZERO);

    let unsent = Failure::invalid("for this reason");
    assert!(unsent.trace().is_none());
}

#[test]
fn a_handshake_that_failed_was_with_somebody() {
    let authority = Authority::new();
    let stranger = Authority::new();
    let server = crate::tls::serving(stranger.server("localhost", &[]));
    let host = Host::new(Policy { ca_file: Some(authority.file.clone()), ..Policy::default() });
    let trace = trace(&host, &format!("https://localhost:{}/", server.address().port()));
    assert_eq!((trace.remote, trace.version), (Some(server.address()), None));
    assert!(trace.phases.dns > Duration::ZERO && trace.phases.exchange == Duration::ZERO, "{trace:?}");
}
