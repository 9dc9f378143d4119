use std::collections::HashMap;

use postgres::Client;

use crate::clock::Moment;
use crate::receiver::Address;

/// What is recorded of a request.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) recorded: Moment,
    /// Why it failed, if it did.
    pub(crate) failure: Option<String>,
    /// How often; once, if all is well.
    pub(crate) times: usize,
}

/// What is recorded, by tag.
pub(crate) type Outcomes = HashMap<u64, Outcome>;

/// Reads what is recorded.
pub(crate) fn read(client: &mut Client) -> Outcomes {
    let rows = "select url, (extract(epoch from created) * 1000000)::bigint, error_msg from net._http_response";
    let mut outcomes = Outcomes::new();
    for row in client.query(rows, &[]).expect("read outcomes") {
        let tag = Address::tag(row.get(0)).expect("a tag in each URL");
        let outcome = outcomes.entry(tag).or_insert(Outcome { recorded: row.get(1), failure: row.get(2), times: 0 });
        outcome.times += 1;
    }
    outcomes
}
