use std::fmt::{self, Display, Formatter};

use postgres::GenericClient;
use serde_json::{Map, Value};

/// A call of a function that makes a request. Shown, it is SQL: `net.http_get('http://…', timeout_milliseconds := 500)`.
#[derive(Clone)]
#[must_use]
pub struct Call {
    function: &'static str,
    arguments: Vec<String>,
    headers: Map<String, Value>,
}

impl Call {
    /// `net.http_get`
    pub fn get(url: &str) -> Self {
        Self::new("http_get", &[url])
    }

    /// `net.http_head`
    pub fn head(url: &str) -> Self {
        Self::new("http_head", &[url])
    }

    /// `net.http_post`
    pub fn post(url: &str) -> Self {
        Self::new("http_post", &[url])
    }

    /// `net.http_put`
    pub fn put(url: &str) -> Self {
        Self::new("http_put", &[url])
    }

    /// `net.http_patch`
    pub fn patch(url: &str) -> Self {
        Self::new("http_patch", &[url])
    }

    /// `net.http_delete`
    pub fn delete(url: &str) -> Self {
        Self::new("http_delete", &[url])
    }

    /// `net.http_request`, which alone takes bodies of text and bytes, attempts, times and ways of delivery.
    pub fn request(method: &str, url: &str) -> Self {
        Self::new("http_request", &[method, url])
    }

    fn new(function: &'static str, positional: &[&str]) -> Self {
        let arguments = positional.iter().map(|text| literal(text)).collect();
        Self { function, arguments, headers: Map::new() }
    }

    /// One more argument: its name, and an expression in SQL.
    pub fn with(mut self, name: &str, expression: &str) -> Self {
        self.arguments.push(format!("{name} := {expression}"));
        self
    }

    /// A body of type jsonb.
    pub fn json(self, body: Value) -> Self {
        self.with("body", &format!("{}::jsonb", literal(&body.to_string())))
    }

    /// A body of type text.
    pub fn text(self, body: &str) -> Self {
        self.with("body", &format!("{}::text", literal(body)))
    }

    /// A body of type bytea.
    pub fn bytes(self, body: &[u8]) -> Self {
        let digits: String = body.iter().map(|byte| format!("{byte:02x}")).collect();
        self.with("body", &format!("'\\x{digits}'::bytea"))
    }

    /// Parameters for the URL's query.
    pub fn params(self, params: Value) -> Self {
        self.with("params", &literal(&params.to_string()))
    }

    /// All headers at once, an object.
    pub fn headers(self, headers: &Value) -> Self {
        self.with("headers", &literal(&headers.to_string()))
    }

    /// One more header.
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.headers.insert(name.to_owned(), value.into());
        self
    }

    /// The timeout, in milliseconds.
    pub fn timeout(self, milliseconds: u32) -> Self {
        self.with("timeout_milliseconds", &milliseconds.to_string())
    }

    /// How often it is tried at most.
    pub fn max_attempts(self, attempts: u32) -> Self {
        self.with("max_attempts", &attempts.to_string())
    }

    /// When it may be sent: an expression in SQL.
    pub fn not_before(self, expression: &str) -> Self {
        self.with("not_before", expression)
    }

    /// The value of its `Idempotency-Key`.
    pub fn idempotency_key(self, key: &str) -> Self {
        self.with("idempotency_key", &literal(key))
    }

    /// How it is delivered: `at_least_once` or `at_most_once`.
    pub fn delivery(self, delivery: &str) -> Self {
        self.with("delivery", &literal(delivery))
    }

    /// Delivered at most once.
    pub fn at_most_once(self) -> Self {
        self.delivery("at_most_once")
    }

    /// The statement that makes the call.
    pub fn select(&self) -> String {
        format!("select {self}")
    }

    /// The statement that makes the call so many times, in one transaction.
    pub fn select_times(&self, count: usize) -> String {
        format!("select {self} from generate_series(1, {count})")
    }

    /// Makes the call, and returns the id of the request.
    #[track_caller]
    pub fn send(&self, client: &mut impl GenericClient) -> i64 {
        let made = client.query_one(&self.select(), &[]);
        made.unwrap_or_else(|error| panic!("{self}: {error:?}")).get(0)
    }

    /// Makes the call so many times, in one transaction.
    #[track_caller]
    pub fn send_times(&self, client: &mut impl GenericClient, count: usize) {
        client
            .batch_execute(&self.select_times(count))
            .unwrap_or_else(|error| panic!("{count} times {self}: {error:?}"));
    }
}

impl Display for Call {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "net.{}({}", self.function, self.arguments.join(", "))?;
        if !self.headers.is_empty() {
            let headers = Value::Object(self.headers.clone()).to_string();
            write!(f, ", headers := {}", literal(&headers))?;
        }
        f.write_str(")")
    }
}

/// A string as SQL has it.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
