//! "Examples".

use std::time::Duration;

use serde_json::json;
use testkit::{Cluster, wait_until};

use crate::fixture::Fixture;

#[test]
fn invoke_an_edge_function() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/functions/v1/function-name");
    let id = fixture.value::<i64>(&format!(
        r#"select
            net.http_post(
                url:='{url}',
                headers:='{{"Content-Type": "application/json", "Authorization": "Bearer <YOUR_ANON_KEY>"}}'::jsonb,
                body:='{{"name": "pg_net"}}'::jsonb
            ) as request_id;"#
    ));
    let answer = fixture.response(id);
    assert_eq!((answer.status_code, answer.text()), (Some(200), "ok"));
    let request = fixture.received("/functions/v1/function-name");
    assert_eq!(request.method, "POST");
    assert_eq!(request.header("Authorization"), Some("Bearer <YOUR_ANON_KEY>"));
    assert_eq!(request.header("Content-Type"), Some("application/json"));
    assert_eq!(request.json(), json!({"name": "pg_net"}));
}

#[test]
fn call_an_endpoint_every_minute_with_pg_cron() {
    let cluster = Cluster::builder().preload("pg_cron").start();
    cluster.connect().batch_execute("create extension pg_cron; create extension pg_net").unwrap();
    let mut fixture = Fixture::with(cluster);
    let url = fixture.receiver.url("/functions/v1/function-name");
    fixture
        .client
        .batch_execute(&format!(
            r#"select cron.schedule(
                'cron-job-name',
                '* * * * *', -- Executes every minute (cron syntax)
                $$
                    -- SQL query
                    select "net"."http_post"(
                        -- URL of Edge function
                        url:='{url}',
                        headers:='{{"Authorization": "Bearer <YOUR_ANON_KEY>"}}'::jsonb,
                        body:='{{"name": "pg_net"}}'::jsonb
                    ) as "request_id";
                $$
            );"#
        ))
        .unwrap();
    // pg_cron's own clock: up to a minute to the next full one.
    wait_until("the cron job's request", Duration::from_secs(90), || fixture.receiver.count() > 0);
    assert_eq!(fixture.response(1).status_code, Some(200));
    let request = fixture.received("/functions/v1/function-name");
    assert_eq!(request.method, "POST");
    assert_eq!(request.header("Authorization"), Some("Bearer <YOUR_ANON_KEY>"));
    assert_eq!(request.json(), json!({"name": "pg_net"}));
}

#[test]
fn execute_pg_net_in_a_trigger() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/echo/post");
    fixture
        .client
        .batch_execute("create table table_name (id int, word text); insert into table_name values (1, 'old')")
        .unwrap();
    fixture
        .client
        .batch_execute(&format!(
            r#"-- function called by trigger
            create or replace function function_name()
                returns trigger
                language plpgSQL
            as $$
            begin
                -- calls pg_net function net.http_post
                -- sends request to postman API
                perform "net"."http_post"(
                  '{url}'::text,
                  jsonb_build_object(
                    'old_row', to_jsonb(old.*),
                    'new_row', to_jsonb(new.*)
                  ),
                  headers:='{{"Content-Type": "application/json"}}'::jsonb
                ) as request_id;
                return new;
            END $$;

            -- trigger for table update
            create trigger trigger_name
                after update on table_name
                for each row
                execute function function_name();"#
        ))
        .unwrap();
    fixture.client.batch_execute("update table_name set word = 'new'").unwrap();

    let expected = json!({"old_row": {"id": 1, "word": "old"}, "new_row": {"id": 1, "word": "new"}});
    let answer = fixture.response(1);
    assert_eq!((answer.status_code, &answer.json()["json"]), (Some(200), &expected));
    assert_eq!(fixture.received("/echo/post").json(), expected);
}

#[test]
fn send_multiple_table_rows_in_one_request() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/echo/post");
    fixture.client.batch_execute("create table table_name as select n as id from generate_series(1, 3) as n").unwrap();
    let id = fixture.value::<i64>(&format!(
        r#"with "selected_table_rows" as (
            select
                -- Converts all the rows into a JSONB array
                jsonb_agg(to_jsonb(table_name.*)) as JSON_payload
            from table_name
            -- good practice to LIMIT the max amount of rows
        )
        select
            net.http_post(
                url := '{url}'::text,
                body := JSON_payload
            ) AS request_id
        FROM "selected_table_rows";"#
    ));
    let expected = json!([{"id": 1}, {"id": 2}, {"id": 3}]);
    assert_eq!(fixture.response(id).json()["json"], expected);
    assert_eq!(fixture.received("/echo/post").json(), expected);
    assert_eq!(fixture.receiver.count(), 1);
}
