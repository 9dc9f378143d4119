use postgres::{Client, Row};
use serde_json::Value;

use crate::{PATIENCE, wait_until};

/// A row of `net._http_response`.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Response {
    pub id: Option<i64>,
    pub status_code: Option<i32>,
    pub content_type: Option<String>,
    pub headers: Option<Value>,
    pub content: Option<String>,
    pub timed_out: Option<bool>,
    pub error_msg: Option<String>,
}

const COLUMNS: &str = "id, status_code, content_type, headers, content, timed_out, error_msg";

impl Response {
    fn from_row(row: &Row) -> Self {
        Self {
            id: row.get(0),
            status_code: row.get(1),
            content_type: row.get(2),
            headers: row.get(3),
            content: row.get(4),
            timed_out: row.get(5),
            error_msg: row.get(6),
        }
    }

    /// The error message; fails the test where there is none.
    #[track_caller]
    pub fn error(&self) -> &str {
        self.error_msg.as_deref().unwrap_or_else(|| panic!("no failure: {self:?}"))
    }

    /// The body; fails the test where there is none.
    #[track_caller]
    pub fn text(&self) -> &str {
        self.content.as_deref().unwrap_or_else(|| panic!("no content: {self:?}"))
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(self.text()).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// A header; null where there is none.
    #[track_caller]
    pub fn header(&self, name: &str) -> &Value {
        &self.headers.as_ref().unwrap_or_else(|| panic!("no headers: {self:?}"))[name]
    }

    /// Fails the test unless it is a failure as all failures are: this message, and nothing of a reply.
    #[track_caller]
    pub fn assert_failure(&self, message: &str) {
        assert_eq!(self.error_msg.as_deref(), Some(message));
        assert_eq!(self.timed_out, Some(false));
        self.assert_no_reply();
    }

    /// Fails the test unless it is a time-out, with the times that the message tells adding up.
    #[track_caller]
    pub fn assert_timeout(&self, limit: u32) {
        let numbers: Vec<f64> = self.error().split(' ').filter_map(|word| word.parse().ok()).collect();
        let [stated, total, dns, handshake, exchange] = numbers[..] else { panic!("five numbers: {self:?}") };
        let expected = format!(
            "Timeout of {limit} ms reached. Total time: {total:.6} ms (DNS time: {dns:.6} ms, \
             TCP/SSL handshake time: {handshake:.6} ms, HTTP Request/Response time: {exchange:.6} ms)"
        );
        assert_eq!(self.error(), expected);
        assert_eq!(stated, f64::from(limit));
        assert!((total - dns - handshake - exchange).abs() < 0.01, "the phases add up: {self:?}");
        assert!(total >= stated, "the time had passed: {self:?}");
        assert_eq!(self.timed_out, Some(true));
        self.assert_no_reply();
    }

    #[track_caller]
    fn assert_no_reply(&self) {
        assert_eq!((self.status_code, &self.content_type), (None, &None), "{self:?}");
        assert_eq!((&self.headers, &self.content), (&None, &None), "{self:?}");
    }
}

/// Waits for the response to a request.
#[track_caller]
pub fn response(client: &mut Client, id: i64) -> Response {
    let select = format!("select {COLUMNS} from net._http_response where id = $1");
    wait_until(&format!("the response to request {id}"), PATIENCE, || {
        client.query_opt(&select, &[&id]).expect("at most one response").map(|row| Response::from_row(&row))
    })
}

/// Waits until there are so many responses, and returns them all, in the order of their requests.
#[track_caller]
pub fn responses(client: &mut Client, count: usize) -> Vec<Response> {
    let select = format!("select {COLUMNS} from net._http_response order by id");
    wait_until(&format!("{count} responses"), PATIENCE, || {
        let held: i64 = client.query_one("select count(*) from net._http_response", &[]).expect("count").get(0);
        usize::try_from(held).is_ok_and(|held| held >= count)
    });
    client.query(&select, &[]).expect("read responses").iter().map(Response::from_row).collect()
}
