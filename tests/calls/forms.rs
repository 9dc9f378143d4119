//! Forms as bodies of requests.

use std::process::Command;
use std::sync::Arc;

use testkit::Request;

use crate::fixture::{Fixture, error_of};

/// Sends a form that a select gives: a body and a content type.
fn send(fixture: &mut Fixture, form: &str, path: &str) -> Arc<Request> {
    let url = fixture.receiver.url(path);
    let request = format!(
        "select net.http_request('POST', '{url}', body, headers := jsonb_build_object('Content-Type', content_type))
           from ({form}) as form"
    );
    fixture.client.batch_execute(&request).unwrap();
    fixture.received(path)
}

#[test]
fn fields_are_encoded_as_a_browser_does() {
    let mut fixture = Fixture::new();
    for (fields, encoded) in [
        (r#"{"name": "J. Doe & Co", "age": 42}"#, "age=42&name=J.+Doe+%26+Co"),
        (r#"{"a": null, "b": "", "c": true}"#, "b=&c=true"),
        (
            r#"{"tag": ["x", 1, null, {"y": 2}], "z": {"y": 2}}"#,
            "z=%7B%22y%22%3A+2%7D&tag=x&tag=1&tag=%7B%22y%22%3A+2%7D",
        ),
        (r#"{"žluťoučký": "*-._~"}"#, "%C5%BElu%C5%A5ou%C4%8Dk%C3%BD=*-._%7E"),
        ("{}", ""),
        ("null", ""),
    ] {
        let form: String =
            fixture.client.query_one("select net.urlencode_form($1::text::jsonb)", &[&fields]).unwrap().get(0);
        assert_eq!(form, encoded, "{fields}");
    }
    assert_eq!(fixture.value::<Option<String>>("select net.urlencode_form(null)"), None);
    for fields in ["[1]", "\"a=b\"", "1"] {
        for function in ["net.urlencode_form", "net.multipart"] {
            let (state, message) = error_of(&mut fixture.client, &format!("select {function}('{fields}')"));
            assert_eq!((state.as_str(), message.as_str()), ("22023", "the fields of a form must be a JSON object"));
        }
    }
}

#[test]
fn a_form_with_files_is_what_curl_makes_of_it() {
    let mut fixture = Fixture::new();
    let bytes = "decode('89504e470d0a1a0a00ff2d2d', 'hex')";
    let sent = send(
        &mut fixture,
        &format!(
            r#"select * from net.multipart('{{"a \"b\"": "é", "c": ["1", "2"]}}',
               net.form_field('json', '{{"x": 1}}', 'application/json'),
               net.form_file('photo', {bytes}, 'a "b".png', 'image/png'),
               net.form_file('plain', 'text', 'x.txt'))"#
        ),
        "/ours",
    );
    let directory = fixture.cluster.data_directory();
    std::fs::write(directory.join("photo"), b"\x89PNG\r\n\x1a\n\0\xff--").unwrap();
    std::fs::write(directory.join("text"), "text").unwrap();
    let forms = [
        "c=1",
        "c=2",
        "a \"b\"=é",
        "json={\"x\": 1};type=application/json",
        "photo=@photo;filename=\"a \\\"b\\\".png\";type=image/png",
        "plain=@text;filename=x.txt;type=application/octet-stream",
    ];
    let curl = Command::new("curl")
        .args(["-sS", "--max-time", "10"])
        .args(forms.iter().flat_map(|form| ["-F", form]))
        .arg(fixture.receiver.url("/curls"))
        .current_dir(directory)
        .output()
        .unwrap();
    assert!(curl.status.success(), "{curl:?}");
    let curls = fixture.received("/curls");
    assert_eq!(without_boundary(&sent), without_boundary(&curls));
}

/// The lines of a form, with its boundary taken out.
fn without_boundary(request: &Request) -> Vec<String> {
    let content_type = request.header("content-type").unwrap();
    let boundary = content_type.strip_prefix("multipart/form-data; boundary=").unwrap();
    let latin1 = request.body.iter().copied().map(char::from).collect::<String>();
    latin1.replace(boundary, "BOUNDARY").split("\r\n").map(str::to_owned).collect()
}

#[test]
fn parts_come_from_rows_and_those_without_data_do_not_count() {
    let mut fixture = Fixture::new();
    fixture.client.batch_execute("create table photo (name text, data bytea)").unwrap();
    fixture.client.batch_execute(r"insert into photo values ('a', '\x00ff'), ('b', null), ('c', '\x')").unwrap();
    let sent = send(
        &mut fixture,
        "select form.* from (select array_agg(net.form_file(name, data, name) order by name) as parts from photo) as photos,
         net.multipart(null, variadic parts || null || net.form_field('none', null)) as form",
        "/rows",
    );
    let lines = without_boundary(&sent);
    let names = lines.iter().filter(|line| line.starts_with("Content-Disposition")).collect::<Vec<_>>();
    assert_eq!(
        names,
        ["a", "c"]
            .map(|name| format!("Content-Disposition: form-data; name=\"{name}\"; filename=\"{name}\""))
            .each_ref()
    );
    assert!(lines.contains(&"\0\u{ff}".to_owned()), "{lines:?}");
}

#[test]
fn a_part_that_cannot_be_sent_is_refused() {
    let mut fixture = Fixture::new();
    for (part, message) in [
        ("net.form_field(null, 'x')", "a part of a form needs a name"),
        (
            r"net.form_file('a', '', 'b', E'image/png\r\nX: y')",
            "Invalid content type of the form's part \"a\": it holds a control character",
        ),
    ] {
        let (state, have) = error_of(&mut fixture.client, &format!("select net.multipart('{{}}', {part})"));
        assert_eq!((state.as_str(), have.as_str()), ("22023", message));
    }
}

/// A role that may not see the tables may still build a body.
#[test]
fn everybody_may_build_forms() {
    let mut fixture = Fixture::new();
    fixture.client.batch_execute("create role someone login").unwrap();
    let mut someone = fixture.cluster.connect_as("someone", "postgres");
    let call =
        "select net.urlencode_form('{\"a\": 1}') || (net.multipart('{}', net.form_field('b', '2'))).content_type";
    let answer: String = someone.query_one(call, &[]).unwrap().get(0);
    assert!(answer.starts_with("a=1multipart/form-data; boundary="), "{answer}");
}

#[test]
fn a_form_of_a_latin1_database_is_utf_8() {
    let mut fixture = Fixture::new();
    fixture.client.batch_execute("create database western encoding 'latin1' locale 'C' template template0").unwrap();
    let mut western = fixture.cluster.connect_as("postgres", "western");
    western.batch_execute("create extension pg_net").unwrap();
    let call = "select net.urlencode_form('{\"é\": \"ü\"}'),
                       encode((net.multipart('{\"é\": \"ü\"}', net.form_field('ö', 'ß'))).body, 'hex')";
    let row = western.query_one(call, &[]).unwrap();
    assert_eq!(row.get::<_, &str>(0), "%C3%A9=%C3%BC");
    for text in ["\"é\"\r\n\r\nü", "\"ö\"\r\n\r\nß"] {
        let hex = text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert!(row.get::<_, &str>(1).contains(&hex), "{text}");
    }
}

#[test]
fn the_form_functions_keep_their_signatures_and_types() {
    let mut fixture = Fixture::new();
    let functions: String = fixture.value(
        "select string_agg(format('%s(%s) %s%s', proname, pg_get_function_arguments(oid), provolatile, proparallel),
                           e'\\n' order by proname)
           from pg_proc where pronamespace = 'net'::regnamespace
                          and proname in ('urlencode_form', 'multipart', 'form_field', 'form_file')",
    );
    let expected = [
        "form_field(name text, value text, content_type text DEFAULT NULL::text) is",
        "form_file(name text, data bytea, filename text, content_type text DEFAULT 'application/octet-stream'::text) is",
        "multipart(fields jsonb, VARIADIC parts net.form_part[] DEFAULT '{}'::net.form_part[], \
         OUT body bytea, OUT content_type text) is",
        "urlencode_form(fields jsonb) is",
    ];
    assert_eq!(functions.lines().collect::<Vec<_>>(), expected);
    let twice = "select net.multipart('{\"a\": 1}', net.form_field('b', '2')) = net.multipart('{\"a\": 1}', net.form_field('b', '2'))";
    assert!(fixture.value::<bool>(twice), "the same each time");
}
