//! Who sees which rows: no policy stands in the catalog, and the answer is that of the moment in which a row is met.

use postgres::Client;
use testkit::{Call, Shutdown};

use super::{platform, web_and_anon};
use crate::fixture::{error_of, value};

const COUNT: &str = "select count(*) from net._http_response";

/// What a statement that was prepared in SQL gives.
fn executed(client: &mut Client) -> String {
    for message in client.simple_query("execute seen").unwrap() {
        if let postgres::SimpleQueryMessage::Row(row) = message {
            return row.get(0).unwrap().to_owned();
        }
    }
    panic!("no row")
}

/// As a platform resets a database.
#[test]
fn case_08_a_reset_finds_no_policy_that_it_may_not_drop() {
    let mut fixture = platform();
    let mut app = fixture.cluster.connect_as("app", "postgres");
    app.batch_execute(
        "do $$ declare p record; begin
             for p in select * from pg_policies loop
                 execute format('drop policy %I on %I.%I', p.policyname, p.schemaname, p.tablename);
             end loop;
         end $$",
    )
    .unwrap();
    assert_eq!(fixture.value::<i64>("select count(*) from pg_policy"), 0);
    let [mut web, mut anon] = web_and_anon(&fixture);
    let url = fixture.receiver.url("/webs");
    let id = Call::get(&url).send(&mut web);
    fixture.response(id);
    assert_eq!((value::<i64>(&mut web, COUNT), value::<i64>(&mut anon, COUNT)), (1, 0));
}

/// A plan that is kept, while the role that runs it, its memberships, and what it is opened to change.
#[test]
fn case_08_a_kept_plan_shows_what_the_role_of_the_moment_may_see() {
    let mut fixture = platform();
    let [mut web, _] = web_and_anon(&fixture);
    let url = fixture.receiver.url("/webs");
    let id = Call::get(&url).send(&mut web);
    fixture.response(id);
    fixture.client.batch_execute("create role twofold login noinherit; grant web, anon to twofold").unwrap();
    let mut both = fixture.cluster.connect_as("twofold", "postgres");
    both.batch_execute(&format!("set plan_cache_mode = force_generic_plan; prepare seen as {COUNT}")).unwrap();
    for (role, seen) in [("twofold", "0"), ("web", "1"), ("anon", "0"), ("web", "1")] {
        both.batch_execute(&format!("set role {role}")).unwrap();
        assert_eq!(executed(&mut both), seen, "{role}");
    }
    both.batch_execute("set role anon").unwrap();
    for (change, seen) in [
        ("grant pg_read_all_data to anon", "1"),
        ("revoke pg_read_all_data from anon", "0"),
        ("grant web to anon", "1"),
        ("revoke web from anon", "0"),
        ("select net.restore_open_access('anon')", "1"),
        ("select net.revoke_open_access('anon')", "0"),
        ("select net.restore_open_access()", "1"),
        ("select net.revoke_open_access()", "0"),
        ("update net._http_response set requested_by = null", "1"),
    ] {
        fixture.client.batch_execute(change).unwrap();
        assert_eq!(executed(&mut both), seen, "{change}");
    }
}

/// In every kind of statement that reads or writes rows.
#[test]
fn case_08_every_kind_of_statement_keeps_to_own_rows() {
    let mut fixture = platform();
    let [mut web, mut anon] = web_and_anon(&fixture);
    let url = fixture.receiver.url("/x");
    for client in [&mut web, &mut anon] {
        let id = Call::get(&url).send(client);
        fixture.response(id);
    }
    fixture
        .client
        .batch_execute("grant create on schema public to web; set max_parallel_workers_per_gather = 2")
        .unwrap();
    web.batch_execute("create view public.mine as select * from net._http_response").unwrap();
    for copy in ["copy (select id from net._http_response) to stdout", "copy net._http_response (id) to stdout"] {
        let mut reader = web.copy_out(copy).unwrap();
        assert_eq!(std::io::read_to_string(&mut reader).unwrap(), "1\n", "{copy}");
    }
    let merged = web
        .execute(
            "merge into net._http_response r using generate_series(1, 2) as ids (id) on r.id = ids.id
             when matched then update set content = 'merged'",
            &[],
        )
        .unwrap();
    assert_eq!(merged, 1);
    for one in [
        COUNT,
        "select count(*) from public.mine",
        "with u as (update net._http_response set content = 'x' returning id) select count(*) from u",
        "with u as (update public.mine set content = 'x' returning id) select count(*) from u",
        "select count(*) from net._http_response a, net._http_response b",
        "with d as (delete from net._http_response where true returning id) select count(*) from d",
    ] {
        assert_eq!(value::<i64>(&mut web, one), 1, "{one}");
    }
    assert_eq!(value::<i64>(&mut anon, COUNT), 1, "untouched");
    assert_eq!(fixture.value::<String>("select string_agg(content, ',') from net._http_response"), "ok");
    web.batch_execute("set row_security = off").unwrap();
    assert_eq!(error_of(&mut web, COUNT).0, "42501");
}

