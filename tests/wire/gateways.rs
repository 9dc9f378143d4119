//! Frameworks, gateways and services as they are.

use serde_json::{Value, json};
use testkit::{Authority, Call, Cluster, Framework};

use crate::fixture::Fixture;

fn fields() -> Value {
    json!({"Content-Type": "application/json", "X-Api-Key": "k"})
}

/// Each framework, with what it makes of a header's name.
fn frameworks(authority: &Authority) -> Vec<(&'static str, Framework)> {
    let identity = authority.certify_this_host();
    vec![("Express", Framework::express()), ("Go", Framework::go()), ("PHP-FPM", Framework::php(&identity))]
}

fn trusting(authority: &Authority) -> Fixture {
    Fixture::with(Cluster::builder().conf("pg_net.tls_ca_file", authority.file().to_str().unwrap()).start_ready())
}

#[test]
fn frameworks_get_what_was_asked_for_and_their_replies_are_the_outcomes() {
    let authority = Authority::new();
    let mut fixture = trusting(&authority);
    for (name, framework) in frameworks(&authority) {
        for url in [Some(framework.url("")), framework.tls_url("")].into_iter().flatten() {
            let body = json!({"order": 7, "name": "é"});
            let answer = fixture.fetch(Call::post(&format!("{url}/echo")).json(body.clone()).headers(&fields()));
            assert_eq!((answer.status_code, &answer.error_msg), (Some(200), &None), "{name}: {answer:?}");
            let got = answer.json();
            assert_eq!((&got["method"], &got["body"]), (&json!("POST"), &body), "{name}");
            let names = got["names"].as_array().unwrap();
            let has = |wanted: &str| names.iter().any(|name| name.as_str().unwrap().eq_ignore_ascii_case(wanted));
            assert!(has("X-Api-Key") && has("Content-Type") && has("User-Agent"), "{name}: {names:?}");
            if name == "Express" {
                assert!(names.contains(&json!("X-Api-Key")), "as it was written: {names:?}");
            }
            for (path, status) in [("/missing", 404), ("/broken", 500), ("/there", 200), ("/moved", 200)] {
                let answer = fixture.get_url(&format!("{url}{path}"));
                assert_eq!((answer.status_code, &answer.error_msg), (Some(status), &None), "{name} {path}: {answer:?}");
                if status == 200 {
                    assert_eq!(answer.text(), "there", "{name} {path}");
                }
            }
        }
    }
}

#[test]
fn a_gateway_that_answers_413_while_the_body_is_sent_is_heard() {
    let authority = Authority::new();
    let mut fixture = trusting(&authority);
    for (name, framework) in frameworks(&authority) {
        for url in [Some(framework.url("/echo")), framework.tls_url("/echo")].into_iter().flatten() {
            for _ in 0..5 {
                let answer = fixture.fetch(
                    Call::post(&url)
                        .with("body", "jsonb_build_object('a', repeat('x', 20000000))")
                        .headers(&fields())
                        .timeout(20_000),
                );
                assert_eq!((answer.status_code, &answer.error_msg), (Some(413), &None), "{name} {url}: {answer:?}");
            }
        }
    }
}

#[test]
fn server_sent_events_that_never_end_time_out_and_what_came_can_be_kept() {
    let authority = Authority::new();
    let mut fixture = trusting(&authority);
    for keep in [false, true] {
        fixture.cluster.alter_system("pg_net.keep_partial", if keep { "on" } else { "off" });
        for (name, framework) in frameworks(&authority) {
            for url in [Some(framework.url("/events")), framework.tls_url("/events")].into_iter().flatten() {
                // Until the setting applies.
                let answer = testkit::wait_until("what is kept", testkit::PATIENCE, || {
                    let answer = fixture.fetch(Call::get(&url).timeout(700));
                    assert!(answer.error().starts_with("Timeout of 700 ms reached. "), "{answer:?}");
                    assert_eq!((answer.timed_out, answer.status_code, &answer.headers), (Some(true), None, &None));
                    (answer.content.is_some() == keep).then_some(answer)
                });
                if keep {
                    assert!(answer.text().starts_with("data: 0\n\ndata: 1\n\n"), "{name}: {answer:?}");
                }
            }
        }
    }
}

