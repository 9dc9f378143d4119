//! Rows that are stored without the executor have their entries in whatever indexes the tables' owner has made, and no others.

use postgres::Transaction;
use serde_json::json;
use testkit::{Call, PATIENCE, wait_until};

use crate::fixture::{Fixture, error_of};

const URL: &str = "http://127.0.0.1:9/hook";

/// Requests with and without a body, headers and a time to wait for.
fn call(transaction: &mut Transaction) {
    for call in [
        "select net.http_get($1)",
        "select net.http_post($1, '{\"a\": 1}')",
        "select net.http_request('PUT', $1, body := 'text'::text, not_before := now() + '1 hour')",
        "select net.http_request('GET', $1, headers := '{\"X-Mine\": \"yes\"}', max_attempts := 3)",
    ] {
        transaction.query_one(call, &[&URL]).unwrap_or_else(|error| panic!("{call}: {error:?}"));
    }
}

/// The keys of the rows that a condition holds for, found by the index `mine` and by looking at each row.
fn keys_by_index_and_without(transaction: &mut Transaction, table: &str, key: &str, condition: &str) -> [Vec<i64>; 2] {
    let select = format!("select {key} from net.{table} where {condition} order by 1");
    [("off", "on", true), ("on", "off", false)].map(|(seqscan, others, by_index)| {
        transaction
            .batch_execute(&format!(
                "set local enable_seqscan = {seqscan}; set local enable_indexscan = {others};
                 set local enable_indexonlyscan = {others}; set local enable_bitmapscan = {others}"
            ))
            .unwrap();
        let plan: Vec<String> = transaction
            .query(&format!("explain {select}"), &[])
            .unwrap()
            .iter()
            .map(|row| row.get::<_, String>(0))
            .collect();
        assert_eq!(plan.iter().any(|line| line.contains(" mine")), by_index, "{condition}: {plan:?}");
        transaction.query(&select, &[]).unwrap().iter().map(|row| row.get(0)).collect()
    })
}

#[test]
fn a_call_has_its_entries_in_every_index() {
    let mut fixture = Fixture::new();
    for (index, condition, rows) in [
        ("(url)", "url = 'http://127.0.0.1:9/hook'", 4),
        ("(body, method) include (url)", "body > '' and method <> 'GET'", 2),
        ("(body)", "body is null", 2),
        ("(method) where due is not null", "due is not null", 1),
        ("(method) where body is not null", "body is not null", 2),
        ("(method) where body is not null and due is not null", "body is not null and due is not null", 1),
        ("(method) where due is null", "due is null", 3),
        ("(method) where max_attempts > 1", "max_attempts > 1", 1),
        ("(length(url)) where body is not null", "length(url) > 5 and body is not null", 2),
        ("(lower(url))", "lower(url) > 'http'", 4),
        ("using hash (url)", "url = 'http://127.0.0.1:9/hook'", 4),
        ("using gin (headers)", "headers ? 'X-Mine'", 1),
        ("using brin (timeout_milliseconds)", "timeout_milliseconds > 0", 4),
    ] {
        let mut transaction = fixture.client.transaction().unwrap();
        // The session knows the queue as it was, and then as it is.
        call(&mut transaction);
        transaction.batch_execute("delete from net.http_request_queue").unwrap();
        transaction.batch_execute(&format!("create index mine on net.http_request_queue {index}")).unwrap();
        call(&mut transaction);
        call(&mut transaction);
        let [by_index, without] =
            keys_by_index_and_without(&mut transaction, "http_request_queue", "row_key", condition);
        assert_eq!(without.len(), 2 * rows, "{index}");
        assert_eq!(by_index, without, "{index}");
        transaction.rollback().unwrap();
    }
}

#[test]
fn a_unique_index_refuses_a_second_call() {
    let mut fixture = Fixture::new();
    let mut transaction = fixture.client.transaction().unwrap();
    transaction
        .batch_execute("create unique index mine on net.http_request_queue (url) where body is not null")
        .unwrap();
    transaction.batch_execute(&format!("select net.http_get('{URL}'), net.http_get('{URL}')")).unwrap();
    let post = Call::post(URL).json(json!({})).select();
    transaction.batch_execute(&post).unwrap();
    let (code, message) = error_of(&mut transaction, &post);
    assert_eq!((code.as_str(), message.contains("\"mine\"")), ("23505", true), "{message}");
}

/// An index that has another definition now, under the same name; one that another session has made; one that is gone.
#[test]
fn an_index_that_changes_has_the_entries_that_it_is_to_have() {
    let mut fixture = Fixture::new();
    let mut other = fixture.cluster.connect();
    for (change, condition) in [
        ("create index mine on net.http_request_queue (url) where due is not null", "due is not null"),
        (
            "drop index net.mine; create index mine on net.http_request_queue (url) where body is not null",
            "body is not null",
        ),
        ("alter index net.mine rename to other; create index mine on net.http_request_queue (url)", "url > ''"),
        ("reindex index net.mine", "url > ''"),
    ] {
        other.batch_execute(change).unwrap();
        let mut transaction = fixture.client.transaction().unwrap();
        call(&mut transaction);
        let [by_index, without] =
            keys_by_index_and_without(&mut transaction, "http_request_queue", "row_key", condition);
        assert!(!without.is_empty(), "{change}");
        assert_eq!(by_index, without, "{change}");
        transaction.rollback().unwrap();
    }
    other.batch_execute("drop index net.mine, net.other").unwrap();
    fixture.assert_works();
}

#[test]
fn a_response_has_its_entries_in_every_index() {
    let mut fixture = Fixture::new();
    fixture
        .client
        .batch_execute(
            "create index on net._http_response (status_code, protocol);
             create index on net._http_response using gin (headers);
             create index on net._http_response (id) where content is not null",
        )
        .unwrap();
    for (index, condition) in [
        ("(id) where error_msg is not null", "error_msg is not null"),
        ("(error_kind)", "error_kind > ''"),
        ("(upper(error_kind))", "upper(error_kind) > ''"),
    ] {
        fixture
            .client
            .batch_execute(&format!("delete from net._http_response; create index mine on net._http_response {index}"))
            .unwrap();
        let failed = fixture.receiver.url("/close");
        let failed = fixture.send(Call::get(&failed));
        fixture.get("/echo");
        wait_until("the failure", PATIENCE, || fixture.value::<i64>("select count(*) from net._http_response") == 2);
        let mut transaction = fixture.client.transaction().unwrap();
        let [by_index, without] = keys_by_index_and_without(&mut transaction, "_http_response", "id", condition);
        assert_eq!(without, [failed], "{index}");
        assert_eq!(by_index, without, "{index}");
        transaction.commit().unwrap();
        fixture.client.batch_execute("drop index net.mine").unwrap();
    }
}
