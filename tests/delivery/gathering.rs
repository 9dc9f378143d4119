//! What comes close together is dealt with together.

use std::time::{Duration, Instant};

use testkit::{PATIENCE, responses, wait_until};

use crate::fixture::Fixture;

const COMMITS: i64 = 500;
/// Commits that come within this are in quick succession: even two reads a millisecond are half of one for each of them.
const QUICKLY: Duration = Duration::from_millis(COMMITS as u64 / 4);

const READS: &str = "select coalesce(sum(calls), 0)::bigint from pg_stat_statements
                      where query like '%from net.http_request_queue where row_key >=%' and query not like '%pg_stat_%'";

/// How long commits and responses took, how often the queue was read meanwhile, and how often outcomes were recorded.
fn commit_one_by_one(fixture: &mut Fixture) -> (Duration, i64, i64) {
    fixture.client.batch_execute("truncate net._http_response").unwrap();
    let (reads, received) = (fixture.value::<i64>(READS), fixture.receiver.count());
    let url = fixture.receiver.url("/x");
    let start = Instant::now();
    fixture
        .client
        .batch_execute(&format!(
            "do $$ begin for n in 1..{COMMITS} loop perform net.http_get('{url}'); commit; end loop; end $$"
        ))
        .unwrap();
    let answers = responses(&mut fixture.client, COMMITS as usize);
    let took = start.elapsed();
    assert!(answers.iter().all(|answer| answer.status_code == Some(200)));
    assert_eq!(fixture.receiver.count(), received + COMMITS as usize);
    let records = fixture.value("select count(distinct created) from net._http_response");
    (took, fixture.value::<i64>(READS) - reads, records)
}

/// For commits in quick succession the queue is read once a millisecond, and outcomes are recorded once in two. Where they come just
/// so that it is in doubt whether they are quick, it is read twice.
#[test]
fn commits_close_together_are_read_together_and_their_outcomes_recorded_together() {
    let mut fixture = Fixture::counting_statements();
    fixture.assert_works();
    assert!(fixture.value::<i64>(READS) > 0, "the worker's reads are counted");
    fixture.client.batch_execute("set synchronous_commit = off").unwrap();
    // Where something else has the machine, they do not come quickly, and nothing follows.
    let (took, reads, records) = wait_until("commits in quick succession", PATIENCE, || {
        Some(commit_one_by_one(&mut fixture)).filter(|(took, ..)| *took < QUICKLY)
    });
    let took = took.as_millis() as i64;
    println!("{reads} reads and {records} records for {COMMITS} commits in {took} ms");
    // One that was about to be done when the time began, and what is left over at its end.
    assert!(reads <= 2 * took + 10, "{reads} reads for {COMMITS} commits in {took} ms");
    assert!(records <= took / 2 + 10, "{records} records for {COMMITS} commits in {took} ms");
}