#[test]
fn grpc_web_keeps_its_frames_whole_and_its_trailers_pass() {
    let mut fixture = Fixture::new();
    // A message of two bytes, and behind it the trailers in a frame of their own; over HTTP/1.1 as trailers, too.
    let frames = [b"\x00\x00\x00\x00\x02hi".as_slice(), b"\x80\x00\x00\x00\x10grpc-status: 0\r\n"].concat();
    let size = format!("{:x}\r\n", frames.len());
    let reply = [
        b"HTTP/1.1 200 OK\r\nContent-Type: application/grpc-web+proto\r\nTrailer: grpc-status\r\n\
          Transfer-Encoding: chunked\r\n\r\n",
        size.as_bytes(),
        &frames,
        b"\r\n0\r\ngrpc-status: 0\r\ngrpc-message: \r\n\r\n",
    ];
    fixture.receiver.script("/service/Method", vec![reply.concat()]);
    let url = fixture.receiver.url("/service/Method");
    let id = fixture.value::<i64>(&format!(
        "select net.http_request('POST', '{url}', '\\x00000000026869'::bytea, \
         headers := '{{\"Content-Type\": \"application/grpc-web+proto\", \"X-Grpc-Web\": \"1\"}}')"
    ));
    let answer = fixture.response(id);
    assert_eq!((answer.status_code, &answer.content, &answer.error_msg), (Some(200), &None, &None));
    assert_eq!(
        fixture.value::<Vec<u8>>(&format!("select content_bytes from net._http_response where id = {id}")),
        frames
    );
    let received = fixture.received("/service/Method");
    assert_eq!((received.header("x-grpc-web"), received.body.as_slice()), (Some("1"), &b"\0\0\0\0\x02hi"[..]));
    // An error comes with no body at all.
    let reply =
        b"HTTP/1.1 200 OK\r\nContent-Type: application/grpc-web+proto\r\ngrpc-status: 14\r\ngrpc-message: down\r\n\
                  Content-Length: 0\r\n\r\n";
    fixture.receiver.script("/service/Down", vec![reply.to_vec()]);
    let answer = fixture.get("/service/Down");
    assert_eq!((answer.status_code, answer.header("grpc-status")), (Some(200), &json!("14")));
}

/// As their documentation has them.
#[test]
fn error_replies_of_chat_and_payment_services_are_kept_and_hold_up_no_plain_request() {
    let mut fixture = Fixture::new();
    let services: [(&str, u16, &str, Value); 6] = [
        (
            "a chat's webhook",
            429,
            "Retry-After: 30\r\nContent-Type: application/json; charset=utf-8",
            json!({"ok": false, "error": "ratelimited"}),
        ),
        (
            "another chat's webhook",
            429,
            "Retry-After: 65\r\nX-RateLimit-Limit: 5\r\nX-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 1470173023.123\r\n\
             X-RateLimit-Reset-After: 64.57\r\nX-RateLimit-Bucket: abcd1234\r\nX-RateLimit-Scope: user\r\nVia: 1.1 google",
            json!({"message": "You are being rate limited.", "retry_after": 64.57, "global": false}),
        ),
        (
            "a bot",
            429,
            "Content-Type: application/json",
            json!({"ok": false, "error_code": 429, "description": "Too Many Requests: retry after 5",
                   "parameters": {"retry_after": 5}}),
        ),
        (
            "a payment that is declined",
            402,
            "Request-Id: req_1\r\nIdempotency-Key: a\r\nOriginal-Request: req_0\r\nStripe-Version: 2024-06-20",
            json!({"error": {"type": "card_error", "code": "card_declined", "message": "Your card was declined."}}),
        ),
        (
            "payments that are too many",
            429,
            "Request-Id: req_2\r\nStripe-Should-Retry: true\r\nStripe-Rate-Limited-Reason: global-rate",
            json!({"error": {"type": "invalid_request_error", "code": "rate_limit"}}),
        ),
        (
            "an API's quota",
            403,
            "x-ratelimit-limit: 60\r\nx-ratelimit-remaining: 0\r\nx-ratelimit-reset: 1372700873\r\nretry-after: 60",
            json!({"message": "API rate limit exceeded", "documentation_url": "https://docs.example/rate"}),
        ),
    ];
    for (number, (name, status, fields, body)) in services.iter().enumerate() {
        let (path, text) = (format!("/service/{number}"), body.to_string());
        let length = text.len();
        let reply = format!("HTTP/1.1 {status} X\r\n{fields}\r\nContent-Length: {length}\r\n\r\n{text}");
        fixture.receiver.script(&path, vec![reply.into_bytes()]);
        let url = fixture.receiver.url(&path);
        let answer = fixture.fetch(Call::post(&url).json(json!({"text": "hi"})));
        assert_eq!((answer.status_code, &answer.error_msg), (Some(i32::from(*status)), &None), "{name}");
        assert_eq!(&answer.json(), body, "{name}");
        for line in fields.split("\r\n") {
            let (field, value) = line.split_once(": ").unwrap();
            assert_eq!(answer.header(field), value, "{name}");
        }
        assert_eq!(fixture.received(&path).body, b"{\"text\": \"hi\"}", "{name}");
        fixture.assert_works();
    }
}
