//! Many requests at once, slow ones among fast ones, and failures by the thousand.

use testkit::{Cluster, Receiver, responses};

use crate::support::Bench;

/// One slow server holds back nobody: all fast answers are there while the slow one is still awaited.
#[test]
fn a_slow_answer_holds_back_no_fast_one() {
    let mut bench = Bench::new();
    let slow = Receiver::start();
    let gate = slow.hold("/slow");
    let (slow_url, fast_url) = (slow.url("/slow"), bench.receiver.url("/fast"));
    bench
        .client
        .batch_execute(&format!(
            "begin;
             select net.http_get('{slow_url}', timeout_milliseconds := 60000);
             select net.http_get('{fast_url}') from generate_series(1, 50);
             commit"
        ))
        .unwrap();
    let answers = responses(&mut bench.client, 50);
    assert!(answers.iter().all(|answer| answer.status_code == Some(200) && answer.id > Some(1)), "{answers:?}");
    assert_eq!((slow.wait_for(1).len(), bench.receiver.count()), (1, 50));
    gate.release();
    assert_eq!(bench.response(1).status_code, Some(200));
}

/// An origin at its cap does not hold up the rows queued behind its own, however many these are.
#[test]
fn an_origin_that_hangs_holds_back_no_other() {
    let mut bench = Bench::new();
    let hanging = Receiver::start();
    let gate = hanging.hold("/held");
    let held = hanging.url("/held");
    bench
        .client
        .batch_execute(&format!(
            "select net.http_get('{held}', timeout_milliseconds := 60000) from generate_series(1, 3000)"
        ))
        .unwrap();
    hanging.wait_for(1);
    bench.assert_works();
    assert_eq!(bench.value::<i64>("select count(*) from net._http_response"), 1);
    gate.release();
    assert_eq!(responses(&mut bench.client, 3001).len(), 3001);
    assert_eq!(hanging.count(), 3000);
}

#[test]
fn three_thousand_failures_leave_the_worker_as_it_was() {
    // Each is to be sent, whatever became of those before.
    let mut bench = Bench::with(Cluster::builder().conf("pg_net.breaker_failures", "0").start_ready());
    let pid = bench.cluster.worker_pid(&mut bench.client);
    let (refused, closing, hanging) = (Receiver::refused_port(), Receiver::start(), Receiver::start());
    let asks = [(refused.url("/refused"), "30000"), (closing.url("/close"), "30000"), (hanging.url("/hang"), "2000")];
    let mut transaction = bench.client.transaction().unwrap();
    for (url, timeout) in &asks {
        transaction
            .batch_execute(&format!(
                "select net.http_get('{url}', timeout_milliseconds := {timeout}) from generate_series(1, 1000)"
            ))
            .unwrap();
    }
    transaction.commit().unwrap();

    hanging.wait_for(1000);
    let answers = responses(&mut bench.client, 3000);
    assert_eq!(answers.len(), 3000);
    answers[..1000].iter().for_each(|answer| answer.assert_failure("Couldn't connect to server"));
    answers[1000..2000]
        .iter()
        .for_each(|answer| answer.assert_failure("Server returned nothing (no headers, no data)"));
    answers[2000..].iter().for_each(|answer| answer.assert_timeout(2000));
    assert_eq!((closing.count(), hanging.count()), (1000, 1000));
    assert_eq!(bench.cluster.worker_pid(&mut bench.client), pid);
    bench.assert_works();
}

#[test]
fn requests_keep_coming_while_others_are_answered() {
    let mut bench = Bench::new();
    let url = bench.receiver.url("/x");
    for _ in 0..20 {
        bench.client.batch_execute(&format!("select net.http_get('{url}') from generate_series(1, 100)")).unwrap();
    }
    let answers = responses(&mut bench.client, 2000);
    assert!(answers.iter().all(|answer| answer.status_code == Some(200)));
    assert_eq!((answers.len(), bench.receiver.count()), (2000, 2000));
}

/// What is stored together is not mixed up, be it alike or not.
#[test]
fn hundreds_of_replies_from_two_servers_keep_their_own_headers() {
    let mut bench = Bench::new();
    let other = Receiver::start();
    let urls = [bench.receiver.url("/echo"), other.url("/echo")];
    let ask =
        "select net.http_get(url || '?' || repeat('x', n / 50)) from generate_series(1, 300) n, unnest($1::text[]) url";
    bench.client.execute(ask, &[&urls.as_slice()]).unwrap();
    assert_eq!(responses(&mut bench.client, 600).len(), 600);
    let right = "select count(*) from net._http_response
                  where (headers ->> 'Content-Length')::int = octet_length(content)
                    and content_type = 'application/json'
                    and content::json ->> 'url' = substring(url from '/echo.*')
                    and remote_address = substring(url from '//(.*)/')";
    assert_eq!(bench.value::<i64>(right), 600);
    let batches =
        "select count(*) from (select created from net._http_response group by created having count(*) > 1) b";
    assert!(bench.value::<i64>(batches) > 0, "some were stored together");
}
