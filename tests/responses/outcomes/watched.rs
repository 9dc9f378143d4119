//! Servers on which every statement is watched: logged, explained, audited, and refused if it is dear.

use postgres::Client;
use serde_json::json;
use testkit::{Builder, Call, Cluster, Library, PATIENCE, Receiver, wait_until};

use crate::fixture::{Fixture, error_of, value};

/// Part of every secret here.
const SECRET: &str = "hunter2";

const COST_LIMIT: &str = include_str!("cost_limit.c");

/// A server that logs all that it can log of statements, those of functions too.
fn watched() -> Builder {
    [
        ("log_line_prefix", "%m [%p] %b %u "),
        ("log_statement", "all"),
        ("log_min_duration_statement", "0"),
        ("log_error_verbosity", "verbose"),
        ("pgaudit.log", "all"),
        ("pgaudit.log_parameter", "on"),
        ("pgaudit.log_relation", "on"),
        ("auto_explain.log_min_duration", "0"),
        ("auto_explain.log_nested_statements", "on"),
        ("auto_explain.log_verbose", "on"),
        ("auto_explain.log_analyze", "on"),
        ("auto_explain.log_triggers", "on"),
        ("debug_print_plan", "on"),
        ("debug_print_rewritten", "on"),
        ("pg_net.retry_base", "1"),
    ]
    .into_iter()
    .fold(Cluster::builder().preload("pgaudit").preload("auto_explain"), |builder, (name, value)| {
        builder.conf(name, value)
    })
}

/// The log's messages, each with its lines and what belongs to it: details, statements, contexts.
fn messages(log: &str) -> Vec<String> {
    let mut messages: Vec<String> = Vec::new();
    for line in log.lines() {
        let is_continued = line.starts_with('\t')
            || ["DETAIL:  ", "HINT:  ", "CONTEXT:  ", "STATEMENT:  ", "QUERY:  ", "LOCATION:  "]
                .iter()
                .any(|part| line.contains(part));
        match messages.last_mut() {
            Some(last) if is_continued => {
                last.push('\n');
                last.push_str(line);
            }
            _ => messages.push(line.to_owned()),
        }
    }
    messages
}

const CALL: &str = "select net.http_request('POST', $1, $2::text, headers := $3, max_attempts := $4)";

/// Asks with a secret in every place that can hold one. The values are parameters.
#[track_caller]
fn call(client: &mut Client, url: &str, attempts: i32) -> i64 {
    let url = url.replacen("http://", &format!("http://user:{SECRET}@"), 1) + &format!("?token={SECRET}");
    let headers = json!({"Authorization": format!("Bearer {SECRET}"), "X-Api-Key": SECRET});
    client.query_one(CALL, &[&url, &format!("a body with {SECRET}"), &headers, &attempts]).expect("a request").get(0)
}

/// Fails the test if a message of the log holds a secret that is not about the user's own statement.
#[track_caller]
fn assert_nothing_told(cluster: &Cluster) {
    let log = cluster.log();
    let own = ["net.http_request('POST', $1", "an insert by hand"];
    let told: Vec<_> = messages(&log)
        .into_iter()
        .filter(|message| message.contains(SECRET) && !own.iter().any(|own| message.contains(own)))
        .collect();
    assert!(told.is_empty(), "{} messages, such as {:#?}", told.len(), &told[..told.len().min(3)]);
}

#[test]
fn case_17_no_secret_in_the_log_beyond_the_users_own_statement() {
    // What the user's own statements log is left out, as far as it can be, so that the rest can be told from it.
    let builder = watched().conf("log_parameter_max_length", "0");
    let mut fixture = Fixture::with(builder.start_ready());
    let refused = Receiver::refused_port();
    fixture
        .client
        .batch_execute("create extension pgaudit; create role web login; create table seen (id bigint)")
        .unwrap();
    let echo = fixture.receiver.url("/echo");
    let dead = refused.url("/");
    // Without and with code of the user's on the tables: then rows go through the executor.
    let triggers = "create function see() returns trigger language plpgsql as $$
                    begin insert into public.seen values (new.id); return new; end $$;
                    create trigger see before insert on net.http_request_queue for each row execute function see();
                    create trigger see after insert on net._http_response for each row execute function see();
                    create trigger see after insert on net.dead_letter for each row execute function see()";
    for setup in ["", triggers] {
        fixture.client.batch_execute(setup).unwrap();
        let mut web = fixture.cluster.connect_as("web", "postgres");
        // Often enough for a generic plan, where Postgres chooses.
        let ids: Vec<i64> = (0..7).map(|_| call(&mut web, &echo, 1)).collect();
        for &id in &ids {
            let answer = fixture.response(id);
            assert!(answer.text().contains(SECRET), "{answer:?}");
        }
        let message: String = value(&mut web, &format!("select message from net.await_response({})", ids[0]));
        assert_eq!(message, "ok");
        let id = call(&mut web, &dead, 2);
        wait_until("the dead letter", PATIENCE, || {
            fixture.value::<bool>(&format!("select exists (select from net.dead_letter where id = {id})"))
        });
        assert!(value::<bool>(&mut web, &format!("select net.retry({id})")));
        fixture.response(id);
        assert_nothing_told(&fixture.cluster);
    }
    let log = fixture.cluster.log();
    for part in
        ["AUDIT: SESSION", "plan:", "execute ", "duration: ", ",INSERT,TABLE,net._http_response,", "<not logged>"]
    {
        assert!(log.contains(part), "the log is as full as it can be: {part}");
    }
}

