//! Malformed rows and replies: each gets an outcome, and neither the worker nor its engine ends over it.

use testkit::{Call, Receiver, responses};

use crate::fixture::Fixture;

/// Runs SQL that queues this many requests to a receiver that is not ours to look at, among good ones, and fails the test
/// unless each has an outcome and the good ones are answered.
#[track_caller]
fn assert_survives(fixture: &mut Fixture, what: &str, count: usize, sql: &str) {
    let worker = fixture.cluster.worker_pid(&mut fixture.client);
    let url = fixture.receiver.url("/good");
    let before = fixture.receiver.count();
    fixture.client.batch_execute("truncate net._http_response").unwrap();
    let good = Call::get(&url).timeout(20_000).select_times(5);
    fixture
        .client
        .batch_execute(&format!("begin; {good}; {sql}; {good}; select net.wake(); commit"))
        .unwrap_or_else(|error| panic!("{what}: {error:?}"));
    let answers = responses(&mut fixture.client, count + 10);
    assert_eq!(answers.len(), count + 10, "{what}");
    for answer in &answers {
        assert_eq!(answer.status_code.is_none(), answer.error_msg.is_some(), "{what}: {answer:?}");
    }
    let arrived = fixture.receiver.requests();
    assert_eq!(arrived[before..].iter().filter(|request| request.path() == "/good").count(), 10, "{what}");
    fixture.assert_works();
    assert_eq!(fixture.cluster.worker_pid(&mut fixture.client), worker, "{what}");
    assert!(!fixture.cluster.log().contains("engine has stopped"), "{what}");
}

