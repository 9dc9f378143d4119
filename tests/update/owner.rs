//! The update is a superuser's; the extension may belong to a role that is none any more.

use testkit::Call;

use super::old_version::{NEWEST, OLDEST};
use super::{create, fixture, update};
use crate::fixture::{assert_works, value};

#[test]
fn an_owner_that_is_no_superuser_any_more_owns_all_after_the_update() {
    let mut fixture = fixture();
    for version in [OLDEST, NEWEST] {
        fixture.client.batch_execute("drop role if exists alice; create role alice login").unwrap();
        fixture.client.batch_execute("create role boss superuser login").unwrap();
        let mut boss = fixture.cluster.connect_as("boss", "postgres");
        create(&mut boss, version);
        // Which everybody has since 0.12.
        boss.batch_execute("grant usage on schema net to public").unwrap();
        drop(boss);
        fixture.client.batch_execute("alter role boss nosuperuser").unwrap();
        let url = fixture.receiver.url("/waits");
        let waiting = fixture.send(Call::get(&url));

        update(&mut fixture.client);
        assert_eq!(fixture.response(waiting).status_code, Some(200), "{version}");
        let mut alice = fixture.cluster.connect_as("alice", "postgres");
        assert_works(&mut alice, &fixture.receiver);
        // Her own, and the one whose maker is not known.
        assert_eq!(value::<i64>(&mut alice, "select count(*) from net._http_response"), 2, "{version}");
        let mut boss = fixture.cluster.connect_as("boss", "postgres");
        assert_works(&mut boss, &fixture.receiver);
        assert_eq!(value::<i64>(&mut boss, "select count(*) from net._http_response"), 3, "{version}");
        boss.batch_execute("select net.set_queue_logged(true), net.worker_restart()").unwrap();

        let of_others = "
            select coalesce(string_agg(pg_describe_object(d.classid, d.objid, 0), ', '), '')
              from pg_depend d
              left join pg_class c on d.classid = 'pg_class'::regclass and c.oid = d.objid
              left join pg_proc p on d.classid = 'pg_proc'::regclass and p.oid = d.objid
              left join pg_type t on d.classid = 'pg_type'::regclass and t.oid = d.objid
              left join pg_namespace n on d.classid = 'pg_namespace'::regclass and n.oid = d.objid
             where d.deptype = 'e' and d.refobjid = (select oid from pg_extension where extname = 'pg_net')
               and coalesce(c.relowner, p.proowner, t.typowner, n.nspowner) <> 'boss'::regrole";
        assert_eq!(value::<String>(&mut fixture.client, of_others), "", "{version}");
        drop((alice, boss));
        fixture.client.batch_execute("drop extension pg_net; drop owned by boss; drop role boss").unwrap();
    }
}
