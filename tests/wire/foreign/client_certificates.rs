//! Our certificate, for nginx and Apache, which ask for one.

use std::fs;

use testkit::{Apache, Authority, Builder, Identity, Nginx, PATIENCE, wait_until};

use super::trusting;
use crate::fixture::Fixture;

fn showing(builder: Builder, identity: &Identity, hosts: &str) -> Builder {
    builder
        .conf("pg_net.tls_client_cert_file", identity.certificate().to_str().unwrap())
        .conf("pg_net.tls_client_key_file", identity.key().to_str().unwrap())
        .conf("pg_net.tls_client_cert_hosts", hosts)
}

/// Tells who the client says it is, and does nothing else.
fn asking(authority: &Authority, identity: &Identity, verify: &str) -> Nginx {
    let authority = authority.file();
    let directives = format!(
        "ssl_client_certificate {}; ssl_verify_client {verify}; add_header X-Client \"name:$ssl_client_s_dn\";",
        authority.display()
    );
    Nginx::start_showing(identity, &directives)
}

#[test]
fn the_client_certificate_is_shown_to_the_hosts_of_the_setting_and_to_no_others() {
    let authority = Authority::new();
    let here = authority.certify_this_host();
    let client = authority.certify("client.example");
    let mut fixture = Fixture::with(showing(trusting(&authority), &client, "localhost, *.example").start_ready());
    let nginx = asking(&authority, &here, "optional");
    for (host, name) in [("localhost", "name:CN=client.example"), ("127.0.0.1", "name:")] {
        let answer = fixture.get_url(&nginx.tls_url("/").replace("localhost", host));
        assert_eq!((answer.status_code, answer.header("x-client").as_str()), (Some(200), Some(name)));
    }
}

#[test]
fn the_client_certificate_opens_what_is_closed_to_others() {
    let authority = Authority::new();
    let here = authority.certify_this_host();
    let client = authority.certify("client.example");
    let (nginx, apache) = (asking(&authority, &here, "on"), Apache::start(&authority));
    apache.put("/a.txt", b"for the known");
    let mut known = Fixture::with(showing(trusting(&authority), &client, "localhost").start_ready());
    assert_eq!(known.get_url(&nginx.tls_url("/")).text(), "ok");
    assert_eq!(known.get_url(&apache.known_url("/a.txt")).text(), "for the known");
    let requests = apache.wait_for(1);
    assert_eq!((requests[0].client_name.as_str(), requests[0].protocol.as_str()), ("client.example", "HTTP/2.0"));

    // With a certificate and no host to show it to.
    let mut unknown = Fixture::with(showing(trusting(&authority), &client, "").start_ready());
    assert_eq!(unknown.get_url(&nginx.tls_url("/")).status_code, Some(400));
    // In TLS 1.3 a server says so when the handshake is over for the client, which has sent its request by then.
    let refused = unknown.get_url(&apache.known_url("/a.txt"));
    refused.assert_failure("SSL Client Certificate required");
    assert_eq!(unknown.cause(&refused).0, "client_certificate_refused");
    assert_eq!(apache.wait_for(1).len(), 1, "it was not answered");
}

#[test]
fn the_client_certificate_is_read_again_on_reload() {
    let authority = Authority::new();
    let here = authority.certify_this_host();
    let (first, second) = (authority.certify("first.example"), authority.certify("second.example"));
    // Key and certificate in one file, as some have them.
    let file = first.both();
    let builder = trusting(&authority)
        .conf("pg_net.tls_client_cert_file", file.to_str().unwrap())
        .conf("pg_net.tls_client_cert_hosts", "localhost");
    let mut fixture = Fixture::with(builder.start_ready());
    let nginx = asking(&authority, &here, "on");
    let shown = |fixture: &mut Fixture| fixture.get_url(&nginx.tls_url("/")).headers.unwrap()["x-client"].clone();
    assert_eq!(shown(&mut fixture), "name:CN=first.example");
    fs::copy(second.both(), &file).unwrap();
    assert_eq!(shown(&mut fixture), "name:CN=first.example");
    fixture.client.batch_execute("select pg_reload_conf()").unwrap();
    wait_until("the second certificate", PATIENCE, || shown(&mut fixture) == "name:CN=second.example");

    fs::remove_file(&file).unwrap();
    fixture.client.batch_execute("select pg_reload_conf()").unwrap();
    fixture.cluster.wait_for_log(&format!("pg_net: {}: ", file.display()));
    let failed = fixture.get_url(&nginx.tls_url("/"));
    failed.assert_failure("Problem with the local SSL certificate");
    assert!(fixture.cause(&failed).1.contains(file.to_str().unwrap()));
    fixture.assert_works();
}
