use engine::Policy;

use crate::servers::host::{Host, carry_out, get, post, request};
use crate::servers::server::{Received, Server, ok};

fn received(make: impl FnOnce(&Server) -> engine::Request) -> Received {
    let server = Server::answering(ok(""));
    assert_eq!(carry_out(make(&server)).unwrap().status, 200);
    server.requests().remove(0)
}

#[test]
fn what_every_request_says() {
    let server = Server::answering(ok(""));
    let host = Host::new(Policy { user_agent: "tester/1".to_owned(), ..Policy::default() });
    host.get(&server.url("/a%20b?c=d#fragment"));
    let received = server.requests().remove(0);
    assert_eq!(received.line(), "GET /a%20b?c=d HTTP/1.1");
    assert_eq!(received.field("host"), Some(server.address().to_string().as_str()));
    assert_eq!(received.field("user-agent"), Some("tester/1"));
    assert_eq!(received.field("accept"), Some("*/*"));
    for absent in ["accept-encoding", "content-length", "transfer-encoding", "authorization", "connection"] {
        assert_eq!(received.field(absent), None, "{absent}");
    }
}

#[test]
fn the_user_has_the_last_word_on_most_fields() {
    let fields =
        [("User-Agent", "mine"), ("Accept", "text/html"), ("Host", "other.example"), ("X-A", "1"), ("X-A", "2")];
    let received = received(|server| request(1, "GET", &server.url("/"), &fields, ""));
    assert_eq!(received.field("user-agent"), Some("mine"));
    assert_eq!(received.field("accept"), Some("text/html"));
    assert_eq!(received.field("host"), Some("other.example"));
    let repeats = received.head.lines().filter(|line| line.to_lowercase().starts_with("x-a: ")).collect::<Vec<_>>();
    assert_eq!(repeats.len(), 2, "{repeats:?}");
    assert_eq!(received.head.to_lowercase().matches("\r\nhost:").count(), 1);
}

#[test]
fn framing_is_ours() {
    let names = [
        "Content-Length",
        "Transfer-Encoding",
        "Connection",
        "TE",
        "Trailer",
        "Upgrade",
        "Keep-Alive",
        "Proxy-Connection",
        "HTTP2-Settings",
    ];
    let received = received(|server| {
        let mut request = request(1, "POST", &server.url("/"), &[], "four");
        for name in names {
            request.push_header(name, "15").unwrap();
            request.push_header(&name.to_lowercase(), "").unwrap();
        }
        request
    });
    for name in names.iter().filter(|name| **name != "Content-Length") {
        assert_eq!(received.field(&name.to_lowercase()), None, "{name}");
    }
    assert_eq!((received.field("content-length"), received.field("transfer-encoding")), (Some("4"), None));
    assert_eq!(received.body, b"four");
}

#[test]
fn a_blank_field_keeps_out_the_default_of_its_name() {
    let fields =
        [("User-Agent", ""), ("accept", " "), ("Accept-Encoding", "\t"), ("X-A", ""), ("Host", ""), ("X-B", "b")];
    let received = received(|server| request(1, "GET", &server.url("/"), &fields, ""));
    for absent in ["user-agent", "accept", "accept-encoding", "x-a"] {
        assert_eq!(received.field(absent), None, "{absent}");
    }
    assert!(received.field("host").is_some_and(|host| host.starts_with("127.0.0.1:")));
    assert_eq!(received.field("x-b"), Some("b"));
}

/// A server that is asked to says `100 Continue` first, which is passed over.
#[test]
fn an_expectation_goes_with_a_body_only() {
    let server = Server::start(|connection| {
        connection.receive();
        connection.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
    });
    for (body, sent) in [("body", Some("100-continue")), ("", None)] {
        let put = request(1, "PUT", &server.url("/"), &[("Expect", "100-continue")], body);
        assert_eq!(carry_out(put).unwrap().status, 201);
        let requests = server.requests();
        let received = requests.last().unwrap();
        assert_eq!((received.field("expect"), received.body.as_slice()), (sent, body.as_bytes()));
    }
}

#[test]
fn a_body_has_its_length_and_some_methods_always_one() {
    assert_eq!(received(|server| request(1, "GET", &server.url("/"), &[], "body")).body, b"body");
    for method in ["POST", "PUT", "PATCH"] {
        let received = received(|server| request(1, method, &server.url("/"), &[], ""));
        assert_eq!(received.field("content-length"), Some("0"), "{method}");
    }
    assert_eq!(received(|server| request(1, "DELETE", &server.url("/"), &[], "")).field("content-length"), None);
    assert_eq!(received(|server| post(&server.url("/"), "{}")).field("content-type"), Some("application/json"));
}

#[test]
fn methods_of_all_kinds() {
    for (given, sent) in [("options", "OPTIONS"), ("Delete", "DELETE"), ("PROPFIND", "PROPFIND"), ("trace", "TRACE")] {
        let received = received(|server| request(1, given, &server.url("/"), &[], ""));
        assert_eq!(received.line(), format!("{sent} / HTTP/1.1"));
    }
}

#[test]
fn user_information_becomes_basic_authorization() {
    let with_user = |server: &Server, user: &str| server.url("/p").replace("http://", &format!("http://{user}@"));
    let sent = received(|server| get(&with_user(server, "us%40er:p%C3%A4ss")));
    // us@er:päss
    assert_eq!(sent.field("authorization"), Some("Basic dXNAZXI6cMOkc3M="));
    assert_eq!(sent.line(), "GET /p HTTP/1.1");
    assert!(!sent.field("host").unwrap().contains('@'));
    let given = [("Authorization", "Bearer token")];
    let sent = received(|server| request(1, "GET", &with_user(server, "user:pass"), &given, ""));
    assert_eq!(sent.field("authorization"), Some("Bearer token"));
}