/// The same within parallel workers.
#[test]
fn case_08_a_parallel_query_keeps_to_own_rows() {
    let mut fixture = platform();
    let [mut web, _] = web_and_anon(&fixture);
    fixture
        .client
        .batch_execute(
            "insert into net._http_response (id, content, requested_by)
             select n, repeat('x', 100), case when n % 2 = 0 then 'web' else 'anon' end::regrole
               from generate_series(1, 20000) n;
             analyze net._http_response;
             create role third login; select net.restore_open_access('third')",
        )
        .unwrap();
    let in_parallel = "set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0;
                       set enable_indexonlyscan = off; set enable_indexscan = off; set enable_bitmapscan = off";
    for (role, rows) in [("web", 10_000), ("third", 20_000)] {
        let mut client = fixture.cluster.connect_as(role, "postgres");
        client.batch_execute(in_parallel).unwrap();
        let plan: Vec<String> =
            client.query(&format!("explain {COUNT}"), &[]).unwrap().iter().map(|row| row.get(0)).collect();
        assert!(plan.iter().any(|line| line.contains("Parallel Seq Scan")), "{plan:?}");
        assert_eq!(value::<i64>(&mut client, COUNT), rows, "{role}");
    }
    assert_eq!(value::<i64>(&mut web, COUNT), 10_000);
}

/// Rows made by hand, and those of others: who may see what the C version showed.
#[test]
fn case_13b_rows_of_nobody_are_everybodys_to_see() {
    let mut fixture = platform();
    let url = fixture.receiver.url("/by-hand");
    fixture
        .client
        .batch_execute(&format!(
            "insert into net.http_request_queue (id, method, url, timeout_milliseconds, requested_by)
             values (500, 'GET', '{url}', 2000, null);
             select net.wake();
             insert into net._http_response (id, status_code) values (501, 200)"
        ))
        .unwrap();
    assert_eq!(fixture.response(500).status_code, Some(200));
    let [mut web, mut anon] = web_and_anon(&fixture);
    for client in [&mut web, &mut anon] {
        let seen: Vec<i64> = value(client, "select array_agg(id order by id) from net._http_response");
        assert_eq!(seen, [500, 501]);
        let collected: String = value(client, "select (net._http_collect_response(500)).status::text");
        assert_eq!(collected, "SUCCESS");
        let waited: String = value(client, "select (net.await_response(500)).status::text");
        assert_eq!(waited, "SUCCESS");
        assert_eq!(client.execute("delete from net._http_response", &[]).unwrap(), 0, "nobody's own");
    }
}

/// One role asks in a trigger, another collects: the grant that it takes.
#[test]
fn case_13b_a_role_that_is_granted_another_collects_its_responses() {
    let mut fixture = platform();
    fixture.client.batch_execute("create role jobs login").unwrap();
    let [mut web, _] = web_and_anon(&fixture);
    let mut jobs = fixture.cluster.connect_as("jobs", "postgres");
    let url = fixture.receiver.url("/asked-by-web");
    let id = Call::get(&url).send(&mut web);
    fixture.response(id);
    assert_eq!(value::<i64>(&mut jobs, COUNT), 0);
    fixture.client.batch_execute("grant web to jobs").unwrap();
    assert_eq!(value::<i64>(&mut jobs, COUNT), 1);
    let collected: String = value(&mut jobs, &format!("select (net._http_collect_response({id})).status::text"));
    assert_eq!(collected, "SUCCESS");
}

/// Nothing is shown where the library is not there to say what may be.
#[test]
fn case_08_without_the_library_no_role_sees_rows() {
    let mut fixture = platform();
    let [mut web, anon] = web_and_anon(&fixture);
    fixture.client.batch_execute("alter table net._http_response set logged").unwrap();
    let url = fixture.receiver.url("/webs");
    let id = Call::get(&url).send(&mut web);
    fixture.response(id);
    drop((web, anon));
    fixture.cluster.set_in_file("shared_preload_libraries", "");
    fixture.cluster.stop(Shutdown::Fast);
    fixture.cluster.start();
    let mut web = fixture.cluster.connect_as("web", "postgres");
    assert_eq!(value::<i64>(&mut web, COUNT), 0);
    assert_eq!(web.execute("delete from net._http_response", &[]).unwrap(), 0);
    assert_eq!(value::<i64>(&mut fixture.cluster.connect(), COUNT), 1);
}
