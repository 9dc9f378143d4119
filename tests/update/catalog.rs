//! All that the catalogs say of the extension, without the numbers that differ from one database to the next.

use std::collections::BTreeSet;

use postgres::Client;

/// One fact a line: an object, a property, its value.
#[track_caller]
pub(crate) fn read(client: &mut Client) -> BTreeSet<String> {
    let rows = client.query(include_str!("catalog.sql"), &[]).unwrap_or_else(|error| panic!("{error:?}"));
    rows.iter().map(|row| row.get(0)).collect()
}
