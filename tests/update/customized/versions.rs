//! Versions of the C extension by their numbers: those that databases carry, those that are asked for, those to come.

use std::collections::HashMap;

use testkit::Call;

use crate::fixture::Fixture;
use crate::update::old_version::{ALL, NEWEST, Version};
use crate::update::{catalog, create, fixture, update};

const EXTVERSION: &str = "select extversion from pg_extension where extname = 'pg_net'";
/// Short forms, and what is likely to come.
const MORE: [&str; 14] = [
    "0.5.0", "0.7.0", "0.8", "0.9", "0.10", "0.19", "0.20", "0.20.6", "0.20.13", "0.20.20", "0.21", "0.21.0", "0.22.3",
    "0.25.9",
];

fn numbers() -> impl Iterator<Item = String> {
    ALL.iter().map(ToString::to_string).chain(MORE.into_iter().map(String::from))
}

#[test]
fn case_12_ours_is_installed_by_any_number_of_the_c_versions_and_updated_from_there() {
    let mut fixture = fixture();
    fixture.client.batch_execute("drop extension if exists pg_net; create extension pg_net").unwrap();
    let installed = catalog::read(&mut fixture.client);
    for number in numbers() {
        fixture
            .client
            .batch_execute(&format!("drop extension pg_net; create extension pg_net version '{number}'"))
            .unwrap_or_else(|error| panic!("{number}: {error:?}"));
        assert_eq!(fixture.value::<String>(EXTVERSION), number);
        assert_eq!(fixture.value::<String>("select net.version()"), env!("CARGO_PKG_VERSION"), "{number}");
        let mut pinned = catalog::read(&mut fixture.client);
        let pin = format!("extension | extversion | {number}");
        assert!(
            pinned.remove(&pin) && pinned.insert(format!("extension | extversion | {}", env!("CARGO_PKG_VERSION"))),
            "{number}"
        );
        assert!(pinned == installed, "{number}: {:#?}", pinned.symmetric_difference(&installed).collect::<Vec<_>>());
        update(&mut fixture.client);
        assert_eq!(fixture.value::<String>(EXTVERSION), env!("CARGO_PKG_VERSION"), "{number}");
        let updated = catalog::read(&mut fixture.client);
        assert!(updated == installed, "{number}: {:#?}", updated.symmetric_difference(&installed).collect::<Vec<_>>());
    }
    fixture.assert_works();
}

/// What was done to ours under another number is nothing that the update undoes, and what waits is sent once.
#[test]
fn case_12_the_update_of_ours_under_another_number_changes_nothing() {
    let mut fixture = Fixture::new();
    fixture
        .client
        .batch_execute(
            "create role app;
             drop extension pg_net;
             create extension pg_net version '0.20.4';
             create function mine() returns trigger language plpgsql as 'begin return new; end';
             create trigger mine after insert on net._http_response for each row execute function mine();
             alter table net._http_response disable trigger mine;
             grant select on net._http_response to app;
             revoke execute on function net.http_put(text, jsonb, jsonb, jsonb, integer) from public;
             revoke usage on schema net from public",
        )
        .unwrap();
    fixture.assert_works();
    let mut before = catalog::read(&mut fixture.client);
    let url = fixture.receiver.url("/waits");
    let mut transaction = fixture.client.transaction().unwrap();
    let id = Call::get(&url).send(&mut transaction);
    transaction.batch_execute("alter extension pg_net update").unwrap();
    transaction.commit().unwrap();
    assert_eq!(fixture.response(id).status_code, Some(200));
    fixture.assert_works();
    let after = catalog::read(&mut fixture.client);
    assert!(
        before.remove("extension | extversion | 0.20.4")
            && before.insert(format!("extension | extversion | {}", env!("CARGO_PKG_VERSION")))
    );
    assert!(before == after, "{:#?}", before.symmetric_difference(&after).collect::<Vec<_>>());
    assert_eq!(fixture.receiver.count(), 3);
}

/// Every number leads to the newest version by the one script, and none by way of another version of the C extension.
#[test]
fn case_12_there_is_one_way_from_each_number() {
    let mut fixture = Fixture::new();
    let to_come = (6..=20).map(|patch| format!("0.20.{patch}")).chain((0..=9).map(|patch| format!("0.21.{patch}")));
    let rows =
        fixture.client.query("select source, target, path from pg_extension_update_paths('pg_net')", &[]).unwrap();
    let ways: HashMap<(String, String), Option<String>> =
        rows.iter().map(|row| ((row.get(0), row.get(1)), row.get(2))).collect();
    let way = |from: &str, to: &str| ways[&(from.to_owned(), to.to_owned())].as_deref();
    for number in numbers().chain(to_come) {
        assert_eq!(way(&number, "1.0.0"), Some(&*format!("{number}--0.x--1.0.0")));
        assert_eq!(way("1.0.0", &number), Some(&*format!("1.0.0--{number}")));
    }
    let default: String = fixture.value("select default_version from pg_available_extensions where name = 'pg_net'");
    assert_eq!(default, env!("CARGO_PKG_VERSION"));
}

