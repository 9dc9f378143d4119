//! What a finished request tells of itself.

use serde_json::{Value, json};
use testkit::{Authority, Call, Cluster, Nginx, Receiver};

use crate::fixture::Fixture;

/// The row of a request, once it is done, with the columns whose value no test can know taken out: how long it took.
#[track_caller]
fn row(fixture: &mut Fixture, id: i64) -> Value {
    fixture.response(id);
    fixture.value(&format!(
        "select to_jsonb(r) - array['id', 'created', 'requested_by', 'elapsed_ms', 'dns_ms', 'handshake_ms',
                                    'exchange_ms', 'headers', 'content', 'content_type', 'content_bytes']
           from net._http_response r where id = {id}"
    ))
}

/// The milliseconds of a request: all, resolving, connecting, and the exchange. Fails the test unless they add up.
#[track_caller]
fn milliseconds(fixture: &mut Fixture, id: i64) -> [f32; 4] {
    let select = "select elapsed_ms, dns_ms, handshake_ms, exchange_ms from net._http_response where id = $1";
    let row = fixture.client.query_one(select, &[&id]).unwrap();
    let [elapsed, dns, handshake, exchange] = [0, 1, 2, 3].map(|column| row.get::<_, f32>(column));
    assert!((elapsed - dns - handshake - exchange).abs() < 0.01, "{row:?}");
    [elapsed, dns, handshake, exchange]
}

#[test]
fn a_success_records_its_connection_and_its_times() {
    let mut fixture = Fixture::new();
    let address = format!("127.0.0.1:{}", fixture.receiver.port());
    let url = fixture.receiver.url("/delay/30");
    let id = fixture.send(Call::request("purge", &url).params(json!({"a": "b c"})));
    assert_eq!(
        row(&mut fixture, id),
        json!({
            "status_code": 200, "timed_out": false, "error_msg": null, "error_kind": null, "error_detail": null,
            "method": "purge", "url": format!("{url}?a=b%20c"), "attempts": 1, "redirects": 0,
            "remote_address": address, "protocol": "HTTP/1.1",
        })
    );
    let [elapsed, dns, handshake, exchange] = milliseconds(&mut fixture, id);
    assert!(elapsed >= 30.0 && dns == 0.0 && handshake > 0.0 && exchange >= 30.0, "{elapsed} {dns} {handshake}");
    // On the same connection, so without a handshake.
    let again = fixture.get("/again").id.unwrap();
    let [_, dns, handshake, exchange] = milliseconds(&mut fixture, again);
    assert!(dns == 0.0 && handshake == 0.0 && exchange > 0.0, "{dns} {handshake} {exchange}");
    // A name has to be resolved.
    let named = fixture.get_url(&fixture.receiver.url("/named").replace("127.0.0.1", "localhost")).id.unwrap();
    assert!(milliseconds(&mut fixture, named)[1] > 0.0);
}

#[test]
fn user_name_and_password_of_the_url_are_sent_and_not_stored() {
    let mut fixture = Fixture::new();
    let refused = Receiver::refused_port();
    for (url, done) in [(fixture.receiver.url("/p?q=1#here"), Some(200)), (refused.url("/p?q=1"), None)] {
        let id = fixture.send(Call::get(&url.replace("http://", "http://user:hunter2@")));
        let answer = row(&mut fixture, id);
        assert_eq!(answer["status_code"], json!(done));
        assert_eq!(answer["url"], url.replace("#here", ""));
        let stored: String = fixture.value(&format!("select r::text from net._http_response r where id = {id}"));
        assert!(!stored.contains("hunter2") && !stored.contains("user"), "{stored}");
    }
    assert_eq!(fixture.received("/p").header("authorization"), Some("Basic dXNlcjpodW50ZXIy"));
    assert!(!fixture.cluster.log().contains("hunter2"));
}

#[test]
fn redirects_are_counted_and_the_last_hop_answered() {
    let mut fixture = Fixture::new();
    let last = Receiver::start();
    let url = fixture.receiver.url(&format!("/redirect/302?to={}", last.url("/hops/2")));
    let id = fixture.get_url(&url).id.unwrap();
    let answer = row(&mut fixture, id);
    let told = (&answer["redirects"], &answer["remote_address"], &answer["url"]);
    assert_eq!(told, (&json!(3), &json!(format!("127.0.0.1:{}", last.port())), &json!(url)));
    assert_eq!((fixture.receiver.count(), last.count()), (1, 3));
}

#[test]
fn a_failure_records_its_kind_its_cause_and_how_far_it_came() {
    let mut fixture = Fixture::new();
    let port = Receiver::refused_port();
    let server = format!("127.0.0.1:{}", fixture.receiver.port());
    for (url, kind, cause, remote, protocol) in [
        (port.url("/"), "connect", Some("Connection refused"), None, None),
        (fixture.receiver.url("/close"), "no_reply", None, Some(&server), Some("HTTP/1.1")),
        (fixture.receiver.url("/garbage"), "weird_reply", None, Some(&server), Some("HTTP/1.1")),
        (fixture.receiver.url("/truncate"), "partial", None, Some(&server), Some("HTTP/1.1")),
        (fixture.receiver.url("/redirect-loop"), "too_many_redirects", None, Some(&server), Some("HTTP/1.1")),
        (fixture.receiver.url("/redirect/302?to=ftp://host/"), "bad_redirect", None, Some(&server), Some("HTTP/1.1")),
    ] {
        let id = fixture.get_url(&url).id.unwrap();
        let answer = row(&mut fixture, id);
        assert_eq!((answer["error_kind"].as_str(), answer["status_code"].is_null()), (Some(kind), true), "{answer}");
        let detail = answer["error_detail"].as_str().unwrap_or_default();
        assert!(cause.is_none_or(|cause| detail.contains(cause)), "{answer}");
        let told = (answer["remote_address"].as_str(), answer["protocol"].as_str());
        assert_eq!(told, (remote.map(String::as_str), protocol), "{answer}");
        milliseconds(&mut fixture, id);
    }
    let id = fixture.send(Call::get(&fixture.receiver.url("/hang")).timeout(500));
    assert_eq!(row(&mut fixture, id)["error_kind"], "timeout");
    let [elapsed, _, _, exchange] = milliseconds(&mut fixture, id);
    assert!(elapsed >= 500.0 && exchange > 0.0, "{elapsed} {exchange}");
}

#[test]
fn a_response_over_http_2_records_its_version() {
    let authority = Authority::new();
    let nginx = Nginx::start_showing(&authority.certify_this_host(), "");
    let file = authority.file();
    let cluster = Cluster::builder().conf("pg_net.tls_ca_file", file.to_str().unwrap()).start_ready();
    let mut fixture = Fixture::with(cluster);
    let id = fixture.get_url(&nginx.tls_url("/")).id.unwrap();
    assert_eq!(row(&mut fixture, id)["protocol"], "HTTP/2");
    let [_, dns, handshake, exchange] = milliseconds(&mut fixture, id);
    assert!(dns > 0.0 && handshake > 0.0 && exchange > 0.0, "{dns} {handshake} {exchange}");
}
