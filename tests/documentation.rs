//! The README and the pages in `docs/` say what is true.

mod docs_page;
mod guarantees;
mod links;
mod settings;
mod sql;

use std::fs;
use std::path::{Path, PathBuf};

/// A page, by its path from the top of the tree.
struct Page {
    name: String,
    text: String,
}

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the top of the tree")
}

fn page(name: &str) -> Page {
    let text = fs::read_to_string(top().join(name)).unwrap_or_else(|error| panic!("read {name}: {error}"));
    Page { name: name.to_owned(), text }
}

/// What a user reads.
fn pages() -> Vec<Page> {
    let mut names = vec!["README.md".to_owned()];
    let docs = files(top().join("docs"), &["md"]);
    names.extend(docs.iter().map(|path| path.strip_prefix(top()).unwrap().to_str().unwrap().to_owned()));
    names.iter().map(|name| page(name)).collect()
}

/// The files below a directory with one of these endings, in order.
fn files(directory: PathBuf, endings: &[&str]) -> Vec<PathBuf> {
    let entries = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
        .into_iter()
        .flat_map(|path| match path.is_dir() {
            true => files(path, endings),
            false => vec![path],
        })
        .filter(|path| path.extension().is_some_and(|ending| endings.iter().any(|wanted| ending == *wanted)))
        .collect()
}
