//! Calls and the worker store their rows without a statement, on every major version of Postgres.

use testkit::responses;

use crate::support::Bench;

const COUNT: usize = 200;

/// How often statements have stored rows in the two tables since the last time this was asked.
fn inserts(bench: &mut Bench) -> i64 {
    let count = bench.value::<i64>(
        "select coalesce(sum(calls), 0)::bigint from pg_stat_statements
          where query ilike 'insert into net.%' and query not like '%pg_stat_%'",
    );
    bench.client.batch_execute("select pg_stat_statements_reset()").unwrap();
    count
}

fn call(bench: &mut Bench) {
    let url = bench.receiver.url("/x");
    bench.client.batch_execute(&format!("select net.http_get('{url}') from generate_series(1, {COUNT})")).unwrap();
}

#[test]
fn requests_and_responses_are_stored_unless_the_table_asks_for_more() {
    let mut bench = Bench::counting_statements();
    // Those of the extension's script.
    inserts(&mut bench);
    call(&mut bench);
    responses(&mut bench.client, COUNT);
    assert_eq!(inserts(&mut bench), 0);

    bench.client.batch_execute("alter table net._http_response add check (id is not null)").unwrap();
    call(&mut bench);
    responses(&mut bench.client, 2 * COUNT);
    assert!(inserts(&mut bench) > 0, "the worker's statements are seen");

    bench.client.batch_execute("alter table net.http_request_queue add check (id is not null)").unwrap();
    call(&mut bench);
    responses(&mut bench.client, 3 * COUNT);
    assert!(inserts(&mut bench) >= COUNT as i64, "those of calls are seen");
}
