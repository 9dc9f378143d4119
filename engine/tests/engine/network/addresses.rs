use engine::{Policy, Target};

use crate::servers::certificates::Authority;
use crate::servers::host::{Host, get, text};
use crate::servers::server::{Server, ok};
use crate::tls::trusting;

#[test]
fn ipv6_literals() {
    let server = Server::start_on("[::1]:0", |connection| {
        while let Some(request) = connection.receive() {
            let location = format!("http://{}/there", request.field("host").unwrap());
            let redirect = format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
            connection.send(if request.line().contains(" /here ") { redirect } else { ok("v6") });
        }
    });
    let port = server.address().port();
    let host = Host::new(Policy::default());
    for spelling in ["[::1]", "[0:0:0:0:0:0:0:1]", "[::0.0.0.1]"] {
        let outcome = host.carry_out(get(&format!("http://{spelling}:{port}/here")));
        assert_eq!(outcome.trace().unwrap().remote, Some(server.address()));
        assert_eq!(outcome.trace().unwrap().url(), format!("http://[::1]:{port}/there"));
        assert_eq!(text(&outcome.result.unwrap()), "v6");
    }
    assert_eq!(server.connections(), 1, "all spellings are one host");
    assert_eq!(server.requests()[0].field("host"), Some(format!("[::1]:{port}").as_str()));
}

#[test]
fn ipv6_literals_over_tls() {
    let authority = Authority::new();
    let config = authority.server("::1", &[]);
    let server = Server::start_on("[::1]:0", move |connection| {
        let tls = rustls::ServerConnection::new(config.clone()).unwrap();
        let mut secure = connection.over(|stream| rustls::StreamOwned::new(tls, stream));
        secure.receive();
        secure.send(ok("secure v6"));
    });
    let host = Host::new(trusting(&authority));
    assert_eq!(text(&host.get(&format!("https://[::1]:{}/", server.address().port()))), "secure v6");
}

#[test]
fn case_32_localhost_and_names_below_it_are_both_loopback_addresses() {
    for address in ["[::1]:0", "127.0.0.1:0"] {
        let server = Server::start_on(address, |connection| {
            connection.receive();
            connection.send(ok("here"));
            connection.end();
        });
        let host = Host::new(Policy::default());
        for name in ["localhost", "app.localhost", "LOCALHOST", "localhost."] {
            let outcome = host.carry_out(get(&format!("http://{name}:{}/", server.address().port())));
            assert_eq!(outcome.trace().unwrap().remote, Some(server.address()), "{name}");
            assert_eq!(text(&outcome.result.unwrap()), "here");
        }
    }
}

#[test]
fn a_host_has_one_origin_however_it_is_written() {
    for spellings in [
        &[
            "http://bücher.example/",
            "http://BÜCHER.example:80/",
            "http://xn--bcher-kva.example/",
            "http://bu\u{308}cher.example/",
        ][..],
        &["https://[::1]/", "https://[0::1]:443/"],
        &["http://127.0.0.1/", "http://127.1/", "http://0x7f000001/", "http://2130706433/", "http://127。0。0。1/"],
    ] {
        let origins = spellings.iter().map(|url| Target::parse(url).unwrap().origin().clone()).collect::<Vec<_>>();
        assert!(origins.windows(2).all(|pair| pair[0] == pair[1]), "{origins:?}");
    }
    for text in ["http://xn--a/", "http://a\u{200b}.exa mple/", "http://[::1/", "http://1.2.3.400/"] {
        assert!(Target::parse(text).is_err(), "{text}");
    }
}
