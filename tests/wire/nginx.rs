//! Debian's nginx: TLS, HTTP/2, compression, kept connections.

use testkit::{Call, Cluster, Nginx, PATIENCE, wait_until};

use crate::fixture::Fixture;

/// A server that trusts the authority of this nginx, and no other.
fn trusting(nginx: &Nginx) -> Fixture {
    let file = nginx.authority_file();
    Fixture::with(Cluster::builder().env("SSL_CERT_FILE", file.to_str().unwrap()).start_ready())
}

#[test]
fn plain_requests_to_nginx_are_answered() {
    let mut fixture = Fixture::new();
    let nginx = Nginx::start();
    for status in [200, 201, 404, 500] {
        let answer = fixture.get_url(&nginx.url(&format!("/status/{status}")));
        assert_eq!(answer.status_code, Some(status));
        assert!(answer.header("Server").as_str().is_some_and(|server| server.starts_with("nginx/")), "{answer:?}");
    }
    let requests = nginx.wait_for(4);
    let statuses: Vec<&str> = requests.iter().map(|request| request.status.as_str()).collect();
    assert_eq!(statuses, ["200", "201", "404", "500"]);
    assert!(requests.iter().all(|request| request.server_protocol == "HTTP/1.1"));
    assert!(requests.iter().all(|request| request.user_agent == concat!("pg_net/", env!("CARGO_PKG_VERSION"))));
    assert!(requests.iter().all(|request| request.connection == requests[0].connection), "one connection");
}

#[test]
fn http_2_over_tls_works_with_an_authority_that_the_system_trusts() {
    let nginx = Nginx::start();
    let mut fixture = trusting(&nginx);
    for _ in 0..3 {
        let answer = fixture.get_url(&nginx.tls_url("/status/201"));
        assert_eq!((answer.status_code, answer.text()), (Some(201), "created"));
        // HTTP/2 has names in lower case only.
        assert_eq!(answer.header("content-type"), "text/plain");
        assert_eq!(answer.content_type.as_deref(), Some("text/plain"));
    }
    let requests = nginx.wait_for(3);
    assert!(requests.iter().all(|request| request.server_protocol == "HTTP/2.0"), "{requests:?}");
    assert!(requests.iter().all(|request| request.connection == requests[0].connection), "one connection");
}

#[test]
fn a_header_that_is_repeated_is_an_array_in_http_1_and_http_2() {
    let nginx = Nginx::start();
    let mut fixture = trusting(&nginx);
    for (url, name) in [(nginx.url("/repeat-headers"), "X-Twice"), (nginx.tls_url("/repeat-headers"), "x-twice")] {
        let answer = fixture.get_url(&url);
        assert_eq!(answer.header(name), &serde_json::json!(["one", "two"]), "{answer:?}");
    }
    let protocols: Vec<_> = nginx.wait_for(2).into_iter().map(|request| request.server_protocol).collect();
    assert_eq!(protocols, ["HTTP/1.1", "HTTP/2.0"]);
}

#[test]
fn ten_thousand_requests_of_one_transaction_are_answered() {
    let mut fixture = Fixture::new();
    let nginx = Nginx::start();
    let url = nginx.url("/");
    fixture.send_times(Call::get(&url), 10_000);
    assert_eq!(nginx.wait_for(10_000).len(), 10_000);
    let answers = testkit::responses(&mut fixture.client, 10_000);
    assert!(answers.iter().all(|answer| answer.status_code == Some(200)), "{:?}", answers[0]);
    assert!(answers.iter().map(|answer| answer.id.unwrap()).eq(1..=10_000), "each once");
}

/// A server trusts an authority when its file is named, and another one when the file has changed and is read again.
#[test]
fn the_authority_of_tls_ca_file_is_trusted_and_read_again_on_reload() {
    let (first, second) = (Nginx::start(), Nginx::start());
    let mut fixture = Fixture::new();
    fixture.get_url(&first.tls_url("/")).assert_failure("SSL peer certificate or SSH remote key was not OK");

    let file = fixture.cluster.data_directory().join("authority.pem");
    let trust = |nginx: &Nginx, fixture: &mut Fixture| {
        std::fs::copy(nginx.authority_file(), &file).unwrap();
        let set = format!("alter system set pg_net.tls_ca_file = '{}'", file.display());
        fixture.client.batch_execute(&set).unwrap();
        fixture.client.batch_execute("select pg_reload_conf()").unwrap();
        wait_until("an accepted certificate", PATIENCE, || {
            fixture.get_url(&nginx.tls_url("/status/201")).status_code == Some(201)
        });
        assert!(nginx.requests().iter().all(|request| request.status == "201"));
    };
    trust(&first, &mut fixture);
    fixture.get_url(&second.tls_url("/")).assert_failure("SSL peer certificate or SSH remote key was not OK");
    trust(&second, &mut fixture);
}

#[test]
fn tls_to_an_address_works_for_many_at_once() {
    let nginx = Nginx::start();
    let mut fixture = trusting(&nginx);
    let url = nginx.tls_url("/").replace("localhost", "127.0.0.1");
    fixture.send_times(Call::get(&url), 200);
    let answers = testkit::responses(&mut fixture.client, 200);
    assert!(answers.iter().all(|answer| answer.status_code == Some(200)), "{:?}", answers[0]);
    assert_eq!(nginx.wait_for(200).len(), 200);
}

#[test]
fn a_certificate_of_another_authority_or_for_another_name_is_refused() {
    let (nginx, stranger) = (Nginx::start(), Nginx::start());
    let mut fixture = trusting(&nginx);
    let not_ok = "SSL peer certificate or SSH remote key was not OK";
    fixture.get_url(&stranger.tls_url("/")).assert_failure(not_ok);
    // Another loopback address, which the certificate does not name.
    fixture.get_url(&nginx.tls_url("/").replace("localhost", "127.0.0.2")).assert_failure(not_ok);
    assert_eq!((nginx.requests(), stranger.requests()), (vec![], vec![]));
}

#[test]
fn a_compressed_body_is_decompressed() {
    let mut fixture = Fixture::with(Cluster::builder().conf("pg_net.accept_encoding", "on").start_ready());
    let nginx = Nginx::start();
    let url = nginx.url("/gzip");
    let answer = fixture.fetch(Call::get(&url));
    assert_eq!((answer.status_code, answer.text()), (Some(200), "well compressed, ".repeat(200).as_str()));
    assert_eq!(nginx.wait_for(1)[0].uri, "/gzip");
}
