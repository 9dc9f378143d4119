//! The guarantees name the tests that show them; the tests are there.

use std::fs;

use super::{files, page, top};

/// The tests that the table names in its last column.
fn named() -> Vec<String> {
    let text = page("docs/guarantees.md").text;
    let rows = text.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    let rows = rows.take_while(|line| line.starts_with('|')).map(|row| row.trim_end_matches('|'));
    rows.flat_map(|row| {
        let cell = row.rsplit('|').next().expect("a last cell");
        let names: Vec<_> = cell.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        assert!(!names.is_empty(), "a guarantee without a test: {row}");
        names
    })
    .collect()
}

#[test]
fn every_test_that_the_guarantees_name_exists() {
    let sources: Vec<_> = ["tests", "engine/tests", "torture/tests"]
        .into_iter()
        .flat_map(|place| files(top().join(place), &["rs"]))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let named = named();
    assert!(named.len() > 20, "{named:?}");
    for test in named {
        let head = format!("fn {test}() {{");
        assert!(sources.iter().any(|source| source.contains(&head)), "there is no test {test}");
    }
}
