//! What the README promises names the tests that show it; the tests are there.

use std::fs;
use std::path::{Path, PathBuf};

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the top of the tree")
}

/// The tests that the table of the guarantees names in its last column.
fn named() -> Vec<String> {
    let readme = fs::read_to_string(top().join("README.md")).expect("read the README");
    let section = readme.split("## Guarantees").nth(1).expect("a section on guarantees");
    let rows = section.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    let rows = rows.take_while(|line| line.starts_with('|')).map(|row| row.trim_end_matches('|'));
    rows.flat_map(|row| {
        let cell = row.rsplit('|').next().expect("a last cell");
        let names: Vec<_> = cell.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        assert!(!names.is_empty(), "a guarantee without a test: {row}");
        names
    })
    .collect()
}

/// The sources below a directory.
fn sources(directory: PathBuf) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => sources(path),
            false => vec![fs::read_to_string(path).unwrap_or_default()],
        })
        .collect()
}

#[test]
fn the_tests_that_guarantees_name_are_there() {
    let sources: Vec<_> = ["testkit/tests", "engine/tests", "torture/tests"]
        .into_iter()
        .flat_map(|place| sources(top().join(place)))
        .collect();
    let named = named();
    assert!(named.len() > 20, "{named:?}");
    for test in named {
        let head = format!("fn {test}() {{");
        assert!(sources.iter().any(|source| source.contains(&head)), "there is no test {test}");
    }
}