#[test]
fn headers_of_all_kinds_in_rows_end_as_outcomes() {
    let mut fixture = Fixture::new();
    let url = Receiver::start();
    let url = url.url("/x");
    for (what, headers) in [
        ("forty thousand headers", "(select jsonb_object_agg('H-' || n, 'v') from generate_series(1, 40000) n)"),
        ("a header of 5 MB", "jsonb_build_object('A', repeat('x', 5000000))"),
        ("a name of 100 kB", "jsonb_build_object(repeat('x', 100000), 'A')"),
        ("a name of no ASCII", r#"'{"né": "a"}'"#),
        ("no name", r#"'{"": "a"}'"#),
        ("no value", r#"'{"A": ""}'"#),
        ("a value of no ASCII", r#"'{"A": "é😀"}'"#),
        ("control characters", r#"'{"A": "a\u0001\u007fb"}'"#),
        ("a tab", r#"'{"A": "a\tb"}'"#),
        ("a value that is deep", "jsonb_build_object('A', (repeat('[', 5000) || repeat(']', 5000))::jsonb)"),
        ("a large number", r#"'{"A": 1e100000}'"#),
        ("lengths", r#"'{"Content-Length": "7", "content-length": "-1"}'"#),
        ("chunks", r#"'{"Transfer-Encoding": "chunked, gzip"}'"#),
        ("an upgrade", r#"'{"Connection": "upgrade", "Upgrade": "h2c", "HTTP2-Settings": "x"}'"#),
        ("an expectation", r#"'{"Expect": "100-continue"}'"#),
        ("another host", r#"'{"Host": "a b/c:99999"}'"#),
        ("no host", r#"'{"Host": ""}'"#),
        ("two hosts", r#"'{"Host": "a", "host": "b"}'"#),
        ("pseudo headers", r#"'{":authority": "a", ":path": "/"}'"#),
        ("trailers", r#"'{"TE": "trailers", "Trailer": "X"}'"#),
        ("codings", r#"'{"Accept-Encoding": "nonsense"}'"#),
    ] {
        let insert = format!(
            "insert into net.http_request_queue (method, url, headers, body, timeout_milliseconds) values
                 ('GET', '{url}', {headers}, null, 3000), ('POST', '{url}', {headers}, 'body', 3000)"
        );
        assert_survives(&mut fixture, what, 2, &insert);
    }
}

#[test]
fn extreme_values_in_rows_end_as_outcomes() {
    let mut fixture = Fixture::new();
    let receiver = Receiver::start();
    let url = receiver.url("/x");
    for (what, count, values) in [
        ("a body of 50 MB", 1, format!("(1, 'POST', '{url}', convert_to(repeat('x', 50000000), 'UTF8'), 9000)")),
        ("a body for a GET", 1, format!("(1, 'GET', '{url}', '\\x00ff', 9000)")),
        ("a body for a HEAD", 1, format!("(1, 'HEAD', '{url}', '\\x00ff', 9000)")),
        ("timeouts", 2, format!("(1, 'GET', '{url}', null, 2147483647), (1, 'GET', '{url}', null, 1)")),
        (
            "ids",
            3,
            format!(
                "(9223372036854775807, 'GET', '{url}', null, 9000), (-9223372036854775808, 'GET', '{url}', null, 9000),
             (0, 'GET', '{url}', null, 9000)"
            ),
        ),
        (
            "methods",
            4,
            format!(
            "(1, 'CONNECT', '{url}', null, 9000), (1, 'trace', '{url}', null, 9000), (1, 'PRI', '{url}', null, 9000),
             (1, '!#$%&''*+.^_`|~-', '{url}', null, 9000)"
        ),
        ),
        ("a URL of 1 MB", 1, format!("(1, 'GET', '{url}?' || repeat('x', 1000000), null, 9000)")),
        ("a URL of 60 kB", 1, format!("(1, 'GET', '{url}?' || repeat('é', 10000), null, 9000)")),
        ("a host of 10 kB", 1, "(1, 'GET', 'http://' || repeat('x', 10000) || '/', null, 9000)".to_owned()),
        ("labels without end", 1, "(1, 'GET', 'http://' || repeat('x.', 5000) || '/', null, 9000)".to_owned()),
        ("user information", 1, format!("(1, 'GET', '{}', null, 9000)", url.replace("//", "//a:b%00@"))),
        (
            "addresses",
            3,
            "(1, 'GET', 'http://[::1]:1/', null, 9000), (1, 'GET', 'http://0x7f.1:1/', null, 9000),
             (1, 'GET', 'http://127.0.0.1:0/', null, 9000)"
                .to_owned(),
        ),
    ] {
        let insert =
            format!("insert into net.http_request_queue (id, method, url, body, timeout_milliseconds) values {values}");
        assert_survives(&mut fixture, what, count, &insert);
    }
}

#[test]
fn rows_with_senseless_attempts_and_roles_end_as_outcomes() {
    let mut fixture = Fixture::new();
    let receiver = Receiver::start();
    let url = receiver.url("/x");
    let fails = receiver.url("/close");
    for (what, columns, values) in [
        ("no attempts", "max_attempts", vec!["0", "-1", "-2147483648"]),
        ("attempts beyond the most", "max_attempts, attempts", vec!["3, 3", "1, 2147483647", "2147483647, 2147483647"]),
        ("attempts below none", "max_attempts, attempts", vec!["1, -1", "2, -2147483648"]),
        ("at most once, more than once", "delivery, max_attempts", vec!["'at_most_once', 5", "'at_most_once', 0"]),
        ("long ago", "due", vec!["'-infinity'", "'4714-11-24 00:00:00+00 BC'", "'epoch'"]),
        ("keys", "idempotency_key", vec!["''", "repeat('x', 1000000)", r"E'a\r\nB: c'", "'é'", r"E'\x7f'", "' '"]),
        ("roles", "requested_by", vec!["0", "1", "4294967295", "16000"]),
    ] {
        for url in [&url, &fails] {
            let rows = values.iter().map(|values| format!("('POST', '{url}', 3000, {values})")).collect::<Vec<_>>();
            let insert = format!(
                "insert into net.http_request_queue (method, url, timeout_milliseconds, {columns}) values {}",
                rows.join(", ")
            );
            assert_survives(&mut fixture, what, rows.len(), &insert);
        }
    }
}

/// Their time never comes: they wait, and can be taken back.
#[test]
fn rows_due_at_infinity_or_long_ago_stop_no_worker() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/never");
    let never = format!(
        "insert into net.http_request_queue (method, url, timeout_milliseconds, due)
         values ('GET', '{url}', 3000, 'infinity'), ('GET', '{url}', 3000, '294276-12-31 23:59:59.999999+00')"
    );
    assert_survives(&mut fixture, "times that never come", 0, &never);
    let left = fixture.value::<i64>("select count(*) from net.http_request_queue");
    assert_eq!(left, 2);
    assert!(fixture.value::<bool>("select bool_and(net.cancel(id)) from net.http_request_queue"));
    assert_eq!(fixture.value::<i64>("select count(*) from net.http_request_queue"), 0);
    assert!(fixture.receiver.requests().iter().all(|request| request.path() != "/never"));
}

#[test]
fn replies_of_all_kinds_end_as_outcomes() {
    let mut fixture = Fixture::new();
    let receiver = Receiver::start();
    let head = |lines: &str| format!("HTTP/1.1 200 OK\r\n{lines}\r\n").into_bytes();
    let with_type = |charset: &str, body: &[u8]| {
        [
            head(&format!("Content-Type: text/plain; charset={charset}\r\nContent-Length: {}\r\n", body.len())),
            body.to_vec(),
        ]
        .concat()
    };
    let replies: Vec<(&str, Vec<u8>)> = vec![
        ("many fields", head(&(0..2000).map(|n| format!("H-{n}: v\r\n")).collect::<String>())),
        ("too many fields", head(&(0..100_000).map(|n| format!("H-{n}: v\r\n")).collect::<String>())),
        ("a long field", head(&format!("A: {}\r\n", "x".repeat(200_000)))),
        ("an endless line", vec![b'x'; 5_000_000]),
        ("a field that is no UTF-8", [&b"HTTP/1.1 200 OK\r\nA: \xff\xfe\r\nB\xe9: x\r\n\r\n"[..]].concat()),
        ("a field with a NUL", b"HTTP/1.1 200 OK\r\nA: a\0b\r\nContent-Length: 0\r\n\r\n".to_vec()),
        ("one field in all cases", head("A: 1\r\na: 2\r\nA: 3\r\nContent-Length: 0\r\n")),
        (
            "a thousand interim replies",
            [b"HTTP/1.1 103 Hints\r\n\r\n".repeat(1000), head("Content-Length: 0\r\n")].concat(),
        ),
        ("another protocol", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n".to_vec()),
        ("status 999", b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n".to_vec()),
        ("status 000", b"HTTP/1.1 000 Odd\r\nContent-Length: 0\r\n\r\n".to_vec()),
        ("half a surrogate", with_type("utf-16le", b"\x00\xd8a\x00")),
        ("an unknown charset", with_type("x-nonsense", b"caf\xe9")),
        ("utf-7", with_type("utf-7", b"+AOk-")),
        ("iso-2022-jp", with_type("iso-2022-jp", b"\x1b$B\x7f\x7f")),
        ("only a byte order mark", with_type("utf-8", b"\xef\xbb\xbf")),
        ("a NUL", with_type("utf-8", b"\0")),
        ("a type of 100 kB", with_type(&"x".repeat(100_000), b"a")),
        ("two lengths", head("Content-Length: 1\r\nContent-Length: 2\r\n")),
        ("a length beyond all", head("Content-Length: 99999999999999999999999\r\n")),
        ("a redirect to nowhere", b"HTTP/1.1 302 Found\r\nLocation: http://[::\r\nContent-Length: 0\r\n\r\n".to_vec()),
        ("a redirect to no text", b"HTTP/1.1 302 Found\r\nLocation: /\xff\xfe\r\nContent-Length: 0\r\n\r\n".to_vec()),
    ];
    let mut asks = Vec::new();
    for (number, (_, reply)) in replies.iter().enumerate() {
        let path = format!("/reply/{number}");
        receiver.script(&path, vec![reply.clone()]);
        asks.push(Call::get(&receiver.url(&path)).timeout(5000).select());
        assert_survives(&mut fixture, replies[number].0, 1, &asks[number]);
    }
    assert_survives(&mut fixture, "all at once", asks.len(), &asks.join(";"));
}
