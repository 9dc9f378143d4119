//! Databases in encodings other than UTF-8: text goes out in UTF-8 whatever the database keeps it in, and comes back.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use postgres::Client;
use serde_json::json;
use testkit::{Call, Cluster, Receiver, response, responses};

use crate::fixture::{assert_works, error_of, value};

/// A server with the extension in a database of this encoding, which the worker serves.
fn database(encoding: &str) -> (Cluster, Client, Receiver) {
    let cluster = Cluster::builder().conf("pg_net.database_name", "other").start();
    let create = format!("create database other encoding '{encoding}' locale 'C' template template0");
    cluster.connect().batch_execute(&create).unwrap();
    let mut client = cluster.connect_as("postgres", "other");
    client.batch_execute("set client_encoding = 'UTF8'; create extension pg_net").unwrap();
    client.batch_execute("select net.worker_restart()").unwrap();
    client.batch_execute("select net.wait_until_running()").unwrap();
    (cluster, client, Receiver::start())
}

/// Encodings, each with a word that it can hold.
const WORDS: [(&str, &str); 6] = [
    ("UTF8", "né€😀"),
    ("LATIN1", "né¤"),
    ("SQL_ASCII", "né€😀"),
    ("EUC_JP", "日本語"),
    ("WIN1251", "привет"),
    ("LATIN9", "né€"),
];

#[test]
fn url_headers_body_and_reply_round_trip() {
    for (encoding, word) in WORDS {
        let (_cluster, mut client, receiver) = database(encoding);
        let url = receiver.url(&format!("/echo/{word}?q={word}"));
        let call = "select net.http_post($1, body := jsonb_build_object('word', $2::text, $2::text, 1),
                                         params := jsonb_build_object($2::text, $2::text),
                                         headers := jsonb_build_object('X-Word', $2::text))";
        let id = client.query_one(call, &[&url, &word]).unwrap().get(0);

        let answer = response(&mut client, id);
        assert_eq!(answer.status_code, Some(200), "{encoding}: {answer:?}");
        assert_eq!(answer.json()["json"], json!({"word": word, word: 1}), "{encoding}");
        assert_eq!(answer.json()["headers"]["x-word"], word, "{encoding}");
        // As the database sees it, and not as its bytes happen to come to a client.
        let known = "select content::jsonb -> 'headers' ->> 'x-word' = $1::text from net._http_response where id = $2";
        assert!(client.query_one(known, &[&word, &id]).unwrap().get::<_, bool>(0), "{encoding}");

        let request = receiver.wait_for(1).remove(0);
        let encoded = utf8_percent_encode(word, NON_ALPHANUMERIC).to_string();
        // As libcurl has it: the path is encoded in lower case, the query of the URL is left as it is.
        let path = encoded.to_lowercase();
        assert_eq!(request.target, format!("/echo/{path}?q={word}&{encoded}={encoded}"), "{encoding}");
        assert_eq!(request.json(), json!({"word": word, word: 1}), "{encoding}");
        assert_eq!(request.header("x-word"), Some(word), "{encoding}");
        let plain: String = client.query_one("select net._urlencode_string($1)", &[&word]).unwrap().get(0);
        assert_eq!(plain, encoded, "{encoding}");
    }
}

#[test]
fn a_replys_charset_and_header_are_turned_into_the_databases_encoding() {
    for (encoding, _) in WORDS {
        // One that all of these can hold, but for the Cyrillic one.
        let word = if encoding == "WIN1251" { "caf\u{a0}" } else { "café" };
        let (_cluster, mut client, receiver) = database(encoding);
        let latin1: Vec<u8> = word.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        let head = format!("HTTP/1.1 200 OK\r\nX-Word: {word}\r\nContent-Type: text/plain; charset=latin1\r\n\r\n");
        receiver.script("/latin1", vec![head.into_bytes(), latin1]);
        let id = Call::get(&receiver.url("/latin1")).send(&mut client);
        let answer = response(&mut client, id);
        assert_eq!(answer.content.as_deref(), Some(word), "{encoding}: {answer:?}");
        assert_eq!(answer.header("X-Word"), word, "{encoding}");
        receiver.wait_for(1);
    }
}

/// No text of the database's could hold it: the body is kept whole, and a header as far as it goes.
#[test]
fn what_the_encoding_cannot_hold_is_kept_as_bytes() {
    for encoding in ["LATIN1", "EUC_JP", "WIN1251"] {
        let (_cluster, mut client, receiver) = database(encoding);
        let reply = "HTTP/1.1 200 OK\r\nX-😀: né😀\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nsmile 😀";
        receiver.script("/smile", vec![reply.into()]);
        let id = Call::get(&receiver.url("/smile")).send(&mut client);
        let answer = response(&mut client, id);
        assert_eq!((answer.status_code, &answer.content), (Some(200), &None), "{encoding}: {answer:?}");
        let bytes: Vec<u8> = value(&mut client, "select content_bytes from net._http_response");
        assert_eq!(String::from_utf8(bytes).unwrap(), "smile 😀", "{encoding}");
        let header = answer.header("X-?").as_str().unwrap_or_else(|| panic!("{encoding}: {answer:?}"));
        assert!(header.starts_with('n') && header.ends_with('?'), "{encoding}: {header}");
        assert_works(&mut client, &receiver);
    }
}

/// Bytes that a database lets in as text although they mean nothing: a URL, headers and a body of them, with words that the
/// errors about them hold.
const MEANINGLESS: [(&str, &str, &str, &str); 2] = [
    ("SQL_ASCII", r"\xff", "22021", "UTF-8"),
    // In a row of JIS X 0208 where there are no characters.
    ("EUC_JP", r"\xa9a1", "22P05", "UTF8"),
];

