//! What goes out over HTTP/1.1, to the byte. Beside what curl sends, it is `tests/wire_differences`.

use engine::{Policy, Proxy};

use crate::servers::host::{Host, carry_out, get, request};
use crate::servers::proxy::{Manner, ProxyServer};
use crate::servers::server::{Server, ok};

fn host() -> Host {
    Host::new(Policy { user_agent: "tester/1".to_owned(), accept_encoding: false, ..Policy::default() })
}

#[test]
fn case_31_names_go_out_as_they_were_written_and_the_host_first() {
    let server = Server::answering(ok(""));
    let host = host();
    let fields =
        [("X-Api-Key", " k "), ("SOAPAction", "\"a\""), ("x-low", "l"), ("X-API-KEY", "é"), ("hOST", "Other.Example")];
    // Bodies that look like heads, and one that takes many writes, on the connection of the others.
    let bodies = ["", "\r\n\r\nGET /body HTTP/1.1\r\nhost: body\r\n\r\n", &"a: b\r\n\r\n".repeat(300_000), "last"];
    for body in bodies {
        host.carry_out(request(1, "POST", &server.url("/a?b"), &fields, body)).result.unwrap();
    }
    let requests = server.requests();
    assert_eq!((server.connections(), requests.len()), (1, bodies.len()));
    for (received, body) in requests.iter().zip(bodies) {
        let head = format!(
            "POST /a?b HTTP/1.1\r\nHost: Other.Example\r\nAccept: */*\r\nX-Api-Key:  k \r\nSOAPAction: \"a\"\r\nx-low: l\r\n\
             X-API-KEY: é\r\nUser-Agent: tester/1\r\nContent-Length: {}",
            body.len()
        );
        assert_eq!(received.head, head);
        assert!(received.body == body.as_bytes());
    }
}

#[test]
fn case_31_a_proxy_is_told_the_same() {
    let proxy = ProxyServer::start(Manner { credentials: Some("Basic YTpi"), ..Manner::default() });
    let url = Proxy::parse(&format!("http://a:b@{}", proxy.address)).unwrap();
    let policy = Policy { proxy: Some(url), accept_encoding: false, ..Policy::default() };
    let get = request(1, "GET", "http://u:p@Nowhere.Example:80/a/../b?c'd#e", &[("X-Api-Key", "k")], "");
    Host::new(policy).carry_out(get).result.unwrap();
    let head = proxy.log().remove(0);
    let expected = "GET http://Nowhere.Example/b?c'd HTTP/1.1\r\nHost: Nowhere.Example\r\nProxy-Authorization: Basic YTpi\r\n\
                    Authorization: Basic dTpw\r\nAccept: */*\r\nX-Api-Key: k\r\nUser-Agent: ";
    assert!(head.starts_with(expected), "{head}");
}

#[test]
fn case_33_the_target_is_the_callers_byte_for_byte() {
    let server = Server::answering(ok(""));
    for sent in [
        "/Items?$filter=Name%20eq%20'x'",
        "/'\"<>[]{}|^`;\\+%zz%41",
        "/?'\"<>[]{}|^`;\\+%zz%41",
        "//a//b",
        "/?/../a",
        "/%2e%2e/a",
        "/?é",
    ] {
        carry_out(get(&server.url(sent))).unwrap();
        assert_eq!(server.requests().pop().unwrap().line(), format!("GET {sent} HTTP/1.1"));
    }
}

#[test]
fn case_37_what_is_blank_is_left_out_with_its_default_and_what_is_ours_in_any_case() {
    let server = Server::answering(ok(""));
    let ours = [
        "Connection",
        "Keep-Alive",
        "Content-Length",
        "Transfer-Encoding",
        "TE",
        "Trailer",
        "Upgrade",
        "Proxy-Connection",
        "HTTP2-Settings",
    ];
    let mut request =
        request(1, "POST", &server.url("/"), &[("Accept", ""), ("uSER-aGENT", " "), ("X-Blank", "\t")], "four");
    for name in ours {
        for name in [name.to_owned(), name.to_lowercase(), name.to_uppercase()] {
            request.push_header(&name, "100").unwrap();
        }
    }
    host().carry_out(request).result.unwrap();
    let received = server.requests().remove(0);
    assert_eq!(received.head, format!("POST / HTTP/1.1\r\nHost: {}\r\nContent-Length: 4", server.address()));
    assert_eq!(received.body, b"four");
}

#[test]
fn case_43_every_3xx_with_a_location_is_followed_and_the_location_is_encoded_byte_for_byte() {
    for status in 300..400 {
        let server = Server::start(move |connection| {
            while let Some(request) = connection.receive() {
                let reply = match request.line().contains(" /start ") {
                    true => [
                        format!("HTTP/1.1 {status} Odd\r\nContent-Length: 0\r\nLocation: /a b/").as_bytes(),
                        b"\xe9?c d=\xc3\xa9#f\r\n\r\n",
                    ]
                    .concat(),
                    false => ok("end").into_bytes(),
                };
                connection.send(reply);
            }
        });
        for method in ["GET", "POST", "PUT", "DELETE"] {
            carry_out(request(1, method, &server.url("/start"), &[("Content-Type", "text/plain")], "body")).unwrap();
            let last = server.requests().pop().unwrap();
            let becomes_get = matches!((status, method), (301 | 302, "POST") | (303, _));
            let becomes = if becomes_get { "GET" } else { method };
            assert_eq!(last.line(), format!("{becomes} /a%20b/%e9?c+d=%c3%a9 HTTP/1.1"), "{status} {method}");
            assert_eq!(last.body.is_empty(), becomes_get, "{status} {method}");
        }
    }
}
