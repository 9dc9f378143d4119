//! What comes close together is dealt with together.

use std::time::Instant;

use testkit::responses;

use crate::fixture::Fixture;

/// For commits in quick succession the queue is read once a millisecond, and outcomes are recorded once in two. Where they come just
/// so that it is in doubt whether they are quick, it is read twice.
#[test]
fn commits_close_together_are_read_together_and_their_outcomes_recorded_together() {
    let mut fixture = Fixture::counting_statements();
    fixture.assert_works();
    let reads = "select coalesce(sum(calls), 0)::bigint from pg_stat_statements
                 where query like '%from net.http_request_queue where row_key >=%' and query not like '%pg_stat_%'";
    let reads_before = fixture.value::<i64>(reads);
    assert!(reads_before > 0, "the worker's reads are counted");

    let url = fixture.receiver.url("/x");
    fixture.client.batch_execute("set synchronous_commit = off").unwrap();
    let start = Instant::now();
    fixture
        .client
        .batch_execute(&format!(
            "do $$ begin for n in 1..500 loop perform net.http_get('{url}'); commit; end loop; end $$"
        ))
        .unwrap();
    let answers = responses(&mut fixture.client, 501);
    let took = start.elapsed().as_millis() as i64;
    assert!(answers.iter().all(|answer| answer.status_code == Some(200)));
    assert_eq!(fixture.receiver.count(), 501);
    // One that was about to be done when the time began, and what is left over at its end.
    let reads = fixture.value::<i64>(reads) - reads_before;
    assert!(reads <= 2 * took + 10, "{reads} reads for commits in {took} ms");
    let records = fixture.value::<i64>("select count(distinct created) from net._http_response");
    assert!(records <= took / 2 + 10, "{records} records in {took} ms");
}
