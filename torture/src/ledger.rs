//! What the writers did: the requests of each transaction, and how it ended as far as its writer knows.

use std::collections::{HashMap, HashSet};

use postgres::Client;

use crate::clock::Moment;
use crate::request_kind::RequestKind;

/// A request that a transaction made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Requested {
    /// Which one it is: part of its URL.
    pub(crate) tag: u64,
    pub(crate) kind: RequestKind,
    /// When it may be sent at the earliest.
    pub(crate) not_before: Option<Moment>,
    /// Rolled back to a savepoint before it.
    pub(crate) undone: bool,
}

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The server said that it is committed.
    Committed,
    /// It was rolled back, or the session ended before COMMIT was sent.
    RolledBack,
    /// No answer to COMMIT came, or it was prepared: its marker tells.
    Open,
}

/// A transaction of a writer's. It leaves a row in [`MARKERS`] if it commits.
#[derive(Debug)]
pub(crate) struct Transaction {
    pub(crate) number: u64,
    pub(crate) end: End,
    pub(crate) requested: Vec<Requested>,
}

/// The table of those that committed: written in the same transaction, so that it tells the truth where no answer came.
pub(crate) const MARKERS: &str = "create schema torture; create table torture.markers (number bigint not null)";

/// The numbers of those that committed.
pub(crate) fn markers(client: &mut Client) -> HashSet<u64> {
    let rows = client.query("select number from torture.markers", &[]).expect("read the markers");
    rows.iter().map(|row| row.get::<_, i64>(0).cast_unsigned()).collect()
}

/// The requests that were committed, by tag.
///
/// # Panics
///
/// Where the server did not keep its word on a commit: then there is nothing to hold pg_net to.
pub(crate) fn committed(transactions: &[Transaction], marked: &HashSet<u64>) -> HashMap<u64, Requested> {
    let mut committed = HashMap::new();
    for transaction in transactions {
        let is_marked = marked.contains(&transaction.number);
        match transaction.end {
            End::Committed => assert!(is_marked, "a commit that was confirmed is gone: {transaction:?}"),
            End::RolledBack => assert!(!is_marked, "a rollback was committed: {transaction:?}"),
            End::Open => {}
        }
        if is_marked {
            let kept = transaction.requested.iter().filter(|requested| !requested.undone);
            committed.extend(kept.map(|requested| (requested.tag, *requested)));
        }
    }
    committed
}
