//! The settings: what is refused, and what applies when.

use std::fs;

use testkit::{Call, Cluster, PATIENCE, Receiver, responses, wait_until};

use crate::fixture::{Fixture, assert_works, error_of, value};

#[test]
fn an_invalid_value_of_a_setting_is_refused_when_it_is_set() {
    let mut fixture = Fixture::new();
    for statement in [
        "alter system set pg_net.ttl = 'nonsense'",
        "alter role postgres set pg_net.ttl to 'nonsense'",
        "set pg_net.ttl = '6 parsecs'",
        "set pg_net.ttl = ''",
        "alter system set pg_net.batch_size = '0'",
        "alter role postgres set pg_net.batch_size to '-1'",
        "alter system set pg_net.max_in_flight = '0'",
        "alter system set pg_net.max_in_flight_per_origin = 'many'",
        "alter system set pg_net.max_response_bytes = '-1'",
        "alter system set pg_net.max_in_flight_bytes = '1kB'",
        "alter system set pg_net.breaker_failures = '-1'",
        "alter system set pg_net.retry_base = '0'",
        "alter system set pg_net.retry_cap = '8 days'",
        "alter system set pg_net.retry_after_max = 'soon'",
        "alter system set pg_net.tls_unverified_hosts = '*'",
        "alter system set pg_net.tls_unverified_hosts = 'localhost, *'",
        "alter system set pg_net.tls_client_cert_hosts = 'a*.example'",
        "alter system set pg_net.proxy = 'localhost:3128'",
        "alter system set pg_net.proxy = 'ftp://localhost'",
        "alter system set pg_net.no_proxy = '10.0.0.0/33'",
        "alter system set pg_net.accept_encoding = 'zip'",
        "alter system set pg_net.keep_partial = 'some'",
        "alter system set pg_net.idle_connection_timeout = '0'",
        "alter system set pg_net.egress = 'everywhere'",
    ] {
        let (state, message) = error_of(&mut fixture.client, statement);
        assert_eq!(state, "22023", "{statement}: {message}");
    }
    fixture.assert_works();
}

#[test]
fn any_interval_is_a_time_to_live() {
    let mut fixture = Fixture::new();
    for ttl in ["5 minutes", "2 days 3 hours", "90 minutes", "P1DT2H", "01:30:00", "1.5 hours", "0"] {
        fixture.cluster.alter_system("pg_net.ttl", "100 years");
        let ages = [(1, "+ interval '1 minute'"), (2, "- interval '1 minute'")];
        for (id, difference) in ages {
            let created = format!("now() - (interval '{ttl}' {difference})");
            let row = format!("insert into net._http_response (id, created) values ({id}, {created})");
            fixture.client.batch_execute(&row).unwrap();
        }
        fixture.cluster.alter_system("pg_net.ttl", ttl);
        wait_until("the older one's expiry", PATIENCE, || {
            fixture.value::<i64>("select count(*) from net._http_response where id = 1") == 0
        });
        assert_eq!(fixture.value::<i64>("select id from net._http_response"), 2, "{ttl}");
        fixture.client.batch_execute("delete from net._http_response").unwrap();
    }
}

/// The owner of a database must not loosen what the server's administrator set.
#[test]
fn limits_on_callers_cannot_be_set_by_a_databases_owner() {
    let mut fixture = Fixture::new();
    let others = "select array_agg(name order by name) from pg_settings
                   where name like 'pg_net.%' and context not in ('sighup', 'postmaster')";
    assert_eq!(fixture.value::<Vec<String>>(others), ["pg_net.batch_size", "pg_net.max_timeout_ms", "pg_net.ttl"]);
    for setting in [
        "max_in_flight",
        "max_in_flight_per_origin",
        "max_response_bytes",
        "max_in_flight_bytes",
        "breaker_failures",
        "retry_base",
        "retry_cap",
        "retry_after_max",
        "tls_ca_file",
        "tls_client_cert_file",
        "tls_client_key_file",
        "tls_client_cert_hosts",
        "tls_unverified_hosts",
        "proxy",
        "proxy_credentials_file",
        "no_proxy",
        "accept_encoding",
        "keep_partial",
        "idle_connection_timeout",
        "egress",
    ] {
        let (state, _) = error_of(&mut fixture.client, &format!("alter database postgres set pg_net.{setting} = '1'"));
        assert_eq!(state, "55P02", "{setting}");
    }
    fixture.client.batch_execute("create role someone login").unwrap();
    let mut someone = fixture.cluster.connect_as("someone", "postgres");
    for setting in ["ttl", "batch_size"] {
        let (state, _) = error_of(&mut someone, &format!("set pg_net.{setting} = '100'"));
        assert_eq!(state, "42501", "{setting}");
    }
}

