//! Every SQL block of the documentation runs, and prints what stands below it.

use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;

use testkit::{Cluster, Receiver};

use super::{Page, pages};

/// The host that the examples call. It is our receiver in its place.
const HOST: &str = "https://example.com";
const AT_ONCE: usize = 4;

/// What the pages take for granted beside the extension: what a user of theirs has.
const WORLD: &str = "
    create role app login; create role web login; create role jobs login;
    create extension pg_cron;
    create table orders (id bigint generated always as identity primary key, status text not null default 'new');
    insert into orders default values;
";

struct Block {
    /// Its first line in the page.
    line: usize,
    sql: String,
    /// The block of text right below it.
    printed: Option<String>,
}

/// The blocks fenced as `sql`, each with the block of `text` that follows it.
fn blocks(page: &Page) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut fence: Option<(&str, usize, String)> = None;
    let mut is_right_below = false;
    for (number, line) in page.text.lines().enumerate() {
        match (&mut fence, line.trim_start().strip_prefix("```")) {
            (None, Some(language)) => fence = Some((language, number + 1, String::new())),
            (None, None) => is_right_below &= line.is_empty(),
            (Some((_, _, text)), None) => *text += &format!("{line}\n"),
            (Some(_), Some(_)) => {
                let (language, line, text) = fence.take().unwrap();
                match (language, blocks.last_mut()) {
                    ("sql", _) => blocks.push(Block { line, sql: text, printed: None }),
                    ("text", Some(block)) if is_right_below => block.printed = Some(text),
                    _ => {}
                }
                is_right_below = language == "sql";
            }
        }
    }
    assert!(fence.is_none(), "{}: a block without an end", page.name);
    blocks
}

/// Without what psql pads its columns with.
fn lines(text: &str) -> Vec<&str> {
    text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect()
}

fn run(page: &Page, blocks: &[Block]) {
    let cluster = Cluster::builder().preload("pg_cron").start();
    let receiver = Receiver::start();
    let mut client = cluster.connect();
    client.batch_execute(WORLD).unwrap();
    if !page.text.contains("create extension pg_net;") {
        client.batch_execute("create extension pg_net").unwrap();
    }
    for file in ["logo.png", "sea.png"] {
        fs::write(cluster.data_directory().join(file), "not really a picture").unwrap();
    }
    let directory = cluster.directory("documentation");
    let ours = receiver.url("");
    for block in blocks {
        let file = directory.join(format!("{}.sql", block.line));
        fs::write(&file, block.sql.replace(HOST, ours.trim_end_matches('/'))).unwrap();
        eprintln!("{}:{}", page.name, block.line);
        let printed = cluster.run("psql", &["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", file.to_str().unwrap()]);
        if let Some(said) = &block.printed {
            let printed = printed.replace(ours.trim_end_matches('/'), HOST);
            assert_eq!(lines(said), lines(&printed), "{}:{}", page.name, block.line);
        }
    }
}

#[test]
fn every_block_runs_and_prints_what_stands_below_it() {
    let pages: Vec<_> = pages().into_iter().map(|page| (blocks(&page), page)).collect();
    let (count, compared) = pages
        .iter()
        .flat_map(|(blocks, _)| blocks)
        .fold((0, 0), |(count, compared), block| (count + 1, compared + usize::from(block.printed.is_some())));
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((blocks, page)) = pages.get(next.fetch_add(1, SeqCst)) {
                    if !blocks.is_empty() && std::panic::catch_unwind(|| run(page, blocks)).is_err() {
                        failed.lock().unwrap().push(page.name.clone());
                    }
                }
            });
        }
    });
    println!("{count} SQL blocks of {} pages ran; the output of {compared} was compared", pages.len());
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{failed:?}");
    assert!(count > 40 && compared > 5, "{count} blocks, {compared} compared");
}

#[test]
fn a_block_that_prints_something_else_is_found() {
    let page = |text: &str| Page { name: "planted.md".into(), text: text.into() };
    let planted = page("```sql\nselect 1 as one;\n```\n\n```text\n one\n-----\n   2\n(1 row)\n```\n");
    let found = blocks(&planted);
    assert_eq!((found.len(), found[0].line), (1, 1));
    assert_eq!(lines(found[0].printed.as_ref().unwrap()), [" one", "-----", "   2", "(1 row)"]);
    assert!(std::panic::catch_unwind(|| run(&planted, &found)).is_err());
    let planted = page("```sql\nselect nothing_like_this();\n```\n");
    assert!(std::panic::catch_unwind(|| run(&planted, &blocks(&planted))).is_err());
}
