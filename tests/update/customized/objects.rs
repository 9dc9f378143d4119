//! What users keep on the tables and in the schema.

use std::collections::BTreeSet;

use postgres::Client;

use testkit::Call;

use super::warnings_of_update;
use crate::fixture::{Fixture, value};
use crate::update::old_version::{ALL, NEWEST, Version};
use crate::update::{catalog, create, fixture, update};

const INDEXES: &str = "select string_agg(indexdef, e'\\n' order by indexname) from pg_indexes
                        where schemaname = 'net' and tablename in ('http_request_queue', '_http_response')";

#[test]
fn case_10_an_index_of_a_name_or_on_columns_of_ours_is_taken_or_makes_room() {
    let mut fixture = fixture();
    create(&mut fixture.client, NEWEST);
    update(&mut fixture.client);
    let ours = fixture.value::<String>(INDEXES);

    // As ours would be, under the name that Postgres gives it.
    create(&mut fixture.client, NEWEST);
    fixture.client.batch_execute("create index on net._http_response (id)").unwrap();
    let oid = "select 'net._http_response_id_idx'::regclass::oid";
    let before: u32 = fixture.value(oid);
    assert_eq!(warnings_of_update(&fixture), Vec::<String>::new());
    assert_eq!(fixture.value::<u32>(oid), before, "it is taken");
    assert_eq!(fixture.value::<String>(INDEXES), ours);

    // Under the same names something else; and ours under another name.
    create(&mut fixture.client, NEWEST);
    fixture
        .client
        .batch_execute(
            "create index _http_response_id_idx on net._http_response (id, created);
             create unique index http_request_queue_row_key_idx on net.http_request_queue (id);
             create index http_request_queue_due_idx on net._http_response (status_code) where status_code > 399;
             create index mine on net._http_response (id)",
        )
        .unwrap();
    let warnings = warnings_of_update(&fixture);
    assert_eq!(
        warnings,
        [
            "relation net._http_response_id_idx is renamed to _http_response_id_idx_renamed: pg_net has one of that name now",
            "relation net.http_request_queue_due_idx is renamed to http_request_queue_due_idx_renamed: \
             pg_net has one of that name now",
            "relation net.http_request_queue_row_key_idx is renamed to http_request_queue_row_key_idx_renamed: \
             pg_net has one of that name now",
        ]
    );
    let all = fixture.value::<String>(INDEXES);
    for index in ours.lines() {
        assert!(all.lines().any(|line| line == index), "{index} of {all}");
    }
    assert_eq!(all.lines().count(), ours.lines().count() + 4, "{all}");
    fixture.assert_works();
}

const COLUMNS_OF_OUR_NAMES: &str = "
    alter table net._http_response
        add column url text not null default 'mine', add column method varchar(10), add column attempts int default 7,
        add column note text default 'kept';
    alter table net.http_request_queue
        add column requested_by name not null default current_user, add column attempts int default 7,
        add column row_key int, add column attempts_renamed text, add column note text default 'noted';
    create view public.urls as select id, url, method, attempts from net._http_response";

/// What the columns of a response hold: url, attempts, note, method.
fn row(fixture: &mut Fixture, id: i64) -> (String, i32, String, Option<String>) {
    let select = "select url, attempts, note, method from net._http_response where id = $1";
    let row = fixture.client.query_one(select, &[&id]).unwrap();
    (row.get(0), row.get(1), row.get(2), row.get(3))
}

/// The columns that C code knew stand where they stood.
fn assert_c_columns_come_first(client: &mut Client, version: Version) {
    let first = "select string_agg(attname, ' ' order by attnum) from (
        select attname, attnum from pg_attribute where attrelid = $1::text::regclass and attnum > 0 and not attisdropped
         order by attnum limit $2) a";
    let mut first_columns =
        |table: &str, count: i64| -> String { client.query_one(first, &[&table, &count]).unwrap().get(0) };
    let queue = first_columns("net.http_request_queue", 6);
    assert_eq!(queue, "id method url headers body timeout_milliseconds", "{version}");
    let known = "id status_code content_type headers content timed_out error_msg";
    if version.keeps_what_is_done() {
        assert_eq!(first_columns("net._http_response", 7), known, "{version}");
    } else {
        assert_eq!(first_columns("net._http_response", 8), format!("{known} created"), "{version}");
    }
}

