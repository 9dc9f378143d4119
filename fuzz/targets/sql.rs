//! The SQL functions with random JSON, on a real Postgres: a call is refused with a proper error or makes a row, and the
//! session stays as it was. Nothing is committed, so nothing is sent.
//!
//! The first byte chooses the function, the rest is lines: the URL, then JSON for each argument; null where a line is none.

#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use postgres::Client;
use serde_json::Value;
use testkit::Cluster;

const CALLS: [&str; 6] = [
    "select net.http_get($1, $2, $3)",
    "select net.http_post($1, $4, $2, $3)",
    "select net.http_delete($1, $2, $3, 2000, $4)",
    "select net.http_request('PUT', $1, $4::jsonb, $2, $3)",
    "select net.http_request('POST', $1, $4::jsonb::text, $2, $3, max_attempts := 3)",
    "select net.http_patch($1, $4, $2, $3)",
];

/// What a caller can be told: an argument's value, a null, a limit of ours or of Postgres', text that cannot be converted.
const REFUSALS: [&str; 6] = ["22023", "23502", "54000", "22P05", "22021", "22P02"];

struct Server {
    client: Client,
    // After the connection, so that it is stopped after it.
    _cluster: Cluster,
}

thread_local! {
    static SERVER: RefCell<Server> = RefCell::new({
        let cluster = Cluster::start_default();
        Server { client: cluster.connect(), _cluster: cluster }
    });
}

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, text)) = bytes.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    if text.contains('\0') {
        return;
    }
    let mut lines = text.split('\n');
    let url = lines.next().unwrap_or_default();
    let mut json = || lines.next().and_then(|line| serde_json::from_str::<Value>(line).ok());
    let (params, headers, body) = (json(), json(), json());
    let nested = headers.as_ref().is_some_and(|headers| headers["a"][0] == 1);
    SERVER.with_borrow_mut(|server| {
        let call = CALLS[usize::from(*choice) % CALLS.len()];
        let mut transaction = server.client.transaction().expect("the session is there");
        let called = transaction.prepare_typed(call, &[]).and_then(|call| match call.params().len() {
            3 => transaction.query_one(&call, &[&url, &params, &headers]),
            _ => transaction.query_one(&call, &[&url, &params, &headers, &body]),
        });
        match called {
            Ok(row) => {
                assert!(row.get::<_, i64>(0) > 0);
                fuzz::planted_bug(nested);
            }
            Err(error) => {
                let error = error.as_db_error().unwrap_or_else(|| panic!("{error:?}"));
                assert!(REFUSALS.contains(&error.code().code()), "{error:?}");
            }
        }
        transaction.rollback().expect("the session goes on");
    });
});