#[test]
fn calls_with_text_that_means_nothing_are_refused() {
    for (encoding, bytes, code, part) in MEANINGLESS {
        let (_cluster, mut client, receiver) = database(encoding);
        let word = format!("convert_from('{bytes}', '{encoding}')");
        let url = format!("'{}'", receiver.url("/x"));
        for call in [
            format!("net.http_get({url} || {word})"),
            format!("net.http_get({url}, params := jsonb_build_object('p', {word}))"),
            format!("net.http_get({url}, params := jsonb_build_object({word}, 1))"),
            format!("net.http_post({url}, body := to_jsonb({word}))"),
            format!("net._urlencode_string({word})"),
        ] {
            let (state, message) = error_of(&mut client, &format!("select {call}"));
            assert!(state == code && message.contains(part), "{encoding}: {call}: {state} {message}");
        }
        assert_works(&mut client, &receiver);
        assert_eq!(receiver.count(), 1, "{encoding}");
    }
}

#[test]
fn rows_with_text_that_means_nothing_end_as_failures_and_stop_no_others() {
    for (encoding, bytes, _, part) in MEANINGLESS {
        let (cluster, mut client, receiver) = database(encoding);
        let worker = cluster.worker_pid_in(&mut client, "other");
        let word = format!("convert_from('{bytes}', '{encoding}')");
        let url = format!("'{}'", receiver.url("/x"));
        client
            .batch_execute(&format!(
                "insert into net.http_request_queue (method, url, headers, body, timeout_milliseconds) values
                     ('GET', {url} || {word}, null, null, 2000),
                     ('GET', {url}, jsonb_build_object('X-A', {word}), null, 2000),
                     ('GET', {url}, jsonb_build_object({word}, 'a'), null, 2000),
                     ('GET', {url}, jsonb_build_object('X-A', array[{word}]), null, 2000),
                     ('POST', {url}, null, '\\xff00fe', 2000);
                 select net.http_get({url}, headers := jsonb_build_object('X-A', {word}));
                 select net.http_post({url}, headers := jsonb_build_object('X-A', array[{word}]));
                 select net.wake()"
            ))
            .unwrap();
        let mut answers = responses(&mut client, 7);
        let sent = answers.remove(4);
        assert_eq!(sent.status_code, Some(200), "{encoding}: {sent:?}");
        assert_eq!(receiver.wait_for(1)[0].body, b"\xff\x00\xfe", "a body is bytes, whatever they mean");
        for answer in answers {
            answer.assert_failure(answer.error());
            assert!(answer.error().contains(part), "{encoding}: {answer:?}");
        }
        assert_works(&mut client, &receiver);
        assert_eq!(receiver.count(), 2, "{encoding}");
        assert_eq!(value::<i64>(&mut client, "select count(*) from net.http_request_queue"), 0, "{encoding}");
        assert_eq!(cluster.worker_pid_in(&mut client, "other"), worker, "{encoding}");
    }
}

/// Messages are in the database's encoding, too, whatever they quote.
#[test]
fn an_error_that_quotes_text_reaches_the_client() {
    for (encoding, word) in WORDS {
        let (_cluster, mut client, _) = database(encoding);
        let (state, message) = error_of(&mut client, &Call::get(&format!("/{word}")).select());
        assert!(state == "22023" && message.contains("invalid URL"), "{encoding}: {state} {message}");
        let headers = format!(r#"{{"{word}": "a"}}"#);
        let id = Call::get("http://127.0.0.1/").with("headers", &format!("'{headers}'")).send(&mut client);
        let message = testkit::response(&mut client, id).error_msg.unwrap();
        assert_eq!(message, format!("header \"{word}\" has a name that cannot be sent"), "{encoding}");
    }
}

/// Postgres has no conversion between this one and UTF-8: what is plain ASCII works.
#[test]
fn a_database_in_mule_internal_works_in_plain_ascii() {
    let cluster = Cluster::builder().conf("pg_net.database_name", "other").start();
    let psql = |sql: &str| cluster.run("psql", &["-XqAt", "-v", "ON_ERROR_STOP=1", "-d", "other", "-c", sql]);
    let create = "create database other encoding 'MULE_INTERNAL' locale 'C' template template0";
    cluster.connect().batch_execute(create).unwrap();
    psql("create extension pg_net");
    psql("select net.worker_restart()");
    let receiver = Receiver::start();
    let reply = "HTTP/1.1 200 OK\r\nX-Word: né\r\nContent-Type: text/plain; charset=utf-8\r\n\r\ncafé";
    receiver.script("/word", vec![reply.into()]);
    psql(&format!(
        "insert into net.http_request_queue (method, url, timeout_milliseconds)
             values ('GET', '{}' || convert_from('\\x81e9', 'MULE_INTERNAL'), 2000);
         select net.http_post('{}', jsonb_build_object('a', 1))",
        receiver.url("/x"),
        receiver.url("/word")
    ));
    psql("select net._await_response(1), net._await_response(2)");
    let failed = psql("select error_msg from net._http_response where id = 1");
    assert!(failed.contains("UTF8"), "{failed}");
    let answer = psql("select content, content_bytes, headers ->> 'X-Word' from net._http_response where id = 2");
    assert_eq!(answer.trim(), r"|\x636166c3a9|n?");
    assert_eq!(receiver.wait_for(1)[0].text(), r#"{"a": 1}"#);
    assert_eq!(receiver.count(), 1);
}
