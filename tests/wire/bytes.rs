//! Heads, targets and bodies, to the byte; the engine's own tests compare them with curl's.

use serde_json::json;

use testkit::Call;

use crate::fixture::Fixture;

#[test]
fn case_31_names_stand_as_they_are_written_in_the_object() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/names");
    let fields = json!({"X-Api-Key": "k", "SOAPAction": "a", "x-low": " l ", "User-Agent": "mine/1"});
    assert_eq!(fixture.fetch(Call::post(&url).json(json!({})).headers(&fields)).status_code, Some(200));
    let names = fixture.received("/names").headers.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    // jsonb keeps its keys by their length, and then by their bytes.
    assert_eq!(
        names,
        ["Host", "Accept", "x-low", "X-Api-Key", "SOAPAction", "User-Agent", "Content-Type", "Content-Length"]
    );
    assert_eq!(fixture.received("/names").header("x-low"), Some("l"), "but for what the receiver trims");
}

#[test]
fn case_33_the_target_is_the_callers_in_every_encoding() {
    for encoding in ["UTF8", "LATIN1"] {
        let mut fixture = Fixture::new();
        fixture
            .client
            .batch_execute(&format!("create database other encoding '{encoding}' locale 'C' template template0"))
            .unwrap();
        let mut client = fixture.cluster.connect_as("postgres", "other");
        client.batch_execute("create extension pg_net; select net.wait_until_running()").unwrap();
        for (path, sent) in [
            ("/Items?$filter=Name%20eq%20'x'", "/Items?$filter=Name%20eq%20'x'"),
            ("/a[1]{2}|^`\"<>;\\+%zz/../b//c", "/a[1]{2}|^`\"<>;\\+%zz/../b//c"),
            ("/?X-Amz-Signature=9f%2B%2f=&a='", "/?X-Amz-Signature=9f%2B%2f=&a='"),
            ("/é?é", "/%c3%a9?é"),
        ] {
            let sent = sent.replace("a[1]{2}|^`\"<>;\\+%zz/../", "");
            let (url, before) = (fixture.receiver.url(""), fixture.receiver.count());
            let id = Call::get(&format!("{url}{path}")).send(&mut client);
            assert_eq!(testkit::response(&mut client, id).status_code, Some(200), "{path}");
            assert_eq!(fixture.receiver.wait_beyond(before)[before].target, sent, "{encoding}");
        }
    }
}

#[test]
fn case_37_a_blank_header_is_left_out_with_the_default_of_its_name() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/blank");
    let fields =
        json!({"Accept": "", "user-agent": "", "Content-Type": "", "CONNECTION": "close", "content-length": "99"});
    assert_eq!(fixture.fetch(Call::post(&url).json(json!({})).headers(&fields)).status_code, Some(200));
    let names = fixture.received("/blank").headers.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names, ["Host", "Content-Length"]);
    assert_eq!(fixture.received("/blank").header("content-length"), Some("2"));
}

#[test]
fn case_41_what_is_not_in_its_coding_is_stored_as_it_came_with_a_detail() {
    let mut fixture = Fixture::new();
    let reply = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain";
    fixture.receiver.script("/plain", vec![reply.to_vec()]);
    let answer = fixture.get("/plain");
    assert_eq!((answer.status_code, answer.text(), &answer.error_msg), (Some(200), "plain", &None));
    let detail: String = fixture.value("select error_detail from net._http_response where error_kind is null");
    assert!(detail.starts_with("the body is not in its Content-Encoding: "), "{detail}");
    fixture.receiver.script("/short", vec![b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort".to_vec()]);
    fixture.get("/short").assert_failure("Transferred a partial file");
}

#[test]
fn case_43_every_3xx_is_followed_with_the_bytes_of_its_location() {
    let mut fixture = Fixture::new();
    for status in [300, 301, 304, 308, 399] {
        let head = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\nLocation: /to/");
        let reply = [head.as_bytes(), b"\xe9?\xc3\xa9\r\n\r\n"].concat();
        fixture.receiver.script("/from", vec![reply]);
        let before = fixture.receiver.count();
        assert_eq!(fixture.get("/from").status_code, Some(200), "{status}");
        let requests = fixture.receiver.requests();
        assert_eq!((requests.len(), requests[before + 1].target.as_str()), (before + 2, "/to/%e9?%c3%a9"), "{status}");
    }
}

#[test]
fn case_45_odd_replies_are_taken() {
    let mut fixture = Fixture::new();
    for (number, reply) in [
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n2\nhi\n0\n\n",
        "HTTP/1.1 200\r\nContent-Length: +2\r\n\r\nhi",
        "HTTP/1.1   200 OK\r\nContent-Length: 2\r\n\r\nhi",
        "http/1.1 200 OK\nContent-Length: 2\n\nhi",
    ]
    .into_iter()
    .enumerate()
    {
        let path = format!("/odd/{number}");
        fixture.receiver.script(&path, vec![reply.into()]);
        assert_eq!(fixture.get(&path).text(), "hi", "{reply:?}");
    }
}
