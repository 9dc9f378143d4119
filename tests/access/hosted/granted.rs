//! Blanket grants, by hand and by default, and what is left of them.

use postgres::Client;
use testkit::{Call, Cluster};

use super::{platform, web_and_anon, with_extension};
use crate::fixture::{Fixture, assert_works, error_of, value};

/// What platforms run after an installation.
const BLANKET: &str = "
    grant all on schema net to anon;
    grant all on all tables in schema net to anon;
    grant all on all sequences in schema net to anon;
    grant all on all functions in schema net to anon;";

/// The same before one, for what is to come.
const BY_DEFAULT: &str = "
    alter default privileges for role supa grant all on schemas to anon;
    alter default privileges for role supa grant all on tables to anon;
    alter default privileges for role supa grant all on sequences to anon;
    alter default privileges for role supa grant all on functions to anon;
    alter default privileges for role supa grant all on types to anon;";

/// And the other way round.
const CLOSED_BY_DEFAULT: &str = "
    alter default privileges for role supa revoke all on functions from public;
    alter default privileges for role supa revoke all on types from public;
    alter default privileges for role supa revoke all on tables from supa;
    alter default privileges for role supa revoke all on sequences from supa;";

/// Who may do what, but for what Postgres says of the owner.
const PRIVILEGES: &str = "
    select coalesce(string_agg(object || ' ' || acl, e'\\n' order by object, acl), '') from (
        select c.oid::regclass::text as object, grantee::regrole || ' ' || privilege_type as acl
          from pg_class c, aclexplode(relacl) where relnamespace = 'net'::regnamespace and grantee <> relowner
        union all
        select p.oid::regprocedure::text, grantee::regrole || ' ' || privilege_type
          from pg_proc p, aclexplode(coalesce(proacl, acldefault('f', proowner)))
         where pronamespace = 'net'::regnamespace and grantee <> proowner
        union all
        select t.oid::regtype::text, grantee::regrole || ' ' || privilege_type
          from pg_type t, aclexplode(coalesce(typacl, acldefault('T', typowner)))
         where typnamespace = 'net'::regnamespace and grantee <> typowner and typtype in ('e', 'd')
        union all
        select a.attrelid::regclass::text || '.' || attname, grantee::regrole || ' ' || privilege_type
          from pg_attribute a join pg_class c on c.oid = attrelid, aclexplode(attacl)
         where relnamespace = 'net'::regnamespace
        union all
        select nspname, grantee::regrole || ' ' || privilege_type from pg_namespace, aclexplode(nspacl)
         where nspname = 'net' and grantee <> nspowner
    ) as all_of_them";

/// What a right alone must not open: others' rows, the tables that are the owner's alone, and what stops everybody.
fn assert_opens_nothing(fixture: &mut Fixture, anon: &mut Client) {
    fixture
        .client
        .batch_execute(
            "insert into net.egress_rule (action, host) values ('deny', 'nowhere.example');
             insert into net.dead_letter (id, method, url, timeout_milliseconds, requested_by, max_attempts, attempts)
             values (1, 'GET', 'http://a/', 1, 'web'::regrole, 2, 2)",
        )
        .unwrap();
    let [mut web, _] = web_and_anon(fixture);
    let url = fixture.receiver.url("/webs");
    let id = Call::get(&url).send(&mut web);
    fixture.response(id);
    Call::request("GET", &url).not_before("now() + interval '1 hour'").send(&mut web);

    assert_opens_no_table(anon);
    assert_forges_nothing(anon);
    assert_eq!(fixture.value::<i64>("select count(*) from net.egress_rule"), 1);
    assert_eq!(fixture.value::<i64>("select count(*) from net.dead_letter"), 1);
    assert_works(anon, &fixture.receiver);
    fixture.assert_works();
}

fn assert_opens_no_table(anon: &mut Client) {
    for table in ["http_request_queue", "_http_response", "dead_letter", "egress_rule", "_open_access", "_home"] {
        assert_eq!(value::<i64>(anon, &format!("select count(*) from net.{table}")), 0, "{table}");
        for statement in ["delete from net.{}", "select from net.{} for update"] {
            let statement = statement.replace("{}", table);
            assert_eq!(anon.execute(&statement, &[]).unwrap(), 0, "{statement}");
        }
        for statement in [
            "truncate net.{}",
            "lock table net.{} in access exclusive mode",
            "alter table net.{} disable row level security",
            "create policy p on net.{} using (true)",
            "create rule r as on insert to net.{} do instead nothing",
        ] {
            let statement = statement.replace("{}", table);
            let undone = format!("begin; {statement}");
            assert_eq!(error_of(anon, &undone).0, "42501", "{statement}");
            anon.batch_execute("rollback").unwrap();
        }
    }
}

