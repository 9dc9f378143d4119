//! `http_delete` had no body before 0.15: that one must go, and takes nobody's view along.

use super::old_version::LAST_WITHOUT_BODY;
use super::{bench, catalog, create, update};
use crate::support::value;

#[test]
fn a_view_on_the_one_without_a_body_stops_the_update_and_is_named() {
    let mut bench = bench();
    create(&mut bench.client, LAST_WITHOUT_BODY);
    let url = bench.receiver.url("/removed");
    bench
        .client
        .batch_execute(&format!(
            "create view removals as select net.http_delete('{url}') as id;
             create function spy() returns trigger language plpgsql as 'begin return new; end';
             create trigger planted after insert on net._http_response for each row execute function spy()"
        ))
        .unwrap();
    let id = bench.ask("select id from removals");
    let rows = "select q::text from net.http_request_queue q";
    let (catalog_before, rows_before) = (catalog::read(&mut bench.client), bench.value::<String>(rows));

    let error = bench.client.batch_execute("alter extension pg_net update").unwrap_err();
    let error = error.as_db_error().unwrap();
    assert_eq!(error.code().code(), "2BP01");
    assert!(error.message().contains("net.http_delete(text,jsonb,jsonb,integer)"), "{error:?}");
    assert!(error.detail().is_some_and(|detail| detail.contains("view removals")), "{error:?}");

    assert_eq!(catalog::read(&mut bench.client), catalog_before);
    assert_eq!(bench.value::<String>(rows), rows_before);
    assert_eq!(bench.receiver.count(), 0);

    bench.client.batch_execute("drop view removals").unwrap();
    update(&mut bench.client);
    assert_eq!(bench.response(id).status_code, Some(200));
    assert_eq!(bench.received("/removed").method, "DELETE");
    let declared: i64 = value(&mut bench.client, "select count(*) from pg_proc where proname = 'http_delete'");
    assert_eq!(declared, 1);
}
