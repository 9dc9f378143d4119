//! What a webhook trigger adds to a one-row insert.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use testkit::Nginx;

use crate::lab::Lab;
use crate::report::{Report, Row};
use crate::stats::{mean, median};

const BLOCKS: usize = 50;
const BLOCK: usize = 100;

/// Inserts with and without, in turns.
pub(crate) fn run(report: &mut Report, _: &Path) {
    report.part("trigger: one-row inserts with a webhook trigger");
    let (mut lab, nginx) = (Lab::new(), Nginx::start_quiet(""));
    let setup = format!(
        "set synchronous_commit = off;
         create table public.plain (id bigserial, item text);
         create table public.hooked (id bigserial, item text);
         create function public.announce() returns trigger language plpgsql as $$
         begin
             perform net.http_post('{}', body := to_jsonb(new));
             return new;
         end $$;
         create trigger announce after insert on public.hooked for each row execute function public.announce()",
        nginx.url("/")
    );
    lab.client.batch_execute(&setup).expect("make the tables");
    let plain = lab.client.prepare("insert into public.plain (item) values ($1)").expect("prepare");
    let hooked = lab.client.prepare("insert into public.hooked (item) values ($1)").expect("prepare");
    let (mut without, mut with) = (Vec::new(), Vec::new());
    // The first block of each only fills caches.
    for block in 0..=BLOCKS {
        for (statement, times) in [(&plain, &mut without), (&hooked, &mut with)] {
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
    let added = mean(&with) - mean(&without);
    report.row(Row {
        what: "one-row insert with a webhook trigger, `synchronous_commit` off".into(),
        figure: format!("{:.3} ms", mean(&with)),
        yardstick: format!("without: {:.3} ms", mean(&without)),
        ratio: None,
        target: format!("adds ≤ 0.08 ms (adds {added:.3} ms)"),
        met: added <= 0.08,
    });
    report.note(format!(
        "{} inserts each, prepared, one client, in turns of {BLOCK}, the worker sending beside them; medians {:.3} and {:.3} ms",
        with.len(),
        median(&with),
        median(&without)
    ));
}
