//! Calls and the worker store their rows without a statement, on every major version of Postgres.

use testkit::responses;

use crate::fixture::Fixture;

const COUNT: usize = 200;

/// How often statements have stored rows in the two tables since the last time this was asked.
fn inserts(fixture: &mut Fixture) -> i64 {
    let count = fixture.value::<i64>(
        "select coalesce(sum(calls), 0)::bigint from pg_stat_statements
          where query ilike 'insert into net.%' and query not like '%pg_stat_%'",
    );
    fixture.client.batch_execute("select pg_stat_statements_reset()").unwrap();
    count
}

fn call(fixture: &mut Fixture) {
    let url = fixture.receiver.url("/x");
    fixture.client.batch_execute(&format!("select net.http_get('{url}') from generate_series(1, {COUNT})")).unwrap();
}

#[test]
fn requests_and_responses_are_stored_unless_the_table_asks_for_more() {
    let mut fixture = Fixture::counting_statements();
    // Those of the extension's script.
    inserts(&mut fixture);
    call(&mut fixture);
    responses(&mut fixture.client, COUNT);
    assert_eq!(inserts(&mut fixture), 0);

    fixture.client.batch_execute("alter table net._http_response add check (id is not null)").unwrap();
    call(&mut fixture);
    responses(&mut fixture.client, 2 * COUNT);
    assert!(inserts(&mut fixture) > 0, "the worker's statements are seen");

    fixture.client.batch_execute("alter table net.http_request_queue add check (id is not null)").unwrap();
    call(&mut fixture);
    responses(&mut fixture.client, 3 * COUNT);
    assert!(inserts(&mut fixture) >= COUNT as i64, "those of calls are seen");
}
