//! Replies that are odd and taken all the same, and what the next request meets.

use std::thread;

use bytes::Bytes;
use engine::{Content, FailureKind, Policy, Request, Target};
use std::time::Duration;

use crate::servers::host::{Host, carry_out, eventually, get, request, text};
use crate::servers::server::{Server, ok};

/// The head is cut at each place: what is mended must not depend on how the bytes come.
#[test]
fn case_45_an_odd_head_is_taken_and_its_connection_not_used_again() {
    for (head, body) in [
        ("http/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", "hi"),
        ("HTTP/1.1   200 OK\r\nContent-Length: 2\r\n\r\n", "hi"),
        ("HTTP/1.0  200\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n", "hi"),
        ("HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n", "hi"),
        ("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n", "2\r\nhi\r\n0\r\n\r\n"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\nh\n1;x\ni\n0\nX: y\n\n"),
        ("HTTP/1.1 103 Early Hints\r\nA: +\r\n\r\nHTTP/1.1  200 OK\r\nContent-Length: +2\r\n\r\n", "hi"),
    ] {
        for cut in (1..head.len()).step_by(7) {
            let server = Server::start(move |connection| {
                while connection.receive().is_some() {
                    connection.send(&head[..cut]);
                    thread::sleep(Duration::from_millis(1));
                    // A reply to a request that nobody made: it must not be the next one's.
                    connection.send(format!("{}{body}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", &head[cut..]));
                }
            });
            let host = Host::new(Policy::default());
            for _ in 0..2 {
                assert_eq!(text(&host.get(&server.url("/"))), "hi", "{head:?} cut at {cut}");
            }
            assert_eq!(server.connections(), 2);
        }
    }
}

/// There is no first line of chunks to wait for.
#[test]
fn case_45_a_reply_without_a_body_is_whole_with_its_head() {
    for (method, status) in [("HEAD", 200), ("GET", 204), ("GET", 304)] {
        let head = format!("HTTP/1.1 {status} X\r\nTransfer-Encoding: chunked\r\n\r\n");
        let server = Server::answering(head);
        let response = carry_out(request(1, method, &server.url("/"), &[], "")).unwrap();
        assert_eq!((response.status, response.content), (status, Content::Empty));
    }
}

#[test]
fn case_45_a_usual_head_keeps_its_connection_however_it_comes() {
    let server = Server::start(|connection| {
        while connection.receive().is_some() {
            for piece in ok("hi").as_bytes().chunks(3) {
                connection.send(piece);
                thread::sleep(Duration::from_micros(200));
            }
        }
    });
    let host = Host::new(Policy::default());
    for _ in 0..3 {
        assert_eq!(text(&host.get(&server.url("/"))), "hi");
    }
    assert_eq!(server.connections(), 1);
}

/// The reply comes while the body is being written, and the connection is closed with what was not read: a reset.
#[test]
fn a_server_that_refuses_a_long_body_at_once_is_heard() {
    let server = Server::start(|connection| {
        connection.receive_head();
        connection.send("HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n\r\nlong");
    });
    let body = "x".repeat(20 << 20);
    let host = Host::new(Policy::default());
    for _ in 0..10 {
        let response = host.carry_out(request(1, "POST", &server.url("/"), &[], &body)).result.unwrap();
        assert_eq!((response.status, text(&response)), (413, "long"));
    }
    assert_eq!(server.connections(), 10);
}

fn partial(policy: Policy, server: &Server) -> (FailureKind, Option<Content>) {
    let url = Target::parse(&server.url("/")).unwrap();
    let request = Request::new(1, "GET", url, Bytes::new(), Duration::from_millis(500)).unwrap();
    let failure = Host::new(policy).carry_out(request).result.unwrap_err();
    (failure.kind().clone(), failure.partial().cloned())
}

#[test]
fn what_came_of_a_reply_is_kept_where_that_is_asked_for() {
    let keep = Policy { keep_partial: true, ..Policy::default() };
    let endless = Server::start(|connection| {
        connection.receive();
        connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: é\n\ndata: \u{e9}".as_bytes());
        connection.send(&"é".as_bytes()[..1]);
        connection.wait_for_close();
    });
    let (kind, content) = partial(keep.clone(), &endless);
    assert!(matches!(kind, FailureKind::Timeout { .. }));
    assert_eq!(content, Some(Content::Text("data: é\n\ndata: é".to_owned())));
    assert_eq!(partial(Policy::default(), &endless).1, None);

    let cut = Server::answering_once("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n\0bytes");
    assert_eq!(partial(keep.clone(), &cut), (FailureKind::Partial, Some(Content::Bytes("\0bytes".into()))));
    let nothing = Server::answering_once("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
    assert_eq!(partial(keep.clone(), &nothing), (FailureKind::Partial, None));
    // Not what came with a hop before.
    let hops = Server::start(|connection| {
        connection.receive();
        connection.send("HTTP/1.1 302 Found\r\nLocation: /next\r\nContent-Length: 4\r\n\r\nhere");
        connection.receive();
    });
    assert_eq!(partial(keep, &hops).1, None);
    eventually("all have answered", || !hops.requests().is_empty());
    carry_out(get(&Server::answering(ok("")).url("/"))).unwrap();
}