#[test]
fn case_10_a_column_of_a_name_of_ours_is_taken_or_makes_room() {
    let mut fixture = fixture();
    for version in [ALL[0], Version(0, 12, 0), NEWEST] {
        create(&mut fixture.client, version);
        let url = fixture.receiver.url("/waits");
        fixture.client.batch_execute(COLUMNS_OF_OUR_NAMES).unwrap();
        let waiting = fixture.send(Call::get(&url));
        let stored = if version.keeps_what_is_done() { waiting + 1 } else { 1000 };
        if version.keeps_what_is_done() {
            fixture.send(Call::get(&url));
        }
        fixture.client.batch_execute(&format!("insert into net._http_response (id) values ({stored})")).unwrap();
        let renamed = |column: &str, table: &str, name: &str| {
            format!("column {column} of {table} is renamed to {name}: pg_net has one of that name now")
        };
        assert_eq!(
            warnings_of_update(&fixture),
            [
                renamed("requested_by", "net.http_request_queue", "requested_by_renamed"),
                renamed("attempts", "net.http_request_queue", "attempts_renamed2"),
                renamed("row_key", "net.http_request_queue", "row_key_renamed"),
                renamed("method", "net._http_response", "method_renamed"),
            ],
            "{version}"
        );
        assert_eq!(fixture.response(waiting).status_code, Some(200), "{version}");
        fixture.assert_works();
        assert_eq!(
            row(&mut fixture, stored),
            ("mine".into(), 7, "kept".into(), None),
            "{version}: what was stored stays"
        );
        assert_eq!(
            row(&mut fixture, waiting),
            (url, 1, "kept".into(), Some("GET".into())),
            "{version}: and ours is written there"
        );
        assert_eq!(fixture.value::<i64>("select count(*) from urls where url is not null"), 3, "{version}");

        assert_c_columns_come_first(&mut fixture.client, version);
        fixture.client.batch_execute("drop view urls").unwrap();
    }
}

/// Makes something of each of these names that can be made, of each kind in turn.
fn plant(client: &mut Client, names: &[(String, String)]) -> Vec<String> {
    let mut planted = Vec::new();
    for (index, (kind, name)) in names.iter().enumerate() {
        let statement = match &**kind {
            // One of each kind, in turn.
            "relation" => match index % 5 {
                0 => format!("create table net.{name} (mine int)"),
                1 => format!("create view net.{name} as select 1 as mine"),
                2 => format!("create sequence net.{name}"),
                3 => format!("create materialized view net.{name} as select 1 as mine"),
                _ => format!("create type net.{name} as (mine int)"),
            },
            "type" if index % 2 == 0 => format!("create type net.{name} as enum ('mine')"),
            "type" => format!("create domain net.{name} as text"),
            // Which no function of SQL's takes, or whose types only ours has.
            _ if name.contains("internal") || name.contains("net.") => continue,
            _ => format!("create function net.{name} returns text language sql as $$ select 'mine' $$"),
        };
        client.batch_execute(&statement).unwrap_or_else(|error| panic!("{statement}: {error:?}"));
        planted.push(name.clone());
    }
    planted
}

