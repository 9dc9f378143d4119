//! What a webhook trigger adds to a one-row insert.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use testkit::Nginx;

use crate::lab::Lab;
use crate::plain_table;
use crate::report::{Report, Row};
use crate::stats::{mean, median};

const BLOCKS: usize = 200;
const BLOCK: usize = 100;

/// Inserts with and without, in turns; and with a trigger that does no more than insert the same row into a table.
pub(crate) fn run(report: &mut Report, _: &Path) {
    report.part("trigger: one-row inserts with a webhook trigger");
    let (mut lab, nginx) = (Lab::new(), Nginx::start_quiet(""));
    make_tables(&mut lab, &nginx.url("/"));
    let [without, with, copied] = &times(&mut lab);
    let added = mean(with) - mean(without);
    report.row(Row {
        what: "one-row insert with a webhook trigger, `synchronous_commit` off".into(),
        figure: format!("{:.3} ms", mean(with)),
        yardstick: format!("without: {:.3} ms", mean(without)),
        ratio: None,
        target: format!("adds ≤ 0.08 ms (adds {added:.3} ms)"),
        met: added <= 0.08,
    });
    report.note(format!(
        "{} inserts each, prepared, one client, in turns of {BLOCK}, the worker sending beside them; medians {:.3} and {:.3} ms",
        with.len(),
        median(with),
        median(without)
    ));
    report.note(format!(
        "a trigger that only inserts the same row into a table like the queue adds {:.3} ms; median {:.3} ms",
        mean(copied) - mean(without),
        median(copied)
    ));
}

/// A table without a trigger, one with a webhook, and one whose trigger copies the row.
fn make_tables(lab: &mut Lab, url: &str) {
    plain_table::make(&mut lab.client);
    let setup = format!(
        "set synchronous_commit = off;
         create table public.without (id bigserial, item text);
         create table public.hooked (id bigserial, item text);
         create table public.copied (id bigserial, item text);
         create function public.announce() returns trigger language plpgsql as $$
         begin
             perform net.http_post('{url}', body := to_jsonb(new));
             return new;
         end $$;
         create trigger announce after insert on public.hooked for each row execute function public.announce();
         create function public.copy() returns trigger language plpgsql as $$
         begin
             insert into public.plain (method, url, headers, body, timeout_milliseconds)
             values ('POST', '{url}', '{{\"Content-Type\": \"application/json\"}}', convert_to(to_jsonb(new)::text, 'UTF8'), 2000);
             return new;
         end $$;
         create trigger copy after insert on public.copied for each row execute function public.copy()"
    );
    lab.client.batch_execute(&setup).expect("make the tables");
}

/// How long the inserts into each of these took, in milliseconds.
fn times(lab: &mut Lab) -> [Vec<f64>; 3] {
    let statements = ["without", "hooked", "copied"].map(|table| {
        let insert = format!("insert into public.{table} (item) values ($1)");
        lab.client.prepare(&insert).expect("prepare")
    });
    let mut times = [const { Vec::new() }; 3];
    // The first block of each only fills caches.
    for block in 0..=BLOCKS {
        for (statement, times) in statements.iter().zip(&mut times) {
            for _ in 0..BLOCK {
                let start = Instant::now();
                lab.client.execute(statement, &[&"tea"]).expect("insert");
                times.push(start.elapsed().as_secs_f64() * 1000.0);
            }
            if block == 0 {
                times.clear();
            }
            // The last webhooks are sent before the other's turn.
            sleep(Duration::from_millis(20));
        }
    }
    times
}
