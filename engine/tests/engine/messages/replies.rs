use engine::{Content, Policy, Response};

use crate::servers::host::{Host, carry_out, get, request, text};
use crate::servers::server::Server;

fn reply(bytes: &'static str) -> Response {
    let server = Server::answering_once(bytes);
    carry_out(get(&server.url("/"))).unwrap()
}

fn fields(response: &Response) -> Vec<(&str, &str)> {
    response.headers.iter().collect()
}

#[test]
fn names_are_kept_as_the_server_writes_them_and_repeats_in_order() {
    let response = reply(
        "HTTP/1.1 404 Not Found\r\nSet-Cookie: a=1\r\nX-ODD-cASE: x\r\nset-cookie: b=2\r\nContent-Length: 2\r\n\r\nhi",
    );
    assert_eq!(response.status, 404);
    assert_eq!(text(&response), "hi");
    assert_eq!(
        fields(&response),
        [("Set-Cookie", "a=1"), ("X-ODD-cASE", "x"), ("set-cookie", "b=2"), ("Content-Length", "2")]
    );
}

#[test]
fn odd_fields_do_not_hurt() {
    let response = reply(
        "HTTP/1.1 200 OK\r\nMissingValue:\r\nSpaces In Header Name: x\r\nNonPrintableChars: a\x01\x02\r\n\
         Folded: one\r\n  two\r\nContent-Length : 2\r\n\r\nhi",
    );
    assert_eq!(text(&response), "hi");
    assert_eq!(
        fields(&response),
        [
            ("MissingValue", ""),
            ("Spaces In Header Name", "x"),
            ("NonPrintableChars", "a\x01\x02"),
            ("Folded", "one two"),
            ("Content-Length", "2"),
        ]
    );
}

#[test]
fn many_fields() {
    let lines = (0..900).map(|at| format!("X-{at}: {at}\r\n")).collect::<String>();
    let server = Server::answering_once(format!("HTTP/1.1 200 OK\r\n{lines}Content-Length: 0\r\n\r\n"));
    assert_eq!(carry_out(get(&server.url("/"))).unwrap().headers.len(), 901);
}

#[test]
fn interim_replies_are_skipped() {
    let response = reply(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n\
         HTTP/1.1 201 Created\r\nA: b\r\nContent-Length: 0\r\n\r\n",
    );
    assert_eq!(response.status, 201);
    assert_eq!(fields(&response), [("A", "b"), ("Content-Length", "0")]);
}

#[test]
fn some_replies_have_no_body() {
    for head in ["HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n"] {
        assert_eq!(reply(head).content, Content::Empty);
    }
    let server = Server::answering("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n");
    let response = carry_out(request(1, "head", &server.url("/"), &[], "")).unwrap();
    assert_eq!((response.status, response.content), (200, Content::Empty));
}

#[test]
fn a_body_may_end_with_the_connection() {
    assert_eq!(text(&reply("HTTP/1.0 200 OK\r\n\r\nto the end")), "to the end");
    assert_eq!(text(&reply("HTTP/1.1 200 OK\n\nbare line feeds")), "bare line feeds");
}

#[test]
fn a_server_may_answer_before_it_is_asked() {
    let server = Server::start(|connection| {
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly");
        connection.receive();
    });
    for _ in 0..20 {
        assert_eq!(text(&carry_out(get(&server.url("/"))).unwrap()), "early");
    }
}

#[test]
fn a_server_may_refuse_a_body_while_it_is_sent() {
    let server = Server::start(|connection| {
        connection.receive_head();
        connection.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 8\r\n\r\ntoo long");
        connection.end();
        connection.wait_for_close();
    });
    let host = Host::new(Policy::default());
    let long = request(1, "POST", &server.url("/"), &[], &"x".repeat(16 << 20));
    let response = host.carry_out(long.clone()).result.unwrap();
    assert_eq!((response.status, text(&response)), (413, "too long"));
    // The connection still owes the server most of the body.
    assert_eq!(host.carry_out(long).result.unwrap().status, 413);
    assert_eq!(server.connections(), 2);
}