/// One of each name that the extension has and the C version has not: none is lost, and none is in the way.
#[test]
fn case_10_whatever_has_a_name_of_ours_makes_room() {
    let mut fixture = fixture();
    create(&mut fixture.client, NEWEST);
    let old = names(&mut fixture.client);
    update(&mut fixture.client);
    let without = catalog::read(&mut fixture.client);
    let new: Vec<_> = names(&mut fixture.client).difference(&old).cloned().collect();
    assert!(new.len() > 30, "{new:?}");

    create(&mut fixture.client, NEWEST);
    let planted = plant(&mut fixture.client, &new);
    fixture
        .client
        .batch_execute(
            "create view mine as select net.cancel(1) as answer;
             create function mine() returns trigger language plpgsql as $$ begin new.url := new.url || '?mine'; return new; end $$;
             create trigger assign_row_key before insert on net.http_request_queue for each row execute function mine()",
        )
        .unwrap();
    let warnings = warnings_of_update(&fixture);
    assert_eq!(warnings.len(), planted.len() + 1, "{warnings:#?}");
    for name in &planted {
        let named = format!(" net.{}", name.split('(').next().unwrap());
        assert!(warnings.iter().any(|warning| warning.contains(&named)), "{name}: {warnings:#?}");
    }
    let mut with = catalog::read(&mut fixture.client);
    let renamed = |facts: &BTreeSet<String>, kind: &str| {
        // The type of a type's array comes and goes with it.
        let of_kind = |fact: &&String| {
            fact.starts_with(kind) && fact.contains("_renamed") && !(fact.starts_with("type ") && fact.contains("[]"))
        };
        facts.iter().filter(of_kind).map(|fact| fact.split(" | ").next().unwrap()).collect::<BTreeSet<_>>().len()
    };
    let routines = planted.iter().filter(|name| name.contains('(')).count();
    assert_eq!(renamed(&with, "function "), routines);
    assert!(renamed(&with, "relation ") + renamed(&with, "type ") >= planted.len() - routines);
    with.retain(|fact| !fact.contains("_renamed"));
    assert!(with == without, "{:#?}", with.symmetric_difference(&without).collect::<Vec<_>>());

    // They go on working for those who use them.
    assert_eq!(fixture.value::<String>("select answer from mine"), "mine");
    let url = fixture.receiver.url("/triggered");
    assert_eq!(fixture.fetch(Call::get(&url)).status_code, Some(200));
    assert_eq!(fixture.received("/triggered").target, "/triggered?mine");
    assert!(!fixture.value::<bool>("select net.cancel(1)"), "ours");
}

