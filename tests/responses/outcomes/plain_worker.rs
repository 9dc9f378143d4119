//! `pg_net.username` names a role that is neither a superuser nor an owner, as on hosted platforms.

use postgres::Client;
use testkit::{Call, Cluster, PATIENCE, Receiver, responses, wait_until};

use crate::fixture::{Fixture, error_of, value};

const ROLES: &str = "create role supa superuser login;
    create role app login bypassrls createrole;
    grant pg_read_all_data, pg_monitor, pg_signal_backend to app;
    create role web login";

/// The extension belongs to `supa`, the worker connects as `app`. Gives connections as `app` and as `web`.
fn fixture(builder: testkit::Builder) -> (Fixture, Client, Client) {
    let cluster = builder.conf("pg_net.username", "app").conf("pg_net.retry_base", "1").start();
    let mut client = cluster.connect();
    client.batch_execute(ROLES).unwrap();
    client.batch_execute("set role supa; create extension pg_net; reset role").unwrap();
    // It could not before there was the role.
    client.batch_execute("select net.wait_until_running()").unwrap();
    let (app, web) = (cluster.connect_as("app", "postgres"), cluster.connect_as("web", "postgres"));
    (Fixture::with(cluster), app, web)
}

/// The roles that workers are connected as.
fn workers(client: &mut Client) -> Vec<String> {
    // A new process is of no type until the postmaster has noted its pid, which may be when it has run for a while.
    let workers = "select usename::text from pg_stat_activity
                    where usename is not null and (backend_type ilike '%pg_net%' or application_name like 'pg\\_net %')";
    client.query(workers, &[]).unwrap().iter().map(|row| row.get(0)).collect()
}

fn waits(client: &mut Client) -> i64 {
    value(client, "select count(*) from net.http_request_queue")
}

#[test]
fn case_14_a_worker_of_a_plain_role_does_all_its_work() {
    let (mut fixture, mut app, mut web) = fixture(Cluster::builder());
    // Claims and records, for all.
    for client in [&mut web, &mut app, &mut fixture.client] {
        crate::fixture::assert_works(client, &fixture.receiver);
    }
    assert_eq!(workers(&mut app), ["app"]);
    assert_eq!(value::<i64>(&mut app, "select count(*) from net._http_response"), 3, "app sees all");
    assert_eq!(value::<i64>(&mut web, "select count(*) from net._http_response"), 1, "web its own");

    // Attempts, the dead letter, and from there again.
    let refused = Receiver::refused_port();
    let url = refused.url("/");
    let id = Call::request("POST", &url).max_attempts(3).send(&mut web);
    let buried = "select count(*) from net.dead_letter";
    wait_until("the dead letter", PATIENCE, || value::<i64>(&mut web, buried) == 1);
    assert!(value::<bool>(&mut web, &format!("select net.retry({id})")));
    assert_eq!(value::<i64>(&mut web, buried), 0);
    wait_until("the dead letter", PATIENCE, || value::<i64>(&mut web, buried) == 1);

    // At most once; at a time; taken back; waited for.
    let url = fixture.receiver.url("/terms");
    let call = Call::request("POST", &url);
    for terms in [call.clone().at_most_once(), call.not_before("now() + '200 ms'")] {
        let id = terms.send(&mut web);
        let message: String = value(&mut web, &format!("select message from net.await_response({id})"));
        assert_eq!(message, "ok", "{terms}");
    }
    let id = Call::request("GET", &url).not_before("now() + '1 hour'").send(&mut web);
    assert!(value::<bool>(&mut web, &format!("select net.cancel({id})")));
    assert_eq!(waits(&mut app), 0);

    // What may be called; what is wrong.
    fixture.client.batch_execute("insert into net.egress_rule (role, action) values ('web', 'deny')").unwrap();
    let id = Call::get(&url).send(&mut web);
    fixture.response(id).assert_failure("Refused by the egress policy");
    fixture.client.batch_execute("truncate net.egress_rule").unwrap();
    crate::fixture::assert_works(&mut web, &fixture.receiver);
    assert_eq!(fixture.client.query("select * from net.origin_state()", &[]).unwrap().len(), 1);

    // The owner's triggers run as the owner.
    let trigger = "create table seen (id bigint, by name);
        create function see() returns trigger language plpgsql as $$
        begin insert into public.seen values (new.id, current_user); return new; end $$;
        create trigger see after insert on net._http_response for each row execute function see()";
    fixture.client.batch_execute(&format!("set role supa; {trigger}; reset role")).unwrap();
    crate::fixture::assert_works(&mut web, &fixture.receiver);
    assert_eq!(fixture.value::<String>("select min(by)::text from seen"), "supa");
    assert!(!fixture.cluster.log().contains("pg_net: could not"), "{}", fixture.cluster.log());
}