/// Settings that log a user's statements still do.
#[test]
fn case_17_what_users_run_is_audited_with_its_parameters() {
    let mut fixture = Fixture::with(watched().start_ready());
    fixture.client.batch_execute("create extension pgaudit; create table mine (secret text)").unwrap();
    call(&mut fixture.client, &fixture.receiver.url("/echo"), 1);
    fixture.client.execute("insert into mine values ($1)", &[&"a parameter of mine"]).unwrap();
    assert!(messages(&fixture.cluster.log()).iter().any(|message| {
        message.contains("AUDIT:") && message.contains("insert into mine") && message.contains("a parameter of mine")
    }));
}

/// Who calls out, by a class of pgaudit's that sees functions: also in a trigger, and whatever the function is.
#[test]
fn case_17_calls_are_audited_by_function_logging() {
    let builder = Cluster::builder()
        .preload("pgaudit")
        .conf("log_line_prefix", "%m [%p] %b %u ")
        .conf("pgaudit.log", "function")
        .conf("pgaudit.log_statement", "off");
    let mut fixture = Fixture::with(builder.start_ready());
    let url = fixture.receiver.url("/");
    let prepare = format!(
        "create extension pgaudit; create role web login; create role clerk login;
         create table orders (id int); grant insert on orders to clerk;
         create function notify() returns trigger language plpgsql as $$
         begin perform net.http_post('{url}', '{{\"token\": \"{SECRET}\"}}'); return new; end $$;
         create trigger notify after insert on orders for each row execute function notify();
         alter function net.http_put(text, jsonb, jsonb, jsonb, integer) security definer"
    );
    fixture.client.batch_execute(&prepare).unwrap();
    let mut web = fixture.cluster.connect_as("web", "postgres");
    for (call, function) in [
        ("http_get('URL')", "http_get"),
        ("http_put('URL')", "http_put"),
        ("http_request('PURGE', 'URL')", "http_request"),
        ("await_response(1)", "await_response"),
        ("cancel(1)", "cancel"),
    ] {
        web.batch_execute(&format!("select net.{}", call.replace("URL", &format!("{url}?{SECRET}")))).unwrap();
        let audited = "web LOG:  AUDIT: SESSION,";
        let what = format!(",FUNCTION,EXECUTE,FUNCTION,net.{function},");
        wait_until(&what, PATIENCE, || {
            fixture.cluster.log().lines().any(|line| line.contains(audited) && line.contains(&what))
        });
    }
    fixture.cluster.connect_as("clerk", "postgres").batch_execute("insert into orders values (1)").unwrap();
    wait_until("the audit of the trigger's call", PATIENCE, || {
        let log = fixture.cluster.log();
        log.lines().any(|line| line.contains("clerk LOG:  AUDIT: SESSION,") && line.contains("FUNCTION,net.http_post,"))
    });
    // Other audits of a call than its statement hold no argument.
    let told: Vec<_> =
        messages(&fixture.cluster.log()).into_iter().filter(|message| message.contains(SECRET)).collect();
    assert!(told.is_empty(), "{told:#?}");
}

#[test]
fn case_17_a_cost_limit_refuses_neither_the_worker_nor_those_who_wait() {
    let library = Library::compile("cost_limit", COST_LIMIT);
    let builder = watched().preload(&library.path()).conf("plan_filter.statement_cost_limit", "20");
    let mut fixture = Fixture::with(builder.start());
    let set = "set plan_filter.statement_cost_limit = 0; create extension pgaudit; create extension pg_net;
               create role web login; create table numbers as select n from generate_series(1, 10000) n; analyze numbers;
               grant select on numbers to web";
    fixture.client.batch_execute(set).unwrap();
    let mut web = fixture.cluster.connect_as("web", "postgres");
    assert_eq!(error_of(&mut web, "select count(*) from numbers").0, "54001", "there is a limit");

    let url = fixture.receiver.url("/");
    // So many that each look at the queue costs more than that.
    fixture.send_times(Call::request("GET", &url).not_before("now() + '1 hour'"), 20_000);
    fixture.client.batch_execute("analyze net.http_request_queue").unwrap();
    for terms in ["", ", delivery := 'at_most_once'", ", max_attempts := 3"] {
        let id = value::<i64>(&mut web, &format!("select net.http_request('POST', '{url}'{terms})"));
        for wait in ["(net.await_response(ID)).message", "(net._http_collect_response(ID, async := false)).message"] {
            let message: String = value(&mut web, &format!("select {}", wait.replace("ID", &id.to_string())));
            assert_eq!(message, "ok", "{terms}: {wait}");
        }
        assert!(value::<bool>(&mut web, &format!("select net._await_response({id})")));
        assert_eq!(web.query(&format!("select net.await_responses('{{{id}}}')"), &[]).unwrap().len(), 1);
        assert!(!value::<bool>(&mut web, &format!("select net.cancel({id})")));
    }
    let mine = Call::request("GET", &url).not_before("now() + '1 hour'").send(&mut web);
    assert!(value::<bool>(&mut web, &format!("select net.cancel({mine})")));
    let refused = Receiver::refused_port();
    let dead = Call::request("GET", &refused.url("/")).max_attempts(2).select();
    let id = value::<i64>(&mut web, &dead);
    wait_until("the dead letter", PATIENCE, || fixture.value::<i64>("select count(*) from net.dead_letter") == 1);
    assert!(value::<bool>(&mut web, &format!("select net.retry({id})")));
    fixture.cluster.alter_system("pg_net.ttl", "1 second");
    wait_until("no response", PATIENCE, || fixture.value::<i64>("select count(*) from net._http_response") == 0);
    // The limit is still there for all else.
    assert_eq!(error_of(&mut web, "select count(*) from numbers").0, "54001");
    assert!(!fixture.cluster.log().contains("pg_net: could not"));
}