/// Relations but for indexes, types that are none's row or array, and functions with the types of their arguments.
fn names(client: &mut Client) -> BTreeSet<(String, String)> {
    let sql = "
        select 'relation', relname::text from pg_class where relnamespace = 'net'::regnamespace and relkind <> 'c'
        union all
        select 'type', typname::text from pg_type t
         where typnamespace = 'net'::regnamespace and typtype in ('c', 'e', 'd') and typname !~ '^_'
           and not exists (select from pg_class where oid = t.typrelid and relkind <> 'c')
        union all
        select 'routine', replace(oid::regprocedure::text, 'net.' || proname, proname::text)
          from pg_proc where pronamespace = 'net'::regnamespace";
    client.query(sql, &[]).unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// Keys that were added by hand would keep the worker from its rows, or rows from coming.
#[test]
fn case_10_keys_go_with_a_warning_that_has_them() {
    let mut fixture = fixture();
    for version in [ALL[0], Version(0, 4, 0), NEWEST] {
        create(&mut fixture.client, version);
        let url = fixture.receiver.url("/keyed");
        if !version.is_logged() {
            fixture
                .client
                .batch_execute(
                    "alter table net.http_request_queue add primary key (id), set logged;
                     alter table net._http_response add primary key (id)",
                )
                .unwrap();
        }
        fixture
            .client
            .batch_execute(
                "create table mine (request bigint);
                 alter table mine add constraint asked foreign key (request) references net.http_request_queue (id)",
            )
            .unwrap();
        let id = fixture.send(Call::get(&url));
        fixture.client.batch_execute(&format!("insert into mine values ({id})")).unwrap();
        let warnings = warnings_of_update(&fixture);
        assert!(
            warnings[0].starts_with("constraint asked on public.mine is dropped: rows of net.http_request_queue"),
            "{version}: {warnings:?}"
        );
        assert_eq!(fixture.response(id).status_code, Some(200), "{version}");
        assert_eq!(fixture.value::<i64>("select request from mine"), id, "{version}");
        let keys = "select count(*) from pg_constraint where contype in ('p', 'f')
                     and (conrelid::regclass::text ~ '^net[.]_?http' or confrelid <> 0)";
        assert_eq!(value::<i64>(&mut fixture.client, keys), 0, "{version}");
        fixture.client.batch_execute("drop table mine").unwrap();
    }
}

/// Where a view shows a column that the first versions had and none has since, it stays behind.
#[test]
fn case_10_a_view_on_everything_stays() {
    let mut fixture = fixture();
    for version in [ALL[0], NEWEST] {
        create(&mut fixture.client, version);
        fixture
            .client
            .batch_execute(
                "create view queue as select * from net.http_request_queue;
                 create materialized view answers as select * from net._http_response;
                 create function newest() returns net._http_response language sql as
                     'select * from net._http_response order by id desc limit 1'",
            )
            .unwrap();
        let url = fixture.receiver.url("/viewed");
        let id = fixture.send(Call::get(&url));
        assert_eq!(warnings_of_update(&fixture), Vec::<String>::new(), "{version}");
        assert_eq!(fixture.response(id).status_code, Some(200), "{version}");
        fixture.client.batch_execute("refresh materialized view answers; select * from queue").unwrap();
        assert_eq!(fixture.value::<i64>("select id from answers"), id, "{version}");
        assert_eq!(fixture.value::<String>("select (newest()).content"), "ok", "{version}");
        fixture.assert_works();
        fixture.client.batch_execute("drop view queue; drop materialized view answers; drop function newest").unwrap();
    }
}

/// Settings of the session or the database, tables that were given away, and another schema for the extension.
#[test]
fn case_10_surroundings_of_the_update_do_not_matter() {
    let mut fixture = fixture();
    fixture.client.batch_execute("create role keeper; create schema extensions").unwrap();
    create(&mut fixture.client, NEWEST);
    update(&mut fixture.client);
    let usual = catalog::read(&mut fixture.client);
    for setting in [
        "standard_conforming_strings = off",
        "search_path = net, public",
        "search_path = ''",
        "session_replication_role = replica",
        "row_security = off",
        "default_transaction_isolation = 'serializable'",
        "check_function_bodies = on",
        "quote_all_identifiers = on",
        "DateStyle = 'SQL, DMY'",
        "lock_timeout = '10s'",
    ] {
        create(&mut fixture.client, NEWEST);
        let id = fixture.send(Call::get("http://127.0.0.1:1/"));
        fixture.client.batch_execute(&format!("set {setting}")).unwrap();
        update(&mut fixture.client);
        fixture.client = fixture.cluster.connect();
        let updated = catalog::read(&mut fixture.client);
        assert!(updated == usual, "{setting}: {:#?}", updated.symmetric_difference(&usual).collect::<Vec<_>>());
        assert_eq!(fixture.response(id).error_msg.as_deref(), Some("Couldn't connect to server"), "{setting}");
    }

    create(&mut fixture.client, NEWEST);
    fixture.client.batch_execute("alter table net._http_response owner to keeper").unwrap();
    update(&mut fixture.client);
    let owner = "select relowner::regrole::text from pg_class where oid = 'net._http_response'::regclass";
    assert_eq!(fixture.value::<String>(owner), "keeper");
    let schema = "drop extension pg_net; create extension pg_net with schema extensions version '0.20.4'";
    fixture.client.batch_execute(schema).unwrap();
    update(&mut fixture.client);
    fixture.assert_works();
}
