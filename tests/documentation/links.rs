//! Links within the tree lead somewhere.

use std::collections::HashSet;

use super::{page, pages, top};

/// The anchor that a heading gets.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase().replace(' ', "-");
    kept.chars().filter(|&letter| letter.is_alphanumeric() || letter == '-' || letter == '_').collect()
}

fn anchors(text: &str) -> HashSet<String> {
    text.lines().filter(|line| line.starts_with('#')).map(|line| anchor(line.trim_start_matches(['#', ' ']))).collect()
}

#[test]
fn links_lead_to_a_page_and_a_heading_that_are_there() {
    let mut seen = 0;
    let more = ["CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "bench/README.md"].map(page);
    for page in pages().iter().chain(&more) {
        for link in page.text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            seen += 1;
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let path = match file {
                "" => top().join(&page.name),
                file => top().join(&page.name).parent().unwrap().join(file),
            };
            assert!(path.exists(), "{}: {link}", page.name);
            if !heading.is_empty() {
                let there = anchors(&std::fs::read_to_string(&path).unwrap());
                assert!(there.contains(heading), "{}: {link}: {there:?}", page.name);
            }
        }
    }
    assert!(seen > 20, "{seen}");
}

/// mdbook shows the pages that the summary names.
#[test]
fn every_page_is_in_the_summary() {
    let summary = page("docs/SUMMARY.md").text;
    for page in pages() {
        let Some(name) = page.name.strip_prefix("docs/").filter(|name| *name != "SUMMARY.md") else { continue };
        assert!(summary.contains(&format!("]({name})")), "{name} is not in docs/SUMMARY.md");
    }
}

#[test]
fn the_readme_is_short() {
    let lines = page("README.md").text.lines().count();
    assert!(lines <= 150, "{lines} lines");
}