#[test]
fn case_14_responses_expire_by_the_settings_of_its_role() {
    let (mut fixture, mut app, mut web) = fixture(Cluster::builder());
    crate::fixture::assert_works(&mut web, &fixture.receiver);
    fixture.client.batch_execute("alter role app set pg_net.ttl = '500 ms'").unwrap();
    // It is a member of pg_signal_backend.
    app.batch_execute("select net.worker_restart()").unwrap();
    app.batch_execute("select net.wait_until_running(); select net.check_worker_is_up()").unwrap();
    wait_until("no response", PATIENCE, || value::<i64>(&mut app, "select count(*) from net._http_response") == 0);
    assert_eq!(error_of(&mut web, "select net.worker_restart()").0, "42501");
    fixture.client.batch_execute("alter role app reset pg_net.ttl; select net.worker_restart()").unwrap();
    fixture.client.batch_execute("select net.wait_until_running()").unwrap();
    crate::fixture::assert_works(&mut web, &fixture.receiver);
    assert_eq!(workers(&mut app), ["app"]);
}

#[test]
fn case_14_restarts_and_crashes_lose_nothing() {
    let (mut fixture, mut app, mut web) = fixture(Cluster::builder());
    crate::fixture::assert_works(&mut web, &fixture.receiver);
    let gate = fixture.receiver.hold("/held");
    let url = fixture.receiver.url("/held");
    Call::get(&url).timeout(60_000).send_times(&mut web, 20);
    fixture.receiver.wait_for(21);
    // It may end the worker, whose role is its own.
    let end = "select pg_terminate_backend(pid) from pg_stat_activity where backend_type ilike '%pg_net%'";
    app.batch_execute(end).unwrap();
    gate.release();
    responses(&mut fixture.client, 21);
    assert_eq!(waits(&mut app), 0);

    drop((app, web));
    fixture.cluster.stop(testkit::Shutdown::Immediate);
    fixture.cluster.start();
    fixture.client = fixture.cluster.connect();
    fixture.assert_works();
    assert_eq!(workers(&mut fixture.client), ["app"]);
}

#[test]
fn case_14_other_databases_have_workers_of_that_role_too() {
    let (mut fixture, _app, _web) = fixture(Cluster::builder().conf("pg_net.worker_idle_timeout", "100ms"));
    fixture.client.batch_execute("create database other").unwrap();
    let mut owner = fixture.cluster.connect_as("supa", "other");
    owner.batch_execute("create extension pg_net").unwrap();
    let mut web = fixture.cluster.connect_as("web", "other");
    for _ in 0..2 {
        crate::fixture::assert_works(&mut web, &fixture.receiver);
        wait_until("the end of the other worker", PATIENCE, || workers(&mut fixture.client) == ["app"]);
    }
    // One that it may not connect to waits, and goes on when it may.
    fixture.client.batch_execute("revoke connect on database other from public").unwrap();
    let url = fixture.receiver.url("/waits");
    let id = Call::get(&url).send(&mut web);
    fixture.cluster.wait_for_log("requests wait until that changes");
    assert_eq!(fixture.receiver.requests().iter().filter(|request| request.path() == "/waits").count(), 0);
    fixture.client.batch_execute("grant connect on database other to app").unwrap();
    fixture.receiver.wait_for_request("/waits", |request| request.path() == "/waits");
    assert_eq!(testkit::response(&mut web, id).status_code, Some(200));
}
