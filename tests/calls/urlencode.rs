//! Percent-encoding from SQL.

use crate::fixture::Fixture;

#[test]
fn unreserved_characters_stay_and_all_others_are_encoded() {
    let mut fixture = Fixture::new();
    for (plain, encoded) in [
        ("aZ09-._~", "aZ09-._~"),
        ("a b", "a%20b"),
        ("&=?/#+%", "%26%3D%3F%2F%23%2B%25"),
        ("é€😀", "%C3%A9%E2%82%AC%F0%9F%98%80"),
        ("", ""),
    ] {
        let answer: String = fixture.client.query_one("select net._urlencode_string($1)", &[&plain]).unwrap().get(0);
        assert_eq!(answer, encoded);
    }
}

#[test]
fn urlencode_of_null_is_null() {
    let mut fixture = Fixture::new();
    for call in [
        "net._urlencode_string(null)",
        "net._encode_url_with_params_array(null, '{a=b}')",
        "net._encode_url_with_params_array('http://host/', null)",
    ] {
        assert_eq!(fixture.value::<Option<String>>(&format!("select {call}")), None, "{call}");
    }
}

#[test]
fn params_are_appended_to_the_query_there_is() {
    let mut fixture = Fixture::new();
    for (url, params, expected) in [
        ("http://host/a", "{x=1,y=2}", "http://host/a?x=1&y=2"),
        ("http://host/a?z=0", "{x=1}", "http://host/a?z=0&x=1"),
        ("http://host/a", "{}", "http://host/a"),
        ("http://host/a#fragment", "{x=1}", "http://host/a?x=1#fragment"),
        ("https://host:8443/", "{a=b%20c}", "https://host:8443/?a=b%20c"),
    ] {
        let call = "select net._encode_url_with_params_array($1, $2::text::text[])";
        let answer: String = fixture.client.query_one(call, &[&url, &params]).unwrap().get(0);
        assert_eq!(answer, expected);
    }
}

#[test]
fn the_urlencode_functions_are_immutable() {
    let mut fixture = Fixture::new();
    let volatile = "select count(*) from pg_proc where pronamespace = 'net'::regnamespace
                     and proname in ('_urlencode_string', '_encode_url_with_params_array') and provolatile = 'i'";
    assert_eq!(fixture.value::<i64>(volatile), 2);
}