#[test]
fn a_setting_of_a_role_or_database_and_the_restart_may_come_in_one_transaction() {
    for whose in ["role postgres", "database postgres"] {
        let mut fixture = Fixture::with(Cluster::builder().conf("pg_net.ttl", "1 day").start_ready());
        let before = fixture.cluster.worker_pid(&mut fixture.client);
        fixture
            .client
            .batch_execute(&format!(
                "begin;
                 alter {whose} set pg_net.ttl to '1 second';
                 select net.worker_restart();
                 commit;
                 select net.wait_until_running()"
            ))
            .unwrap();
        assert_ne!(fixture.cluster.worker_pid(&mut fixture.client), before, "{whose}");
        fixture.get("/status/200");
        wait_until(&format!("the response's expiry by the setting of the {whose}"), PATIENCE, || {
            fixture.value::<i64>("select count(*) from net._http_response") == 0
        });
        assert_eq!(fixture.receiver.count(), 1);
    }
}

#[test]
fn the_batch_size_bounds_a_read_of_the_queue_and_changes_on_reload() {
    let mut fixture = Fixture::counting_statements();
    let url = fixture.receiver.url("/x");
    let reads = "select sum(rows)::float8 / sum(calls) from pg_stat_statements
                  where query ~ '^select.*from net.http_request_queue where row_key >='";
    let mut done = 0;
    for (batch_size, most) in [("200", 200.0), ("7", 7.0)] {
        fixture.cluster.alter_system("pg_net.batch_size", batch_size);
        // Once the worker has taken the reload in.
        fixture.assert_works();
        fixture.client.batch_execute("select pg_stat_statements_reset()").unwrap();
        fixture.send_times(Call::get(&url), 400);
        done += 401;
        assert_eq!(responses(&mut fixture.client, done).len(), done);
        let a_read: f64 = fixture.value(reads);
        assert!(a_read <= most && a_read > most / 4.0, "{a_read} rows a read with a batch size of {batch_size}");
        assert_eq!(fixture.receiver.count(), done);
    }
}

#[test]
fn max_in_flight_per_origin_holds_and_changes_on_reload() {
    let mut fixture = Fixture::with(Cluster::builder().conf("pg_net.max_in_flight_per_origin", "3").start_ready());
    let gate = fixture.receiver.hold("/held");
    let held = fixture.receiver.url("/held");
    fixture.send_times(Call::get(&held).timeout(60_000), 20);
    fixture.receiver.wait_for(3);
    // Another origin is not held up by the one at its cap, and shows that there was time to send more.
    let other = Receiver::start();
    assert_works(&mut fixture.client, &other);
    assert_eq!(fixture.receiver.count(), 3);

    fixture.cluster.alter_system("pg_net.max_in_flight_per_origin", "10");
    fixture.receiver.wait_for(10);
    assert_works(&mut fixture.client, &other);
    assert_eq!(fixture.receiver.count(), 10);
    gate.release();
    let answers = responses(&mut fixture.client, 22);
    assert!(answers.iter().all(|answer| answer.status_code == Some(200)));
    assert_eq!(fixture.receiver.count(), 20);
}

#[test]
fn a_batch_of_one_reads_one_at_a_time_and_still_sends_all() {
    let mut fixture = Fixture::counting_statements();
    fixture.cluster.alter_system("pg_net.batch_size", "1");
    fixture.assert_works();
    let reads = "select coalesce(sum(rows), 0)::bigint, coalesce(sum(calls), 0)::bigint from pg_stat_statements
                 where query like '%from net.http_request_queue where row_key >=%' and query not like '%pg_stat_%'";
    fixture.client.batch_execute("select pg_stat_statements_reset()").unwrap();
    let url = fixture.receiver.url("/x");
    fixture.send_times(Call::get(&url), 50);
    let answers = responses(&mut fixture.client, 51);
    assert!(answers.iter().all(|answer| answer.status_code == Some(200)));
    assert_eq!(fixture.receiver.count(), 51);
    let row = fixture.client.query_one(reads, &[]).unwrap();
    let (rows, calls): (i64, i64) = (row.get(0), row.get(1));
    assert!(rows >= 50 && calls >= rows, "{rows} rows in {calls} reads");
}

