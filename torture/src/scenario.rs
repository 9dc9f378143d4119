//! A scenario: one fault, many times, while writers write; then the account.

use std::collections::HashSet;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use testkit::{Authority, Cluster, PATIENCE};

use crate::faults::{Fault, Injection, end_all_prepared};
use crate::gate::{ClosesGate, Gate};
use crate::harness::Harness;
use crate::ledger::{self, Transaction};
use crate::outcomes;
use crate::receiver::{Address, Receiver};
use crate::report::{Account, Report};
use crate::rng::Rng;
use crate::writer::{Writer, WriterSettings};

/// What a scenario needs from outside.
pub struct Place {
    /// The program `torture-receiver`.
    pub receiver: PathBuf,
    /// Where the receiver's file goes.
    pub scratch: PathBuf,
    /// A tree with another build of pg_net than the one that is tortured by default, and the mutant that it is to be.
    pub mutant: Option<(PathBuf, Mutant)>,
}

/// A fault built into pg_net, to see that it is found. `pg_net/src/mutants.rs` has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "their names say it")]
pub enum Mutant {
    RecordBeforeSend,
    DeleteAtClaim,
    WakeBeforeCommit,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::RecordBeforeSend, Self::DeleteAtClaim, Self::WakeBeforeCommit];

    /// What the build knows it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::RecordBeforeSend => "record-before-send",
            Self::DeleteAtClaim => "delete-at-claim",
            Self::WakeBeforeCommit => "wake-before-commit",
        }
    }

    /// A fault under which it shows.
    pub fn shown_by(self) -> Fault {
        match self {
            Self::RecordBeforeSend | Self::DeleteAtClaim => Fault::WorkerKilled,
            // A worker that starts again reads the whole queue.
            Self::WakeBeforeCommit => Fault::SnapshotHeld,
        }
    }
}

/// How long a scenario is.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// Injections that met something in flight; no more than these.
    pub injections: usize,
    /// No injection is begun after this, unless none has met anything in flight yet.
    pub time: Duration,
    /// Sessions that write.
    pub writers: u64,
}

/// Requests of a scenario, at most: bounds its memory and the time that the account takes.
const MOST_REQUESTS: usize = 200_000;
/// A queue in which nothing moves for so long is at rest: the worker's pauses grow with each failure, up to a minute.
const REST: Duration = Duration::from_secs(65);
/// The same where a mutant has to leave requests behind, and no fault has it pause for long.
const MUTANTS_REST: Duration = Duration::from_secs(10);
/// What has left the queue is received within so long, or never.
const UNDER_WAY: Duration = Duration::from_secs(5);
/// The end of a queue that is worked off, but too slowly.
const SETTLE: Duration = Duration::from_secs(120);

