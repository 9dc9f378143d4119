//! Servers on which an UPDATE or DELETE without WHERE is an error, by an extension such as safeupdate.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::{Call, Cluster, PATIENCE, responses, wait_until};

use super::warnings_of_update;
use crate::fixture::{Fixture, error_of};
use crate::update::old_version::{ALL, NEWEST};
use crate::update::{create, fixture};

/// A library that does what safeupdate does, which no package of Debian's has.
fn guard() -> PathBuf {
    let pg_config = std::env::var("PG_CONFIG").unwrap_or_else(|_| "pg_config".into());
    let headers = Command::new(pg_config).arg("--includedir-server").output().expect("run pg_config").stdout;
    let directory = std::env::var_os("PGNET_TEST_TMP").map_or_else(std::env::temp_dir, PathBuf::from);
    let thread = format!("{:?}", std::thread::current().id()).replace(|c: char| !c.is_ascii_digit(), "");
    let library = directory.join(format!("where_guard-{}-{thread}.so", std::process::id()));
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-I"])
        .arg(String::from_utf8(headers).unwrap().trim())
        .arg("-o")
        .arg(&library)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("update/customized/where_guard.c"))
        .output()
        .expect("run cc");
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    library
}

struct Guard(PathBuf);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn assert_guarded(fixture: &mut Fixture) {
    fixture.client.batch_execute("create table if not exists plain (n int); delete from plain where true").unwrap();
    for statement in
        ["delete from plain", "update plain set n = 1", "with d as (delete from plain returning 1) table d"]
    {
        let (state, message) = error_of(&mut fixture.client, statement);
        assert!(state == "21000" && message.ends_with("requires a WHERE clause"), "{statement}: {message}");
    }
}

#[test]
fn case_11_the_update_comes_through_in_a_session_that_loaded_it() {
    let guard = Guard(guard());
    let mut fixture = fixture();
    for version in [ALL[0], NEWEST] {
        create(&mut fixture.client, version);
        let url = fixture.receiver.url("/waits");
        let id = fixture.send(Call::get(&url));
        fixture.client.batch_execute(&format!("load '{}'", guard.0.display())).unwrap();
        assert_guarded(&mut fixture);
        fixture
            .client
            .batch_execute("alter extension pg_net update")
            .unwrap_or_else(|error| panic!("{version}: {error:?}"));
        assert_eq!(fixture.response(id).status_code, Some(200), "{version}");
        fixture.assert_works();
        fixture.client = fixture.cluster.connect();
    }
}

#[test]
fn case_11_everything_works_where_every_process_has_it() {
    let guard = Guard(guard());
    let cluster = Cluster::builder().preload(guard.0.to_str().unwrap()).start();
    crate::update::old_sql::install(&mut cluster.connect());
    let mut fixture = Fixture::with(cluster);
    assert_guarded(&mut fixture);
    create(&mut fixture.client, NEWEST);
    let url = fixture.receiver.url("/ok");
    let waiting = fixture.send(Call::get(&url));
    assert_eq!(warnings_of_update(&fixture), Vec::<String>::new());
    assert_eq!(fixture.response(waiting).status_code, Some(200));

    // Attempts, dead letters and retries; what is taken back; settings of the owner's.
    fixture.cluster.alter_system("pg_net.ttl", "1 hour");
    let refused = fixture.receiver.url("/status/500");
    let id = fixture.send(Call::request("GET", &refused).max_attempts(2));
    wait_until("a dead letter", PATIENCE, || fixture.value::<i64>("select count(*) from net.dead_letter") == 1);
    assert!(fixture.value::<bool>(&format!("select net.retry({id})")));
    wait_until("it again", PATIENCE, || fixture.value::<i64>("select count(*) from net.dead_letter") == 1);
    let later = fixture.send(Call::request("GET", &url).not_before("now() + interval '1 hour'"));
    assert!(fixture.value::<bool>(&format!("select net.cancel({later})")));
    for statement in [
        "select net.set_queue_logged(false), net.set_responses_logged(true)",
        "select net.set_queue_logged(true), net.set_responses_logged(false)",
        "insert into net.egress_rule (action, network) values ('allow', '127.0.0.0/8')",
        "update net.egress_rule set comment = 'all' where true",
        "delete from net.egress_rule where true",
        "select net.restore_open_access()",
        "select net.worker_restart()",
        "select net.wait_until_running()",
        "select net.check_worker_is_up()",
        "select net.http_collect_response(1, false), net._http_collect_response(1), net._await_response(1)",
        "select net.await_response(1, '0'), net.await_responses('{1}', '0')",
    ] {
        fixture.client.batch_execute(statement).unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    }
    fixture.assert_works();
    // What is too old goes.
    fixture.cluster.alter_system("pg_net.ttl", "1 second");
    wait_until("the end of all responses", PATIENCE, || {
        fixture.client.batch_execute("select net.wake()").unwrap();
        fixture.value::<i64>("select count(*) from net._http_response") == 0
    });
    // A copy of the database forgets where it was, and what waits there is not sent.
    let copied = "drop extension pg_net; create extension pg_net; select net.wait_until_running()";
    fixture.client.batch_execute(copied).unwrap();
    fixture.client.batch_execute("update net._home set stamp = 1 where true; select net.worker_restart()").unwrap();
    fixture.client.batch_execute("select net.wait_until_running()").unwrap();
    fixture.assert_works();
    let log = fixture.cluster.log();
    let refused: Vec<_> = log
        .lines()
        .filter(|line| line.contains("requires a WHERE clause") && !line.contains("client backend"))
        .collect();
    assert!(refused.is_empty(), "{refused:#?}");
    responses(&mut fixture.client, 1);
}

/// What SQL of ours runs, in the scripts and in the library.
#[test]
fn case_11_no_statement_of_ours_lacks_a_condition() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    files_below(&project.join("sql"), "sql", &mut files);
    files_below(&project.join("pg_net/src"), "rs", &mut files);
    let mut found = 0;
    for file in files {
        let text = fs::read_to_string(&file).unwrap().to_lowercase();
        for start in ["delete from net.", "delete from only net.", "update net.", "update only net."] {
            for (at, _) in text.match_indices(start) {
                // To the end of the statement, or of the string that it is in, or of the part of a WITH.
                let rest = &text[at..];
                let end = rest.find([';', '"']).unwrap_or(rest.len());
                assert!(rest[..end].contains("where "), "{}: {}", file.display(), &rest[..end]);
                found += 1;
            }
        }
    }
    assert!(found > 10, "{found} statements");
}

fn files_below(directory: &Path, extension: &str, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, extension, files);
        } else if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
}
