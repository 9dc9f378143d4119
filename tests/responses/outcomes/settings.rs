//! Settings: those that an administrator misspelt, and those that a database or a role was given for other reasons.

mod read_only;

use testkit::{Call, Cluster, PATIENCE, responses, wait_until};

use crate::fixture::{Fixture, value};

/// How often the log warns of a setting.
fn warnings(cluster: &Cluster, name: &str) -> usize {
    let wanted = format!("pg_net has no setting \"{name}\"");
    cluster.log().lines().filter(|line| line.contains("WARNING:") && line.contains(&wanted)).count()
}

#[test]
fn case_16_unknown_settings_are_warned_about_at_start_and_reload_and_never_refused() {
    let misspelt = ["pg_net.address_blacklist", "pg_net.tll", "Pg_Net.Batch_Sise"];
    let builder = misspelt.iter().fold(Cluster::builder(), |builder, name| builder.conf(name, "10.0.0.0/8"));
    let mut fixture =
        Fixture::with(builder.conf("pg_net.max_timeout_ms", "54321").conf("other.setting", "1").start_ready());
    fixture.assert_works();
    for name in misspelt {
        assert_eq!(warnings(&fixture.cluster, name), 1, "{name}");
    }
    assert_eq!(fixture.value::<String>("show pg_net.max_timeout_ms"), "54321");
    assert_eq!(fixture.cluster.log().matches("pg_net has no setting").count(), misspelt.len());

    fixture.cluster.set_in_file("pg_net.typo", "1");
    wait_until("the warning", PATIENCE, || warnings(&fixture.cluster, "pg_net.typo") > 0);
    for (name, times) in misspelt.map(|name| (name, 2)).into_iter().chain([("pg_net.typo", 1)]) {
        wait_until(name, PATIENCE, || warnings(&fixture.cluster, name) == times);
    }
    // Sessions may set them, and a worker that restarts does not say it once more.
    fixture.client.batch_execute("set pg_net.typo = 2; set pg_net.mine = 3; select net.worker_restart()").unwrap();
    fixture.client.batch_execute("select net.wait_until_running()").unwrap();
    fixture.assert_works();
    // It reads the configuration again, which the worker before it may have reported.
    assert!((1..=2).contains(&warnings(&fixture.cluster, "pg_net.typo")));
    assert_eq!(warnings(&fixture.cluster, "pg_net.mine"), 0);

    fixture.client.batch_execute("alter role postgres set pg_net.btach_size = 7; select net.worker_restart()").unwrap();
    fixture.client.batch_execute("select net.wait_until_running()").unwrap();
    fixture.assert_works();
    assert_eq!(warnings(&fixture.cluster, "pg_net.btach_size"), 1);
    assert!(!fixture.cluster.log().contains("other.setting"));
}

#[test]
fn case_16_unknown_settings_are_warned_about_where_the_worker_cannot_connect() {
    let cluster = Cluster::builder().conf("pg_net.database_name", "nowhere").conf("pg_net.typo", "1").start();
    cluster.wait_for_log("database \"nowhere\" does not exist; the worker waits");
    assert_eq!(warnings(&cluster, "pg_net.typo"), 1);
    cluster.set_in_file("pg_net.more", "1");
    wait_until("the warning", PATIENCE, || warnings(&cluster, "pg_net.more") == 1);
    assert_eq!(warnings(&cluster, "pg_net.typo"), 2);
}

/// What would keep the worker from doing its work, or its users' triggers from doing theirs.
const IN_THE_WAY: &[(&str, &str)] = &[
    ("session_replication_role", "replica"),
    ("temp_file_limit", "0"),
    ("work_mem", "64kB"),
    ("statement_timeout", "1ms"),
    ("lock_timeout", "1ms"),
    ("idle_in_transaction_session_timeout", "1ms"),
    ("idle_session_timeout", "1ms"),
    ("default_transaction_deferrable", "on"),
    ("default_transaction_isolation", "serializable"),
    ("row_security", "off"),
    ("search_path", "nowhere"),
    ("DateStyle", "SQL, DMY"),
    ("IntervalStyle", "sql_standard"),
    ("TimeZone", "Pacific/Kiritimati"),
];

#[test]
fn case_17c_what_database_and_role_are_set_to_is_in_no_ones_way() {
    let cluster = Cluster::builder().conf("pg_net.username", "robot").conf("pg_net.retry_base", "1").start();
    let mut client = cluster.connect();
    client.batch_execute("create role robot superuser login; create extension pg_net").unwrap();
    let mut fixture = Fixture::with(cluster);
    let prepare = "create table seen (id bigint, length int);
                   create function see() returns trigger language plpgsql as $$
                   begin
                       insert into public.seen values (new.id, length(new.content));
                       return new;
                   end $$;
                   create trigger see after insert on net._http_response for each row execute function see()";
    fixture.client.batch_execute(prepare).unwrap();
    let large = "x".repeat(200_000);
    let reply = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{large}", large.len());
    for target in ["database postgres", "role robot"] {
        for (name, value) in IN_THE_WAY {
            client.batch_execute(&format!("alter {target} set {name} = '{value}'")).unwrap();
        }
        client.batch_execute("truncate net._http_response, seen; select net.worker_restart()").unwrap();
        client.batch_execute("select net.wait_until_running()").unwrap();

        fixture.receiver.script("/large", vec![reply.clone().into_bytes(); 50]);
        let url = fixture.receiver.url("/large");
        Call::get(&url).timeout(20_000).send_times(&mut client, 50);
        let answers = responses(&mut client, 50);
        assert!(answers.iter().all(|answer| answer.text().len() == large.len()), "{target}");
        let seen = "select count(*) from seen where length = 200000";
        assert_eq!(value::<i64>(&mut client, seen), 50, "{target}: the trigger fires");

        // What is tried again, and what used up its attempts.
        let url = testkit::Receiver::refused_port().url("/");
        let id = Call::request("GET", &url).max_attempts(3).send(&mut client);
        let buried = format!("select attempts from net.dead_letter where id = {id}");
        let attempts = wait_until("the dead letter", PATIENCE, || {
            client.query_opt(&buried, &[]).unwrap().map(|row| row.get::<_, i32>(0))
        });
        assert_eq!(attempts, 3, "{target}");

        // What expires.
        client.batch_execute("alter system set pg_net.ttl = '1 second'").unwrap();
        client.batch_execute("select pg_reload_conf()").unwrap();
        wait_until("no response", PATIENCE, || {
            value::<i64>(&mut client, "select count(*) from net._http_response") == 0
        });
        client.batch_execute("alter system reset pg_net.ttl").unwrap();
        client.batch_execute("select pg_reload_conf()").unwrap();
        client.batch_execute(&format!("alter {target} reset all; select net.worker_restart()")).unwrap();
        client.batch_execute("select net.wait_until_running()").unwrap();
    }
    let log = fixture.cluster.log();
    assert!(!log.contains("pg_net: could not"), "{log}");
}
