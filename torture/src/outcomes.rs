use std::collections::HashMap;

use postgres::Client;

use crate::clock::Moment;

/// A response row: when it was recorded, and whether it is a failure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    pub(crate) recorded: Moment,
    pub(crate) failed: bool,
}

/// The response rows that there are, by id.
pub(crate) type Outcomes = HashMap<i64, Outcome>;

/// Reads them.
pub(crate) fn read(client: &mut Client) -> Outcomes {
    let rows =
        "select id, (extract(epoch from created) * 1000000)::bigint, error_msg is not null from net._http_response";
    let rows = client.query(rows, &[]).expect("read responses");
    rows.iter().map(|row| (row.get(0), Outcome { recorded: row.get(1), failed: row.get(2) })).collect()
}