#[test]
fn the_worker_serves_the_database_and_role_it_is_told() {
    let cluster = Cluster::builder().conf("pg_net.database_name", "app").conf("pg_net.username", "robot").start();
    let mut admin = cluster.connect();
    admin.batch_execute("create role robot superuser login").unwrap();
    admin.batch_execute("create database app").unwrap();
    let mut client = cluster.connect_as("postgres", "app");
    client.batch_execute("create extension pg_net").unwrap();
    client.batch_execute("select net.worker_restart()").unwrap();
    let receiver = Receiver::start();
    assert_works(&mut client, &receiver);
    // A worker may be on a visit elsewhere meanwhile.
    let who = "select usename || ' in ' || datname from pg_stat_activity
                where backend_type = 'pg_net' and datname = 'app'";
    assert_eq!(value::<String>(&mut client, who), "robot in app");
}

/// Postgres logs what a reload changes, and what it refuses, with its value.
#[test]
fn a_proxys_password_does_not_reach_the_log() {
    let mut fixture = Fixture::new();
    let configuration = fixture.cluster.data_directory().join("postgresql.conf");
    let good = fs::read_to_string(&configuration).unwrap();
    for secret in ["http://user:hunter2@localhost:3128", "hunter2@localhost", "socks5://u:hunter2@a b"] {
        fs::write(&configuration, format!("{good}pg_net.proxy = '{secret}'\n")).unwrap();
        let before = fixture.cluster.log().len();
        fixture.client.batch_execute("select pg_reload_conf()").unwrap();
        wait_until("the refusal in the log", PATIENCE, || {
            fixture.cluster.log()[before..].contains("invalid value for parameter \"pg_net.proxy\"")
        });
    }
    let (state, message) =
        error_of(&mut fixture.client, "alter system set pg_net.proxy = 'http://user:secret@localhost:3128'");
    assert_eq!((state.as_str(), message.as_str()), ("22023", "invalid value for parameter \"pg_net.proxy\""));
    let log = fixture.cluster.log();
    assert!(!log.contains("hunter2"), "{log}");
    assert!(log.contains("User name and password belong in the file that pg_net.proxy_credentials_file names."));
    fixture.assert_works();
}

#[test]
fn the_path_of_the_proxys_credentials_is_for_superusers() {
    let mut fixture = Fixture::new();
    fixture.client.batch_execute("create role someone login").unwrap();
    let mut someone = fixture.cluster.connect_as("someone", "postgres");
    let (state, _) = error_of(&mut someone, "show pg_net.proxy_credentials_file");
    assert_eq!(state, "42501");
    someone.batch_execute("show pg_net.proxy").unwrap();
}

#[test]
fn files_that_cannot_be_read_are_named_in_the_log_and_stop_nothing_else() {
    let mut fixture = Fixture::new();
    let worker = fixture.cluster.worker_pid(&mut fixture.client);
    for (setting, value) in [
        ("pg_net.tls_client_cert_file", "/nonexistent/cert.pem"),
        ("pg_net.tls_ca_file", "/nonexistent/authorities.pem"),
        ("pg_net.proxy_credentials_file", "/nonexistent/login"),
        ("pg_net.proxy", "http://127.0.0.1:1"),
    ] {
        fixture.cluster.alter_system(setting, value);
        if value.starts_with('/') && setting != "pg_net.proxy_credentials_file" {
            fixture.cluster.wait_for_log(&format!("pg_net: {value}: No such file or directory"));
            fixture.assert_works();
        }
    }
    fixture.cluster.wait_for_log("pg_net: /nonexistent/login: No such file or directory");
    let refused = fixture.receiver.url("/unsent");
    fixture.get_url(&refused).assert_failure("proxy handshake error");
    fixture.cluster.alter_system("pg_net.proxy", "");
    wait_until("a way without the proxy", PATIENCE, || fixture.get("/direct").status_code == Some(200));
    fixture.get_url("https://localhost:1/").assert_failure("Couldn't connect to server");
    assert_eq!(fixture.cluster.worker_pid(&mut fixture.client), worker);
    assert!(fixture.receiver.requests().iter().all(|request| request.path() != "/unsent"));
}

#[test]
fn case_41_compressed_replies_are_asked_for_where_a_setting_says_so() {
    let mut fixture = Fixture::new();
    fixture.get("/not-asked");
    assert_eq!(fixture.received("/not-asked").header("accept-encoding"), None);
    fixture.cluster.alter_system("pg_net.accept_encoding", "on");
    wait_until("the setting to apply", PATIENCE, || {
        let path = format!("/asked/{}", fixture.receiver.count());
        fixture.get(&path);
        fixture.received(&path).header("accept-encoding") == Some("gzip, deflate, br, zstd")
    });
}
