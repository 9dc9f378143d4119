//! Certificates and keys as they are found, and a server that speaks TLS itself.

use std::fs;

use testkit::{Apache, Authority, Builder, Call, Cluster, Identity, Nginx, PATIENCE, Shutdown, wait_until};

use crate::fixture::Fixture;

fn trusting(authority: &Authority) -> Builder {
    Cluster::builder().conf("pg_net.tls_ca_file", authority.file().to_str().unwrap())
}

/// The kind of a failure, and what is said about it.
fn cause(fixture: &mut Fixture, id: Option<i64>) -> (String, String) {
    let select = "select error_kind, error_detail from net._http_response where id = $1";
    let row = fixture.client.query_one(select, &[&id]).unwrap();
    (row.get(0), row.get(1))
}

#[test]
fn case_38_a_certificate_as_openssl_makes_it_is_taken_from_the_systems_roots_and_from_the_setting() {
    let made = Identity::made_by_openssl("localhost");
    let nginx = Nginx::start_showing(&made, "");
    let file = made.certificate();
    let file = file.to_str().unwrap();
    for builder in [Cluster::builder().env("SSL_CERT_FILE", file), Cluster::builder().conf("pg_net.tls_ca_file", file)]
    {
        let mut fixture = Fixture::with(builder.start_ready());
        assert_eq!(fixture.get_url(&nginx.tls_url("/")).status_code, Some(200));
    }
    assert_eq!(nginx.wait_for(2).len(), 2);
    let mut stranger = Fixture::with(Cluster::builder().start_ready());
    let answer = stranger.get_url(&nginx.tls_url("/"));
    let (kind, detail) = cause(&mut stranger, answer.id);
    assert_eq!((kind.as_str(), detail.contains("self-signed certificate")), ("certificate", true), "{detail}");
}

#[test]
fn case_39_what_is_broken_in_the_authorities_is_warned_of_once_for_each_time_the_file_is_read() {
    let (authority, other) = (Authority::new(), Authority::new());
    let file = authority.file();
    let good = fs::read_to_string(&file).unwrap();
    let damaged = fs::read_to_string(other.file()).unwrap().replacen("MII", "MIJ", 1);
    fs::write(&file, format!("\u{feff}{damaged}{good}")).unwrap();
    let nginx = Nginx::start_showing(&authority.certify_this_host(), "");
    let mut fixture = Fixture::with(trusting(&authority).start_ready());
    for _ in 0..3 {
        assert_eq!(fixture.get_url(&nginx.tls_url("/")).status_code, Some(200));
    }
    let warning = format!("pg_net: {}: certificate 1 (line 1): it is damaged: ", file.display());
    let warnings = |fixture: &Fixture| fixture.cluster.log().matches(&warning).count();
    assert_eq!(warnings(&fixture), 1, "{}", fixture.cluster.log());

    fixture.client.batch_execute("select pg_reload_conf()").unwrap();
    wait_until("the second warning", PATIENCE, || warnings(&fixture) == 2);
    assert_eq!(fixture.get_url(&nginx.tls_url("/")).status_code, Some(200));
    fs::write(&file, &good).unwrap();
    fixture.client.batch_execute("select pg_reload_conf()").unwrap();
    assert_eq!(fixture.get_url(&nginx.tls_url("/")).status_code, Some(200));
    assert_eq!(warnings(&fixture), 2, "{}", fixture.cluster.log());
}

#[test]
fn case_40_servers_with_old_suites_and_groups_are_answered() {
    let made = Identity::made_by_openssl("localhost");
    let builder = Cluster::builder().conf("pg_net.tls_ca_file", made.certificate().to_str().unwrap());
    let mut fixture = Fixture::with(builder.start_ready());
    for directives in [
        "ssl_protocols TLSv1.2; ssl_ciphers ECDHE-RSA-AES128-SHA;",
        "ssl_protocols TLSv1.2; ssl_ciphers AES128-SHA;",
        "ssl_protocols TLSv1.3; ssl_ecdh_curve secp521r1;",
    ] {
        let nginx = Nginx::start_showing(&made, directives);
        assert_eq!(fixture.get_url(&nginx.tls_url("/")).status_code, Some(200), "{directives}");
    }
    let none = Nginx::start_showing(&made, "ssl_protocols TLSv1.2; ssl_ciphers aNULL:@SECLEVEL=0;");
    let answer = fixture.get_url(&none.tls_url("/"));
    answer.assert_failure("SSL connect error");
    let (kind, detail) = cause(&mut fixture, answer.id);
    assert_eq!(kind, "tls_handshake");
    // OpenSSL 3.0, and those after 3.2.
    assert!(["sslv3 alert handshake failure", "ssl/tls alert handshake failure"].contains(&&*detail), "{detail}");
}

