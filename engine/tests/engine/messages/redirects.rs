use engine::{FailureKind, Policy};

use crate::servers::host::{Host, carry_out, get, post, request, text};
use crate::servers::server::{Received, Server, ok};

fn redirect(status: u16, location: &str) -> String {
    format!("HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 4\r\n\r\nbody")
}

/// Redirects `/start` with this status to `/end`, and answers anything else.
fn one_hop(status: u16) -> Server {
    Server::start(move |connection| {
        while let Some(request) = connection.receive() {
            let start = request.line().contains("/start");
            connection.send(if start { redirect(status, "end?x=y#z") } else { ok("done") });
        }
    })
}

fn last(server: &Server) -> Received {
    server.requests().pop().unwrap()
}

#[test]
fn the_last_hop_is_what_is_stored() {
    let server = one_hop(302);
    let response = carry_out(get(&server.url("/start"))).unwrap();
    assert_eq!((response.status, text(&response)), (200, "done"));
    assert_eq!(response.headers.get("location"), None);
    assert_eq!(last(&server).line(), "GET /end?x=y HTTP/1.1");
    assert_eq!(server.connections(), 1, "the connection of a short hop is used again");
}

#[test]
fn methods_change_as_libcurl_changes_them() {
    for (status, method, becomes) in [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "POST", "GET"),
        (307, "POST", "POST"),
        (308, "POST", "POST"),
        (301, "PUT", "PUT"),
        (302, "DELETE", "DELETE"),
        (303, "PUT", "GET"),
        (303, "HEAD", "HEAD"),
        (302, "HEAD", "HEAD"),
        (303, "GET", "GET"),
    ] {
        let server = Server::start(move |connection| {
            while let Some(request) = connection.receive() {
                let reply = format!("HTTP/1.1 {status} Moved\r\nLocation: /end\r\nContent-Length: 0\r\n\r\n");
                connection.send(if request.line().contains("/start") { reply } else { ok("") });
            }
        });
        let body = if method == "HEAD" { "" } else { "{}" };
        let fields = [("Content-Type", "application/json"), ("X-Kept", "yes")];
        carry_out(request(1, method, &server.url("/start"), &fields, body)).unwrap();
        let end = last(&server);
        assert_eq!(end.line(), format!("{becomes} /end HTTP/1.1"), "{status} {method}");
        assert_eq!(end.field("x-kept"), Some("yes"));
        let kept = method == becomes && !(status == 303 && method == "GET");
        assert_eq!(end.field("content-type").is_some(), kept, "{status} {method}");
        assert_eq!(!end.body.is_empty(), kept && method != "HEAD", "{status} {method}");
    }
}

#[test]
fn no_more_hops_than_allowed() {
    let server = Server::answering(redirect(302, "/"));
    let host = Host::new(Policy { max_redirects: 3, ..Policy::default() });
    let failure = host.carry_out(get(&server.url("/"))).result.unwrap_err();
    assert_eq!(failure.to_string(), "Number of redirects hit maximum amount");
    assert_eq!(server.requests().len(), 4);
    let three = Server::start(|connection| {
        for reply in [redirect(302, "/"), redirect(302, "/"), redirect(302, "/"), ok("there")] {
            connection.receive();
            connection.send(reply);
        }
    });
    assert_eq!(text(&host.get(&three.url("/"))), "there");
}