fn assert_forges_nothing(anon: &mut Client) {
    for statement in [
        "insert into net.http_request_queue (method, url, timeout_milliseconds, requested_by)
         values ('GET', 'http://127.0.0.1:1/', 1, 'web'::regrole)",
        "insert into net.http_request_queue (method, url, timeout_milliseconds) values ('GET', 'http://127.0.0.1:1/', 1)",
        "insert into net._http_response (id, requested_by) values (1, 'web'::regrole)",
        "insert into net.dead_letter (id, method, url, timeout_milliseconds, max_attempts, attempts)
         values (1, 'GET', 'http://a/', 1, 1, 1)",
        "insert into net.egress_rule (action) values ('allow')",
        "insert into net._open_access values ('anon')",
        "insert into net._open_access values (null)",
        "insert into net._home (stamp, database) values (1, 1)",
        "select net.restore_open_access('anon')",
        "select net.revoke_open_access('anon')",
        "select net.set_queue_logged(false)",
        "select net.set_responses_logged(true)",
    ] {
        assert_eq!(error_of(anon, statement).0, "42501", "{statement}");
    }
    for untouched in [
        "update net.http_request_queue set url = 'http://127.0.0.1:1/'",
        "update net._http_response set content = 'forged'",
        "update net.egress_rule set action = 'allow'",
        "update net._home set stamp = 1",
        "update net._open_access set role = 'anon'",
    ] {
        assert_eq!(anon.execute(untouched, &[]).unwrap(), 0, "{untouched}");
    }
}

#[test]
fn case_06_blanket_grants_open_neither_rows_of_others_nor_other_tables() {
    let mut fixture = platform();
    fixture.client.batch_execute(BLANKET).unwrap();
    let [_, mut anon] = web_and_anon(&fixture);
    assert_opens_nothing(&mut fixture, &mut anon);
}

/// A response cannot be made another role's, nor its own taken for another's.
#[test]
fn case_06_with_all_rights_a_role_forges_no_responses() {
    let mut fixture = platform();
    fixture.client.batch_execute(BLANKET).unwrap();
    let [_, mut anon] = web_and_anon(&fixture);
    let url = fixture.receiver.url("/anons");
    let id = Call::get(&url).send(&mut anon);
    fixture.response(id);
    let forge = "update net._http_response set requested_by = 'web'::regrole";
    assert_eq!(error_of(&mut anon, forge).0, "42501");
}

#[test]
fn case_07_default_privileges_neither_open_nor_close_anything() {
    let as_installed = platform().value::<String>(PRIVILEGES);
    assert!(as_installed.contains("net.http_request_queue - SELECT"), "{as_installed}");
    for by_default in [BY_DEFAULT, CLOSED_BY_DEFAULT] {
        let mut fixture = with_extension(Cluster::builder().start(), by_default);
        assert_eq!(fixture.value::<String>(PRIVILEGES), as_installed, "{by_default}");
        let [mut web, mut anon] = web_and_anon(&fixture);
        assert_works(&mut web, &fixture.receiver);
        assert_works(&mut anon, &fixture.receiver);
    }
}

/// A script that revokes everything and grants the least that each public function takes.
#[test]
fn case_07_a_hardening_script_closes_all_and_opens_one() {
    let mut fixture = platform();
    fixture
        .client
        .batch_execute(
            "revoke all on schema net from public;
             revoke all on all tables in schema net from public;
             revoke all on all sequences in schema net from public;
             revoke all on all functions in schema net from public;
             grant usage on schema net to web;
             grant execute on function net.http_post(text, jsonb, jsonb, jsonb, integer) to web",
        )
        .unwrap();
    let [mut web, mut anon] = web_and_anon(&fixture);
    let url = fixture.receiver.url("/hardened");
    let id = Call::post(&url).send(&mut web);
    assert_eq!(fixture.response(id).status_code, Some(200));
    for closed in ["select net.http_get('http://127.0.0.1:1/')", "select id from net._http_response"] {
        assert_eq!(error_of(&mut web, closed).0, "42501", "{closed}");
    }
    assert_eq!(error_of(&mut anon, &Call::post(&url).select()).0, "42501");
    // Readers of all data read on: the conditions on rows ask for no function of ours.
    let mut app = fixture.cluster.connect_as("app", "postgres");
    fixture.client.batch_execute("alter role app nobypassrls; grant usage on schema net to app").unwrap();
    assert_eq!(value::<i64>(&mut app, "select count(*) from net._http_response"), 1);
}
