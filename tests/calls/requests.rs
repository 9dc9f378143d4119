//! What goes over the wire for what was asked.

use serde_json::json;

use testkit::Call;

use crate::fixture::Fixture;

#[test]
fn params_are_encoded_and_appended_to_the_query_there_is() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/search?x=1");
    assert_eq!(
        fixture
            .fetch(
                Call::get(&url)
                    .params(json!({"a b": "c&d=e/é", "n": 1, "t": true, "o": {"k": [1]}, "skip": null, "-._~": ""})),
            )
            .status_code,
        Some(200)
    );
    let request = fixture.received("/search");
    let mut pairs: Vec<&str> = request.query().unwrap().split('&').collect();
    assert_eq!(pairs.remove(0), "x=1");
    pairs.sort_unstable();
    assert_eq!(pairs, ["-._~=", "a%20b=c%26d%3De%2F%C3%A9", "n=1", "o=%7B%22k%22%3A%20%5B1%5D%7D", "t=true"]);
}

#[test]
fn headers_are_sent_in_their_json_text_and_nulls_are_skipped() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/echo");
    let headers = json!({"X-Text": "a b", "X-Number": 1.5, "X-Bool": false, "X-List": [1, "a"], "X-None": null});
    assert_eq!(fixture.fetch(Call::get(&url).headers(&headers)).json()["headers"]["x-text"], "a b");
    let request = fixture.received("/echo");
    assert_eq!(request.header("x-text"), Some("a b"));
    assert_eq!(request.header("x-number"), Some("1.5"));
    assert_eq!(request.header("x-bool"), Some("false"));
    assert_eq!(request.header("x-list"), Some(r#"[1, "a"]"#));
    assert_eq!(request.header("x-none"), None);
    assert_eq!(request.header("content-type"), None);
}

#[test]
fn the_user_agent_is_ours_unless_the_user_gives_one() {
    let mut fixture = Fixture::new();
    fixture.get("/ours");
    assert_eq!(fixture.received("/ours").header("User-Agent"), Some(concat!("pg_net/", env!("CARGO_PKG_VERSION"))));
    let url = fixture.receiver.url("/theirs");
    assert_eq!(fixture.fetch(Call::get(&url).header("user-agent", "curl")).status_code, Some(200));
    let request = fixture.received("/theirs");
    let agents: Vec<_> = request.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("user-agent")).collect();
    assert_eq!(agents.len(), 1);
    assert_eq!(agents[0].1, "curl");
}

#[test]
fn a_post_without_a_content_type_is_json() {
    let mut fixture = Fixture::new();
    for (headers, expected) in [
        (json!({"X-A": "b"}), "application/json"),
        (json!({"content-type": "application/vnd.api+json"}), "application/vnd.api+json"),
        (json!({"Content-Type": null}), "application/json"),
    ] {
        let before = fixture.receiver.count();
        let url = fixture.receiver.url("/echo");
        assert_eq!(
            fixture.fetch(Call::post(&url).headers(&headers)).json()["headers"]["content-type"],
            expected,
            "{headers}"
        );
        assert_eq!(fixture.receiver.wait_for(before + 1)[before].header("content-type"), Some(expected));
    }
}

#[test]
fn a_body_is_the_text_of_the_jsonb() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/echo");
    let body = json!({"text": "é€😀\n\"", "numbers": [1, 1.50, 1e2], "none": null});
    let id = fixture.client.query_one("select net.http_post($1, body := $2)", &[&url, &body]).unwrap().get(0);
    assert_eq!(fixture.response(id).json()["json"], body);
    let as_text: String = fixture.client.query_one("select $1::jsonb::text", &[&body]).unwrap().get(0);
    let request = fixture.received("/echo");
    assert_eq!(request.text(), as_text);
    assert_eq!(request.header("content-length"), Some(as_text.len().to_string().as_str()));
}

#[test]
fn a_post_has_an_empty_object_for_a_body_and_none_for_null() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/default");
    assert_eq!(fixture.fetch(Call::post(&url)).status_code, Some(200));
    assert_eq!(fixture.received("/default").text(), "{}");
    let url = fixture.receiver.url("/null");
    assert_eq!(fixture.fetch(Call::post(&url).with("body", "null")).status_code, Some(200));
    let request = fixture.received("/null");
    assert_eq!((request.method.as_str(), request.text().as_str()), ("POST", ""));
}

#[test]
fn a_delete_may_have_a_body() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/echo");
    assert_eq!(
        fixture.fetch(Call::delete(&url).params(json!({"p": "q"})).header("X-A", "b").json(json!({"a": 1}))).json()["json"],
        json!({"a": 1})
    );
    let request = fixture.received("/echo");
    assert_eq!((request.method.as_str(), request.query()), ("DELETE", Some("p=q")));
    assert_eq!((request.header("x-a"), request.json()), (Some("b"), json!({"a": 1})));
}

#[test]
fn null_params_and_headers_are_none() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/null");
    let id = fixture.value::<i64>(&format!("select net.http_get('{url}', null, null)"));
    assert_eq!(fixture.response(id).status_code, Some(200));
    assert_eq!(fixture.received("/null").target, "/null");
}

#[test]
fn a_large_body_arrives_whole() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/echo");
    assert_eq!(
        fixture
            .fetch(Call::post(&url).with("body", "jsonb_build_object('x', repeat('é', 2000000))").timeout(20_000))
            .status_code,
        Some(200)
    );
    let request = fixture.received("/echo");
    assert_eq!(request.json()["x"].as_str().unwrap().chars().count(), 2_000_000);
}

#[test]
fn connections_are_kept_and_used_again() {
    let mut fixture = Fixture::new();
    for path in ["/one", "/two", "/three"] {
        fixture.get(path);
    }
    assert_eq!(fixture.receiver.count(), 3);
    assert_eq!(fixture.receiver.connections(), 1);
}
