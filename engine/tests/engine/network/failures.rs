use bytes::Bytes;
use engine::{FailureKind, Policy, Request, Target};

use crate::servers::host::{Host, PATIENCE, carry_out, get, post};
use crate::servers::refused::Refused;
use crate::servers::server::{Server, ok};

fn failure(reply: &'static str) -> String {
    let server = Server::answering_once(reply);
    carry_out(get(&server.url("/"))).unwrap_err().to_string()
}

#[test]
fn refused() {
    let closed = Refused::take();
    let failure = carry_out(get(&closed.url("/"))).unwrap_err();
    assert_eq!(failure.to_string(), "Couldn't connect to server");
    assert!(failure.detail().unwrap().contains("refused"), "{failure:?}");
}

#[test]
fn a_name_without_an_address() {
    // Too long for the system to ask a name server about it.
    let host = "a".repeat(300);
    let failure = carry_out(get(&format!("http://{host}/"))).unwrap_err();
    assert_eq!(failure.to_string(), "Couldn't resolve host name");
}

#[test]
fn closed_before_any_byte() {
    assert_eq!(failure(""), "Server returned nothing (no headers, no data)");
}

#[test]
fn closed_without_reading_the_request() {
    let server = Server::start(|connection| connection.wait_for_bytes());
    let failure = carry_out(get(&server.url("/"))).unwrap_err();
    assert_eq!(failure.to_string(), "Failure when receiving data from the peer");
}

#[test]
fn no_http() {
    for reply in [
        "SSH-2.0-OpenSSH_9.2\r\n",
        "hello\n",
        "HTTP/1.1 two hundred\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon here\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\0c\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    ] {
        assert_eq!(failure(reply), "Weird server reply", "{reply:?}");
    }
}

#[test]
fn a_head_too_long() {
    let reply = format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "b".repeat(400 * 1024));
    let server = Server::answering_once(reply);
    let failure = carry_out(get(&server.url("/"))).err().map(|failure| failure.to_string());
    assert_eq!(failure.as_deref(), Some("Weird server reply"));
}

#[test]
fn cut_short() {
    for reply in [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfour",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nfour",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 100 Continue\r\n\r\n",
    ] {
        assert_eq!(failure(reply), "Transferred a partial file", "{reply:?}");
    }
}

#[test]
fn reset_while_receiving() {
    let server = Server::start(|connection| {
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfour");
        connection.wait_for_bytes();
    });
    let failure = carry_out(get(&server.url("/"))).unwrap_err();
    assert_eq!(failure.to_string(), "Failure when receiving data from the peer", "{failure:?}");
}

#[test]
fn broken_while_sending() {
    let server = Server::start(|connection| connection.wait_for_bytes());
    let body = "x".repeat(16 << 20);
    let failure = carry_out(post(&server.url("/"), &body)).unwrap_err();
    // It depends on the moment whether the reading or the writing side hears of the reset first.
    assert!(matches!(failure.kind(), FailureKind::Send | FailureKind::Receive), "{failure:?}");
}

#[test]
fn chunks_that_are_none() {
    let failure = failure("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n");
    assert_eq!(failure, "Failure when receiving data from the peer");
}

#[test]
fn longer_than_allowed() {
    let limits = |reply: &'static str| {
        let server = Server::answering_once(reply);
        let host = Host::new(Policy { max_response_bytes: 4, ..Policy::default() });
        host.carry_out(get(&server.url("/"))).result
    };
    let too_large = FailureKind::TooLarge { limit: 4 };
    assert_eq!(limits("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n").unwrap_err().kind(), &too_large);
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n";
    assert_eq!(limits(chunked).unwrap_err().kind(), &too_large);
    let decoded = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-16be\r\nContent-Length: 4\r\n\r\n\u{4e00}x";
    assert_eq!(decoded.len() - decoded.find("\r\n\r\n").unwrap() - 4, 4);
    assert_eq!(limits(decoded).unwrap_err().kind(), &too_large);
    assert_eq!(limits("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd").unwrap().status, 200);
}

#[test]
fn the_length_of_a_body_that_does_not_come_is_no_matter() {
    let server = Server::answering("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n");
    let host = Host::new(Policy { max_response_bytes: 4, ..Policy::default() });
    let head = Request::new(1, "HEAD", Target::parse(&server.url("/")).unwrap(), Bytes::new(), PATIENCE).unwrap();
    assert_eq!(host.carry_out(head).result.unwrap().status, 200);
}

#[test]
fn messages_hold_no_secret() {
    let server = Server::answering_once("HTTP/1.1 200 OK\r\nhunter2\r\n\r\n");
    let url = server.url("/hunter2?hunter2").replace("http://", "http://hunter2:hunter2@");
    let request = crate::servers::host::request(1, "POST", &url, &[("Authorization", "hunter2")], "hunter2");
    assert!(!format!("{request:?}").replace("/hunter2", "").contains("hunter2"), "{request:?}");
    let failure = carry_out(request).unwrap_err();
    assert_eq!(failure.kind(), &FailureKind::WeirdReply);
    assert!(!format!("{failure:?} {failure}").contains("hunter2"), "{failure:?}");
}

#[test]
fn others_go_on() {
    let good = Server::answering(ok("good"));
    let bad = Server::answering_once("");
    let host = Host::new(Policy::default());
    host.submit(vec![get(&bad.url("/")), get(&good.url("/"))]);
    let outcomes = host.wait_for(2);
    assert_eq!(outcomes.iter().filter(|outcome| outcome.result.is_ok()).count(), 1);
}