#[test]
fn case_40_the_systems_openssl_policy_is_obeyed() {
    let authority = Authority::new();
    let policy = authority.file().with_extension("cnf");
    let sections = "openssl_conf = init\n[init]\nssl_conf = ssl\n[ssl]\nsystem_default = all\n[all]\n";
    fs::write(&policy, format!("{sections}MinProtocol = TLSv1.3\n")).unwrap();
    let builder = trusting(&authority).env("OPENSSL_CONF", policy.to_str().unwrap());
    let mut fixture = Fixture::with(builder.start_ready());
    for (protocol, status) in [("TLSv1.2", None), ("TLSv1.3", Some(200))] {
        let nginx = Nginx::start_showing(&authority.certify_this_host(), &format!("ssl_protocols {protocol};"));
        let answer = fixture.get_url(&nginx.tls_url("/"));
        assert_eq!(answer.status_code, status, "{protocol}");
        if status.is_none() {
            assert_eq!(cause(&mut fixture, answer.id).0, "tls_handshake");
        }
    }
}

#[test]
fn case_44_a_certificate_that_is_refused_is_shown_once_and_a_key_that_cannot_be_read_is_named() {
    let authority = Authority::new();
    let apache = Apache::start(&authority);
    apache.put("/a.txt", b"for the known");
    let mut fixture = Fixture::with(trusting(&authority).start_ready());
    let url = apache.known_url("/a.txt");
    // With attempts left, which are for what may be better the next time.
    let id = fixture.send(Call::request("GET", &url).max_attempts(5));
    let answer = fixture.response(id);
    answer.assert_failure("SSL Client Certificate required");
    let (kind, detail) = cause(&mut fixture, answer.id);
    assert_eq!(kind, "client_certificate_refused");
    assert!(detail.starts_with("the server says: "), "{detail}");
    assert_eq!(fixture.value::<i32>(&format!("select attempts from net._http_response where id = {id}")), 1);

    let client = authority.certify("client.example");
    client.encrypt_key();
    let key = client.key();
    let builder = trusting(&authority)
        .conf("pg_net.tls_client_cert_file", client.certificate().to_str().unwrap())
        .conf("pg_net.tls_client_key_file", key.to_str().unwrap())
        .conf("pg_net.tls_client_cert_hosts", "localhost");
    let mut fixture = Fixture::with(builder.start_ready());
    let why = format!("{}: the private key is encrypted", key.display());
    fixture.cluster.wait_for_log(&format!("pg_net: {why}"));
    let answer = fixture.get_url(&url);
    answer.assert_failure("Problem with the local SSL certificate");
    assert!(cause(&mut fixture, answer.id).1.starts_with(&why));
}

/// A server with `ssl = on` has set up OpenSSL before the worker is forked, and has it tidy up when the worker exits.
#[test]
fn a_worker_of_a_server_that_speaks_tls_itself_ends_in_peace_while_handshakes_are_under_way() {
    let authority = Authority::new();
    let here = authority.certify_this_host();
    let builder = trusting(&authority);
    let mut cluster = builder
        .conf("ssl", "on")
        .conf("ssl_cert_file", here.certificate().to_str().unwrap())
        .conf("ssl_key_file", here.key().to_str().unwrap())
        .start_ready();
    // A connection is for one request, so that there are many handshakes.
    let nginx = Nginx::start_showing(&here, "ssl_session_tickets off; keepalive_timeout 0;");
    let mut client = cluster.connect();
    for round in 0..5 {
        let ask = format!(
            "select count(net.http_get('{}', timeout_milliseconds := 20000)) from generate_series(1, 300)",
            nginx.tls_url("/")
        );
        client.execute(&ask, &[]).unwrap();
        nginx.wait_for(1 + round);
        if round % 2 == 0 {
            client.execute("select net.worker_restart()", &[]).unwrap();
        } else {
            let pid = cluster.worker_pid(&mut client);
            client.execute("select pg_terminate_backend($1)", &[&pid]).unwrap();
        }
        let ready = "select net.check_worker_is_up()";
        wait_until("the next worker", PATIENCE, || client.execute(ready, &[]).is_ok());
    }
    let left = "select count(*) from net.http_request_queue";
    wait_until("all outcomes", PATIENCE, || client.query_one(left, &[]).unwrap().get::<_, i64>(0) == 0);
    let outcomes = "select count(*), count(*) filter (where status_code = 200) from net._http_response";
    let row = client.query_one(outcomes, &[]).unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (1500, 1500));
    drop(client);
    cluster.stop(Shutdown::Fast);
    let log = cluster.log();
    assert!(!log.contains("was terminated by signal"), "{log}");
}
