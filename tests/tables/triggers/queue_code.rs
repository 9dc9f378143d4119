//! Code on the queue and on the dead letter that fails while the worker deals with an outcome: never does it cause another attempt.

use testkit::{Call, PATIENCE, Shutdown, wait_until};

use super::{fixture, run};
use crate::fixture::Fixture;

const FAILING: &str = "
    create function failing() returns trigger language plpgsql as $$ begin raise insufficient_privilege; end $$;
    create function sleeping() returns trigger language plpgsql as $$ begin perform pg_sleep(60); return old; end $$;
    create function keeping() returns trigger language plpgsql as $$ begin return null; end $$;";

fn restart(fixture: &mut Fixture) {
    run(&mut fixture.client, "select net.worker_restart(); select net.wait_until_running()");
    fixture.cluster.stop(Shutdown::Fast);
    fixture.cluster.start();
    fixture.client = fixture.cluster.connect();
    run(&mut fixture.client, "select net.wait_until_running()");
}

#[test]
fn case_04_a_request_that_code_keeps_in_the_queue_is_sent_once() {
    let mut fixture = fixture();
    run(&mut fixture.client, FAILING);
    for code in [
        "create trigger mine before delete on net.http_request_queue for each row execute function failing()",
        "create trigger mine after delete on net.http_request_queue for each row execute function failing()",
        "create trigger mine before delete on net.http_request_queue for each row execute function sleeping()",
        "create trigger mine before delete on net.http_request_queue for each row execute function keeping()",
        "create rule mine as on delete to net.http_request_queue do instead nothing",
    ] {
        run(&mut fixture.client, code);
        let before = fixture.receiver.count();
        let url = fixture.receiver.url("/x");
        let id = fixture.send(Call::get(&url));
        let once = fixture.send(Call::request("GET", &url).at_most_once());
        assert_eq!(fixture.response(id).status_code, Some(200), "{code}");
        assert_eq!(fixture.response(once).status_code, Some(200), "{code}");
        restart(&mut fixture);
        assert_eq!(fixture.receiver.count(), before + 2, "{code}");
        assert_eq!(fixture.value::<i64>("select count(*) from net.http_request_queue"), 0, "{code}");
        let what = if code.contains("rule") { "rule" } else { "trigger" };
        run(&mut fixture.client, &format!("drop {what} mine on net.http_request_queue"));
    }
    let log = fixture.cluster.log();
    let said = "leaves the queue without triggers, which failed: trigger \"mine\" on table \"net.http_request_queue\", which runs failing()";
    assert!(log.contains(said), "{log}");
}

#[test]
fn case_04_attempts_are_counted_whatever_code_on_the_queue_says() {
    let mut fixture = fixture();
    run(&mut fixture.client, FAILING);
    fixture.cluster.alter_system("pg_net.retry_base", "10ms");
    for code in [
        "create trigger mine before update on net.http_request_queue for each row execute function failing()",
        "create trigger mine after insert on net.dead_letter for each row execute function failing()",
        "create trigger mine before insert on net.dead_letter for each row execute function sleeping()",
    ] {
        run(&mut fixture.client, code);
        let before = fixture.receiver.count();
        let url = fixture.receiver.url("/status/503");
        let id = fixture.send(Call::request("GET", &url).max_attempts(3));
        assert_eq!(fixture.response(id).status_code, Some(503), "{code}");
        assert_eq!(fixture.receiver.count(), before + 3, "{code}");
        wait_until("the dead letter", PATIENCE, || {
            fixture.value::<i64>(&format!("select count(*) from net.dead_letter where id = {id} and attempts = 3")) == 1
        });
        let table = code.split(' ').skip_while(|word| *word != "on").nth(1).unwrap();
        run(&mut fixture.client, &format!("drop trigger mine on {table}"));
    }
    fixture.assert_works();
}
