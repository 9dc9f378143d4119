//! Many requests at once, slow ones among fast ones, and failures by the thousand.

use testkit::{Call, Cluster, Receiver, responses};

use crate::fixture::Fixture;

/// One slow server holds back no other: all fast answers are there while the slow one is still awaited.
#[test]
fn a_slow_answer_holds_back_no_fast_one() {
    let mut fixture = Fixture::new();
    let slow = Receiver::start();
    let gate = slow.hold("/slow");
    let (slow_url, fast_url) = (slow.url("/slow"), fixture.receiver.url("/fast"));
    fixture
        .client
        .batch_execute(&format!(
            "begin;
             select net.http_get('{slow_url}', timeout_milliseconds := 60000);
             select net.http_get('{fast_url}') from generate_series(1, 50);
             commit"
        ))
        .unwrap();
    let answers = responses(&mut fixture.client, 50);
    assert!(answers.iter().all(|answer| answer.status_code == Some(200) && answer.id > Some(1)), "{answers:?}");
    assert_eq!((slow.wait_for(1).len(), fixture.receiver.count()), (1, 50));
    gate.release();
    assert_eq!(fixture.response(1).status_code, Some(200));
}

/// An origin at its cap does not hold up the rows queued behind its own, however many these are.
#[test]
fn an_origin_that_hangs_holds_back_no_other() {
    let mut fixture = Fixture::new();
    let hanging = Receiver::start();
    let gate = hanging.hold("/held");
    let held = hanging.url("/held");
    fixture.send_times(Call::get(&held).timeout(60_000), 3000);
    hanging.wait_for(1);
    fixture.assert_works();
    assert_eq!(fixture.value::<i64>("select count(*) from net._http_response"), 1);
    gate.release();
    assert_eq!(responses(&mut fixture.client, 3001).len(), 3001);
    assert_eq!(hanging.count(), 3000);
}

#[test]
fn three_thousand_failures_leave_the_worker_as_it_was() {
    // Each is to be sent, whatever became of those before.
    let mut fixture = Fixture::with(Cluster::builder().conf("pg_net.breaker_failures", "0").start_ready());
    let pid = fixture.cluster.worker_pid(&mut fixture.client);
    let (refused, closing, hanging) = (Receiver::refused_port(), Receiver::start(), Receiver::start());
    let asks = [(refused.url("/refused"), 30_000), (closing.url("/close"), 30_000), (hanging.url("/hang"), 2000)];
    let mut transaction = fixture.client.transaction().unwrap();
    for (url, timeout) in asks {
        Call::get(&url).timeout(timeout).send_times(&mut transaction, 1000);
    }
    transaction.commit().unwrap();

    hanging.wait_for(1000);
    let answers = responses(&mut fixture.client, 3000);
    assert_eq!(answers.len(), 3000);
    answers[..1000].iter().for_each(|answer| answer.assert_failure("Couldn't connect to server"));
    answers[1000..2000]
        .iter()
        .for_each(|answer| answer.assert_failure("Server returned nothing (no headers, no data)"));
    answers[2000..].iter().for_each(|answer| answer.assert_timeout(2000));
    assert_eq!((closing.count(), hanging.count()), (1000, 1000));
    assert_eq!(fixture.cluster.worker_pid(&mut fixture.client), pid);
    fixture.assert_works();
}

#[test]
fn requests_keep_coming_while_others_are_answered() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/x");
    for _ in 0..20 {
        fixture.send_times(Call::get(&url), 100);
    }
    let answers = responses(&mut fixture.client, 2000);
    assert!(answers.iter().all(|answer| answer.status_code == Some(200)));
    assert_eq!((answers.len(), fixture.receiver.count()), (2000, 2000));
}

/// What is stored together is not mixed up, be it alike or not.
#[test]
fn hundreds_of_replies_from_two_servers_keep_their_own_headers() {
    let mut fixture = Fixture::new();
    let other = Receiver::start();
    let urls = [fixture.receiver.url("/echo"), other.url("/echo")];
    let ask =
        "select net.http_get(url || '?' || repeat('x', n / 50)) from generate_series(1, 300) n, unnest($1::text[]) url";
    fixture.client.execute(ask, &[&urls.as_slice()]).unwrap();
    assert_eq!(responses(&mut fixture.client, 600).len(), 600);
    let right = "select count(*) from net._http_response
                  where (headers ->> 'Content-Length')::int = octet_length(content)
                    and content_type = 'application/json'
                    and content::json ->> 'url' = substring(url from '/echo.*')
                    and remote_address = substring(url from '//(.*)/')";
    assert_eq!(fixture.value::<i64>(right), 600);
    let batches =
        "select count(*) from (select created from net._http_response group by created having count(*) > 1) b";
    assert!(fixture.value::<i64>(batches) > 0, "some were stored together");
}