#[test]
fn what_is_meant_for_one_origin_is_sent_to_no_other_and_not_again() {
    let secrets = [
        ("Authorization", "secret"),
        ("Cookie", "secret"),
        ("Proxy-Authorization", "secret"),
        ("Host", "first.example"),
        ("X-Kept", "yes"),
    ];
    let back = Server::answering(ok("back"));
    let port = back.address().port();
    // Another name for the same machine is another host; then back to the first one, by its address.
    let elsewhere = Server::answering(redirect(307, &back.url("/back")));
    let location = format!("http://localhost:{}/", elsewhere.address().port());
    let first = Server::start(move |connection| {
        while let Some(request) = connection.receive() {
            let away =
                if request.line().contains("/start") { redirect(307, "/away") } else { redirect(307, &location) };
            connection.send(away);
        }
    });
    carry_out(request(1, "GET", &first.url("/start"), &secrets, "")).unwrap();
    for received in first.requests() {
        assert_eq!(received.field("authorization"), Some("secret"), "{received:?}");
        assert_eq!(received.field("host"), Some("first.example"), "{received:?}");
    }
    assert_eq!(first.requests().len(), 2);
    for (server, host) in
        [(&elsewhere, format!("localhost:{}", elsewhere.address().port())), (&back, format!("127.0.0.1:{port}"))]
    {
        let received = last(server);
        for absent in ["authorization", "cookie", "proxy-authorization"] {
            assert_eq!(received.field(absent), None, "{received:?}");
        }
        assert_eq!(received.field("host"), Some(host.as_str()));
        assert_eq!(received.field("x-kept"), Some("yes"));
    }
}

#[test]
fn a_request_that_comes_back_stays_without_its_secrets() {
    let (address, elsewhere) = std::sync::mpsc::channel::<String>();
    let elsewhere = std::sync::Mutex::new(elsewhere);
    let first = Server::start(move |connection| {
        while let Some(request) = connection.receive() {
            if request.line().contains("/start") {
                connection.send(redirect(302, &elsewhere.lock().unwrap().recv().unwrap()));
            } else {
                connection.send(ok("back"));
            }
        }
    });
    let second = Server::answering(redirect(302, &first.url("/back")));
    address.send(second.url("/")).unwrap();
    let url = first.url("/start").replace("http://", "http://user:secret@");
    assert_eq!(text(&carry_out(get(&url)).unwrap()), "back");
    let authorized =
        first.requests().iter().map(|request| request.field("authorization").is_some()).collect::<Vec<_>>();
    assert_eq!(authorized, [true, false]);
    assert_eq!(last(&second).field("authorization"), None);
}

#[test]
fn only_http_and_https_are_followed() {
    for location in ["ftp://127.0.0.1/", "file:///etc/passwd", "http://", "javascript:alert(1)"] {
        let server = Server::answering(redirect(302, location));
        assert_eq!(carry_out(get(&server.url("/"))).unwrap_err().kind(), &FailureKind::BadRedirect, "{location}");
    }
}

#[test]
fn without_a_location_it_is_an_ordinary_reply() {
    for reply in [
        "HTTP/1.1 302 Found\r\nContent-Length: 2\r\n\r\nhi",
        "HTTP/1.1 301 Moved\r\nLocation:\r\nContent-Length: 2\r\n\r\nhi",
    ] {
        let server = Server::answering(reply);
        let response = carry_out(get(&server.url("/"))).unwrap();
        assert_eq!(text(&response), "hi");
    }
    for status in [200, 201, 404, 503] {
        let server = Server::answering(redirect(status, "/else"));
        assert_eq!(carry_out(get(&server.url("/"))).unwrap().status, status);
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn a_hop_with_a_long_body_costs_its_connection_only() {
    let server = Server::start(|connection| {
        while let Some(request) = connection.receive() {
            if request.line().contains("/start") {
                connection.send("HTTP/1.1 302 Found\r\nLocation: /end\r\nContent-Length: 10000000\r\n\r\nsome");
                connection.wait_for_close();
                return;
            }
            connection.send(ok("done"));
        }
    });
    assert_eq!(text(&carry_out(get(&server.url("/start"))).unwrap()), "done");
    assert_eq!(server.connections(), 2);
}

#[test]
fn a_posted_body_goes_along_on_308() {
    let server = one_hop(308);
    carry_out(post(&server.url("/start"), "{\"a\": 1}")).unwrap();
    assert_eq!(last(&server).body, b"{\"a\": 1}");
}
