//! `http_delete` had no body before 0.15: that one must go, but views that use it must go on.

use super::old_version::LAST_WITHOUT_BODY;
use super::{catalog, create, fixture, listening, update};
use crate::fixture::value;

#[test]
fn objects_that_use_http_delete_without_a_body_go_on_and_are_named() {
    let mut fixture = fixture();
    create(&mut fixture.client, LAST_WITHOUT_BODY);
    update(&mut fixture.client);
    let without_users = catalog::read(&mut fixture.client);

    create(&mut fixture.client, LAST_WITHOUT_BODY);
    let url = fixture.receiver.url("/removed");
    fixture
        .client
        .batch_execute(&format!(
            "create view removals as select net.http_delete('{url}', timeout_milliseconds := 4000) as id"
        ))
        .unwrap();
    let waiting = fixture.value::<i64>("select id from removals");
    let (mut client, heard) = listening(&fixture.cluster);
    update(&mut client);
    let warnings: Vec<_> = heard.lock().unwrap().iter().map(|notice| notice.message().to_owned()).collect();
    assert!(
        warnings[0].contains("is now net.http_delete_without_body") && warnings[0].contains("view public.removals"),
        "{warnings:?}"
    );

    assert_eq!(fixture.response(waiting).status_code, Some(200));
    let later = fixture.value::<i64>("select id from removals");
    assert_eq!(fixture.response(later).status_code, Some(200));
    let received = fixture.receiver.wait_for(2);
    assert!(received.iter().all(|request| request.method == "DELETE" && request.path() == "/removed"));

    // It is the user's from now on: no part of the extension, which is as it is without it.
    let mut with_users = catalog::read(&mut fixture.client);
    with_users.retain(|fact| !fact.contains("http_delete_without_body"));
    assert!(with_users == without_users, "{:#?}", with_users.symmetric_difference(&without_users).collect::<Vec<_>>());
    fixture.client.batch_execute("drop view removals; drop function net.http_delete_without_body").unwrap();
    let declared: i64 = value(&mut fixture.client, "select count(*) from pg_proc where proname = 'http_delete'");
    assert_eq!(declared, 1);
}
