//! What is refused at the call, with its SQLSTATE: no request can come of it. What else may be wrong is an outcome, which
//! `field::outcomes` is about.

use crate::fixture::{Fixture, error_of};

/// Fails the test unless a call is refused so.
#[track_caller]
fn assert_refused(fixture: &mut Fixture, call: &str, code: &str, part: &str) {
    let (state, message) = error_of(&mut fixture.client, &format!("select {call}"));
    assert!(message.contains(part), "{call}: {message}");
    assert_eq!(state, code, "{call}: {message}");
}

#[test]
fn a_null_url_is_refused() {
    let mut fixture = Fixture::new();
    for call in ["net.http_get(null)", "net.http_post(null)", "net.http_delete(null)"] {
        assert_refused(&mut fixture, call, "23502", r#"null value in column "url""#);
    }
    fixture.assert_works();
    assert_eq!(fixture.receiver.count(), 1);
}

#[test]
fn a_url_without_a_scheme_is_refused() {
    let mut fixture = Fixture::new();
    for call in
        ["net.http_get('localhost:6666')", "net.http_post('localhost:6666')", "net.http_delete('localhost:6666')"]
    {
        assert_refused(&mut fixture, call, "22023", "Unsupported URL scheme");
    }
}

#[test]
fn a_scheme_that_is_not_http_is_refused() {
    let mut fixture = Fixture::new();
    for url in ["ftp://127.0.0.1/", "file:///etc/passwd", "gopher://127.0.0.1/", "javascript:alert(1)"] {
        assert_refused(&mut fixture, &format!("net.http_get('{url}')"), "22023", "Unsupported URL scheme");
    }
}

#[test]
fn a_relative_url_is_refused() {
    let mut fixture = Fixture::new();
    assert_refused(&mut fixture, "net.http_get('/malformed_url')", "22023", r#"invalid URL "/malformed_url""#);
    assert_refused(&mut fixture, "net.http_post('/malformed_url')", "22023", r#"invalid URL "/malformed_url""#);
    assert_refused(&mut fixture, "net.http_delete('/malformed_url')", "22023", r#"invalid URL "/malformed_url""#);
}

#[test]
fn a_malformed_url_is_refused() {
    let mut fixture = Fixture::new();
    for url in ["", "http://", "http://a b/", "http://[::1/", "http://127.0.0.1:99999/"] {
        assert_refused(&mut fixture, &format!("net.http_get('{url}')"), "22023", "invalid URL");
    }
}

#[test]
fn params_and_headers_that_are_no_objects_are_refused() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/");
    for json in ["[]", "1", "\"text\"", "true"] {
        assert_refused(&mut fixture, &format!("net.http_get('{url}', params := '{json}')"), "22023", "params");
        assert_refused(&mut fixture, &format!("net.http_get('{url}', headers := '{json}')"), "22023", "headers");
    }
}

#[test]
fn a_null_timeout_is_refused() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/");
    let call = format!("net.http_get('{url}', timeout_milliseconds := null)");
    assert_refused(&mut fixture, &call, "23502", "timeout_milliseconds");
}

#[test]
fn arguments_of_http_request_that_make_no_sense_are_refused() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/");
    for (arguments, part) in [
        (format!("'G T', '{url}'"), "method"),
        (format!("'CONNECT', '{url}'"), "method"),
        (format!("'GET', '{url}', max_attempts := 0"), "max_attempts"),
        (format!("'GET', '{url}', max_attempts := 1001"), "max_attempts"),
        (format!("'GET', '{url}', max_attempts := 2, delivery := 'at_most_once'"), "at most once"),
    ] {
        assert_refused(&mut fixture, &format!("net.http_request({arguments})"), "22023", part);
    }
}

#[test]
fn a_refused_call_leaves_nothing_to_send() {
    let mut fixture = Fixture::new();
    error_of(&mut fixture.client, "select net.http_get('/malformed_url')");
    assert_eq!(fixture.value::<i64>("select count(*) from net.http_request_queue"), 0);
    fixture.assert_works();
    assert_eq!(fixture.value::<i64>("select count(*) from net._http_response"), 1);
}
