//! "Usage" of the three functions, and "Analyzing responses".

use serde_json::json;

use testkit::Call;

use crate::fixture::Fixture;

#[test]
fn http_get_usage() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/");
    let row = fixture.client.query_one(&format!("select net.http_get('{url}') as request_id;"), &[]).unwrap();
    // The page's request is the first of its database.
    assert_eq!(row.columns()[0].name(), "request_id");
    assert_eq!(row.get::<_, i64>(0), 1);

    let answer = fixture.response(1);
    assert_eq!((answer.status_code, answer.text()), (Some(200), "ok"));
    let request = fixture.received("/");
    assert_eq!(request.method, "GET");
    assert_eq!(request.body, b"");
}

#[test]
fn http_post_usage() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/echo/post");
    let id = fixture.value::<i64>(&format!(
        "select
            net.http_post(
                url:='{url}',
                body:='{{\"hello\": \"world\"}}'::jsonb
            ) as request_id;"
    ));
    assert_eq!(id, 1);
    let answer = fixture.response(1);
    assert_eq!(answer.status_code, Some(200));
    assert_eq!(answer.json()["json"], json!({"hello": "world"}));
    let request = fixture.received("/echo/post");
    assert_eq!(request.method, "POST");
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.text(), r#"{"hello": "world"}"#);
}

#[test]
fn http_delete_usage() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/api/v1/delete/2");
    let id = fixture.value::<i64>(&format!(
        "select
            net.http_delete(
                '{url}'
            ) as request_id;"
    ));
    assert_eq!(id, 1);
    assert_eq!(fixture.response(1).status_code, Some(200));
    let request = fixture.received("/api/v1/delete/2");
    assert_eq!((request.method.as_str(), request.body.as_slice()), ("DELETE", &b""[..]));
}

#[test]
fn analyzing_responses_waiting_requests_are_in_the_queue_and_go_upon_execution() {
    let mut fixture = Fixture::new();
    let gate = fixture.receiver.hold("/held");
    let url = fixture.receiver.url("/held");
    let id = fixture.send(Call::post(&url).header("X-A", "b"));
    fixture.received("/held");

    let waiting = "select method::text, url, headers, convert_from(body, 'UTF8'), timeout_milliseconds
                     from net.http_request_queue where id = $1";
    let row = fixture.client.query_one(waiting, &[&id]).unwrap();
    assert_eq!((row.get(0), row.get(1)), ("POST", url.as_str()));
    assert_eq!(row.get::<_, serde_json::Value>(2), json!({"X-A": "b", "Content-Type": "application/json"}));
    assert_eq!((row.get(3), row.get(4)), ("{}", 2000));

    gate.release();
    fixture.response(id);
    assert_eq!(fixture.value::<i64>("select count(*) from net.http_request_queue"), 0);
}

#[test]
fn analyzing_responses_the_responses_can_be_observed() {
    let mut fixture = Fixture::new();
    fixture.get("/status/201");
    let row = fixture.client.query_one("select * from net._http_response;", &[]).unwrap();
    let names: Vec<&str> = row.columns().iter().map(postgres::Column::name).take(8).collect();
    assert_eq!(names.join(","), "id,status_code,content_type,headers,content,timed_out,error_msg,created");
    assert_eq!(row.get::<_, i32>("status_code"), 201);
    assert_eq!(row.get::<_, &str>("content"), "status 201");
    assert!(!row.get::<_, bool>("timed_out"));
    assert_eq!(row.get::<_, Option<&str>>("error_msg"), None);
    assert_eq!(fixture.received("/status/201").method, "GET");
}
