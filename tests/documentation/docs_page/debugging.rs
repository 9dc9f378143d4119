//! "Debugging requests".

use serde_json::{Value, json};

use crate::fixture::Fixture;

#[test]
fn inspecting_request_data_with_an_echo_api() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/echo/post");
    let id = fixture.value::<i64>(&format!(
        "select
            net.http_post(
                url := '{url}',
                body := '{{\"key1\": \"value\", \"key2\": 5}}'::jsonb
            ) as request_id;"
    ));
    fixture.response(id);
    let content: String = fixture.value(&format!(
        "select
            \"content\"
        from net._http_response
        where id = {id}"
    ));
    let content: Value = serde_json::from_str(&content).unwrap();
    assert_eq!(content["json"], json!({"key1": "value", "key2": 5}));
    assert_eq!(fixture.received("/echo/post").json(), json!({"key1": "value", "key2": 5}));
}

#[test]
fn wrapping_a_request_in_a_database_function() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/echo/post");
    fixture
        .client
        .batch_execute(
            "create table example_table (id int, word text); insert into example_table values (1, 'a'), (2, 'b')",
        )
        .unwrap();
    fixture
        .client
        .batch_execute(&format!(
            r#"create or replace function debugging_example (row_id int)
            returns jsonb as $$
            declare
                -- Store payload data
                row_data_var jsonb;
            begin
                -- Retrieve row data and convert to JSON
                select to_jsonb("example_table".*) into row_data_var
                from "example_table"
                where "example_table".id = row_id;

                -- Initiate HTTP POST request to URL
                perform
                    net.http_post(
                        url := '{url}',
                        -- Use row data as payload
                        body := row_data_var
                    ) as request_id;

                -- Optionally Log row data or other data for inspection in Supabase Dashboard's Postgres Logs
                raise log 'Logging an entire row as JSON (%)', row_data_var;

                -- return row data to inspect
                return row_data_var;

            -- Handle exceptions here if needed
            exception
                when others then
                    raise exception 'An error occurred: %', SQLERRM;
            end;
            $$ language plpgsql;"#
        ))
        .unwrap();

    let expected = json!({"id": 2, "word": "b"});
    assert_eq!(fixture.value::<Value>("select debugging_example(2);"), expected);
    assert_eq!(fixture.response(1).json()["json"], expected);
    assert_eq!(fixture.received("/echo/post").json(), expected);
    fixture.cluster.wait_for_log(r#"Logging an entire row as JSON ({"id": 2, "word": "b"})"#);
}

#[test]
fn inspecting_failed_requests() {
    let mut fixture = Fixture::new();
    let refused = testkit::Receiver::refused_port();
    fixture.get("/status/200");
    fixture.get("/status/404");
    fixture.get_url(&refused.url("/"));
    let rows = fixture
        .client
        .query(
            r#"select
                *
            from net._http_response
            where "status_code" >= 400 or "error_msg" is not null
            order by "created" desc;"#,
            &[],
        )
        .unwrap();
    let ids: Vec<i64> = rows.iter().map(|row| row.get("id")).collect();
    assert_eq!(ids, [3, 2]);
    assert_eq!(rows[0].get::<_, &str>("error_msg"), "Couldn't connect to server");
    assert_eq!(rows[1].get::<_, i32>("status_code"), 404);
    assert_eq!(fixture.receiver.count(), 2);
}