/// The number says nothing: the SQL of one version under that of another, and platforms that name the number to update to.
#[test]
fn case_12_objects_count_and_no_number_does() {
    let mut fixture = fixture();
    let stranger = |old: Version, number: &str| (old, number.to_owned());
    for (old, number) in [
        stranger(NEWEST, "0.21.0"),
        stranger(NEWEST, "0.20.20"),
        stranger(NEWEST, "0.8"),
        // Installed by its own script, a database of the third version is called the second.
        stranger(Version(0, 3, 0), "0.2"),
        stranger(Version(0, 1, 0), "0.20.4"),
        stranger(NEWEST, "0.1"),
    ] {
        create(&mut fixture.client, old);
        fixture
            .client
            .batch_execute(&format!("update pg_extension set extversion = '{number}' where extname = 'pg_net'"))
            .unwrap();
        update(&mut fixture.client);
        assert_eq!(fixture.value::<String>(EXTVERSION), env!("CARGO_PKG_VERSION"), "{old} as {number}");
        fixture.assert_works();
    }
    create(&mut fixture.client, Version(0, 20, 3));
    fixture.client.batch_execute("alter extension pg_net update to '0.20.5'").unwrap();
    assert_eq!(fixture.value::<String>(EXTVERSION), "0.20.5");
    fixture.assert_works();
    fixture.client.batch_execute("alter extension pg_net update to '0.21.0'").unwrap();
    fixture.assert_works();
    update(&mut fixture.client);
    assert_eq!(fixture.value::<String>(EXTVERSION), env!("CARGO_PKG_VERSION"));
    fixture.assert_works();
}

#[test]
fn case_12_tables_of_an_unknown_shape_stop_the_update_with_a_sentence() {
    const SHAPES: [(&str, &str); 9] = [
        (
            "alter table net.http_request_queue alter url type varchar",
            "column url of net.http_request_queue is character varying, not text",
        ),
        ("alter table net.http_request_queue drop column body cascade", "net.http_request_queue has no column body"),
        (
            "alter table net.http_request_queue alter timeout_milliseconds type bigint",
            "timeout_milliseconds of net.http_request_queue is bigint, not integer",
        ),
        ("alter table net._http_response rename column content to answer", "net._http_response has no column content"),
        (
            "alter table net._http_response alter status_code type text",
            "column status_code of net._http_response is text, not integer",
        ),
        (
            "alter table net._http_response alter created type date using created::date",
            "column created of net._http_response is date",
        ),
        ("create table child () inherits (net._http_response)", "net._http_response is no table of its own"),
        ("alter extension pg_net drop table net._http_response", "net._http_response does not belong to the extension"),
        (
            "alter sequence net.http_request_queue_id_seq rename to ids",
            "there is no sequence net.http_request_queue_id_seq",
        ),
    ];
    let mut fixture = fixture();
    create(&mut fixture.client, NEWEST);
    for (alteration, sentence) in SHAPES {
        let mut transaction = fixture.client.transaction().unwrap();
        transaction.batch_execute(alteration).unwrap_or_else(|error| panic!("{alteration}: {error:?}"));
        let error = transaction.batch_execute("alter extension pg_net update").expect_err(alteration);
        let error = error.as_db_error().unwrap();
        assert_eq!(error.code().code(), "55000", "{alteration}: {error:?}");
        assert!(error.message().contains("pg_net cannot be updated"), "{alteration}: {error:?}");
        assert!(error.detail().is_some_and(|detail| detail.contains(sentence)), "{alteration}: {error:?}");
        assert!(error.hint().is_some_and(|hint| hint.starts_with("Nothing was changed")), "{alteration}: {error:?}");
    }
    let before = catalog::read(&mut fixture.client);
    fixture.client.batch_execute("alter table net._http_response alter status_code type text").unwrap();
    fixture.client.batch_execute("alter extension pg_net update").unwrap_err();
    fixture
        .client
        .batch_execute("alter table net._http_response alter status_code type int using status_code::int")
        .unwrap();
    assert!(before == catalog::read(&mut fixture.client), "an update that stops changes nothing");

    // Without the tables there is nothing to go by.
    fixture
        .client
        .batch_execute(
            "alter extension pg_net drop table net._http_response; alter table net._http_response rename to other",
        )
        .unwrap();
    let error = fixture.client.batch_execute("alter extension pg_net update").unwrap_err();
    let error = error.as_db_error().unwrap();
    assert!(error.code().code() == "55000" && error.message().contains("it has no tables"), "{error:?}");
}