/// Runs a scenario.
pub fn run(place: &Place, fault: Fault, seed: u64, extent: Extent) -> Report {
    let mut rng = Rng::new(seed, fault.name());
    // With few at once, some are claimed and wait for their turn; a mutant needs that to be told apart.
    let at_once = if place.mutant.is_some() { 4 } else { rng.pick(&[10, 200]) };
    let authority = Authority::new();
    let cluster = start_cluster(place, fault, at_once, &authority);
    let gate = Gate::new(&cluster);
    let receiver = Receiver::start(&place.receiver, &place.scratch);
    let mut harness =
        Harness { client: cluster.connect(), cluster, receiver, gate: &gate, rng, taken_back: HashSet::new() };
    let settings = WriterSettings {
        path: fault.path(),
        two_phase: fault == Fault::TwoPhase,
        most: MOST_REQUESTS / extent.writers as usize,
    };
    // Goes on as long as requests do.
    let nginx = fault.goes_over_http2().then(|| harness.receiver.behind_nginx(&authority));
    let address = nginx.as_ref().map_or_else(|| harness.receiver.address(), |(_, address)| *address);
    let (injections, transactions) = run_faults(fault, seed, extent, &settings, address, &mut harness);
    end_all_prepared(&mut harness);
    let unfinished = settle(&mut harness, if place.mutant.is_some() { MUTANTS_REST } else { REST });
    let committed = ledger::committed(&transactions, &ledger::markers(&mut harness.client));
    // Beside each that is sent at once, another one is claimed.
    let claimed_at_most = 2 * at_once;
    // What is sent at most once leaves the queue before it is sent: the last of it may still be under way.
    let start = Instant::now();
    loop {
        let account = Account {
            fault,
            injections: &injections,
            committed: &committed,
            taken_back: &harness.taken_back,
            lines: &harness.receiver.lines(),
            outcomes: &outcomes::read(&mut harness.client),
            claimed_at_most,
            unfinished,
        };
        let report = account.report();
        if report.lost + report.gone == 0 || start.elapsed() > UNDER_WAY {
            return report;
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// Writers write while the fault happens. What it met, and what they did.
fn run_faults(
    fault: Fault,
    seed: u64,
    extent: Extent,
    settings: &WriterSettings,
    address: Address,
    harness: &mut Harness,
) -> (Vec<Met>, Vec<Transaction>) {
    let gate = harness.gate;
    thread::scope(|scope| {
        let _closes = ClosesGate(gate);
        let writers: Vec<_> = (1..=extent.writers)
            .map(|number| {
                let rng = Rng::new(seed, &format!("{} {number}", fault.name()));
                let writer = Writer::new(number, rng, settings, gate, address);
                scope.spawn(move || writer.run())
            })
            .collect();
        let injections = inject(fault, harness, extent);
        gate.close();
        let done = writers.into_iter().flat_map(|writer| writer.join().expect("a writer"));
        (injections, done.collect())
    })
}

fn start_cluster(place: &Place, fault: Fault, at_once: usize, authority: &Authority) -> Cluster {
    // Writers count on what was confirmed; the worker must not, so all is flushed as in production.
    let mut builder = Cluster::builder()
        .durable()
        .conf("max_prepared_transactions", "50")
        .conf("deadlock_timeout", "50ms")
        .conf("pg_net.retry_base", "50ms")
        .conf("pg_net.tls_ca_file", authority.file().to_str().expect("a path in UTF-8"))
        .conf("pg_net.max_in_flight_per_origin", &at_once.to_string());
    if let Some((tree, mutant)) = &place.mutant {
        builder = builder.tree(tree).env("PGNET_MUTANT", mutant.name());
    }
    let cluster = builder.start_ready();
    let mut client = cluster.connect();
    client.batch_execute(ledger::MARKERS).expect("make the table of markers");
    if fault.crashes_server() {
        client.batch_execute("select net.set_responses_logged(true)").expect("keep the responses");
    }
    cluster
}

/// An injection, and how many requests it met in flight.
pub(crate) type Met = (Injection, usize);

/// Makes the fault happen at random moments. Those that met nothing in flight are given back, too, and do not count.
fn inject(fault: Fault, harness: &mut Harness, extent: Extent) -> Vec<Met> {
    let start = Instant::now();
    let mut injections: Vec<Met> = Vec::new();
    let (mut counted, mut missed) = (0, 0_u32);
    while counted < extent.injections {
        let patience = if counted == 0 { PATIENCE } else { Duration::ZERO };
        if start.elapsed() > extent.time + patience {
            break;
        }
        // At times with hardly any pause, so that one injection meets what the one before has left. But the worker's pauses
        // grow with each failure: so do these, until something is in flight again.
        let longest = harness.rng.pick(&[5, 500]) << missed.min(4);
        harness.pause(0, longest);
        let Some(injection) = fault.inject(harness) else { continue };
        let met = harness.receiver.open_at(injection.begin);
        if met > 0 {
            (counted, missed) = (counted + 1, 0);
        } else {
            missed += 1;
        }
        injections.push((injection, met));
    }
    injections
}

/// Waits until the queue is empty. How many are left when nothing moves any more.
fn settle(harness: &mut Harness, rest: Duration) -> usize {
    let (start, mut moved, mut before) = (Instant::now(), Instant::now(), i64::MAX);
    loop {
        let waiting: i64 = harness.value("select count(*) from net.http_request_queue");
        if waiting == 0 {
            return 0;
        }
        if waiting != before {
            (before, moved) = (waiting, Instant::now());
        }
        if moved.elapsed() > rest || start.elapsed() > SETTLE {
            return waiting as usize;
        }
        thread::sleep(Duration::from_millis(20));
    }
}
