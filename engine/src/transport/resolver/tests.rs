use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::sync::{Arc, Condvar, Mutex, mpsc};

use tokio::runtime::Builder;

use super::lookups::{MOST, MOST_SLOW, MOST_UNSURE};
use super::*;

/// Look-ups that a test ends, and notes.
#[derive(Clone, Default)]
struct Asked(Rc<RefCell<Vec<(String, Repute)>>>);

impl Asked {
    /// A resolver whose look-ups come to nothing within the test, unless `answer` has something.
    fn resolver(&self, answer: fn(&str) -> Option<Result<Addresses, Failure>>) -> Resolver {
        let asked = self.0.clone();
        Resolver::asking(KEEP, move |name, repute| {
            asked.borrow_mut().push((name.to_owned(), repute));
            match answer(name) {
                Some(found) => std::future::ready(Answer { found, at: Instant::now() }).boxed_local(),
                None => std::future::pending().boxed_local(),
            }
        })
    }

    fn take(&self) -> Vec<(String, Repute)> {
        self.0.take()
    }
}

/// Asks, and does not wait.
fn ask(resolver: &Resolver, name: &str, now: Instant) -> Shared<Lookup> {
    resolver.join(name, now).0
}

fn addresses() -> Addresses {
    Arc::new([SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 0))])
}

fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn asked(name: &str, repute: Repute) -> Vec<(String, Repute)> {
    vec![(name.to_owned(), repute)]
}

#[test]
fn those_who_ask_at_the_same_time_share_the_answer() {
    let asked = Asked::default();
    let resolver = asked.resolver(|_| None);
    let now = Instant::now();
    let (first, second) = (resolver.join("a.example", now).0, resolver.join("a.example", now + secs(9)).0);
    assert!(first.ptr_eq(&second));
    assert!(!first.ptr_eq(&resolver.join("b.example", now).0));
    assert_eq!(asked.take().len(), 2);
}

#[test]
fn what_is_found_is_used_for_five_seconds_and_what_is_not_for_one() {
    for (name, keep) in [("found.example", 5), ("lost.example", 1)] {
        let asked_for = Asked::default();
        let resolver = asked_for.resolver(|name| {
            Some(if name == "found.example" { Ok(addresses()) } else { Err(failure("there is no such name")) })
        });
        let begun = Instant::now();
        drop(ask(&resolver, name, begun));
        let ended = Instant::now();
        assert_eq!(asked_for.take(), asked(name, Repute::New));
        drop(ask(&resolver, name, begun + secs(keep) - Duration::from_millis(1)));
        assert_eq!(asked_for.take(), []);
        drop(ask(&resolver, name, ended + secs(keep)));
        assert_eq!(asked_for.take(), asked(name, Repute::Prompt));
    }
}

#[test]
fn what_was_found_is_forgotten_on_demand() {
    let asked_for = Asked::default();
    let resolver = asked_for.resolver(|_| Some(Ok(addresses())));
    drop(ask(&resolver, "a.example", Instant::now()));
    resolver.forget();
    asked_for.take();
    drop(ask(&resolver, "a.example", Instant::now()));
    assert_eq!(asked_for.take(), asked("a.example", Repute::Prompt));
}

#[test]
fn a_look_up_that_hangs_is_given_up_and_its_name_is_slow_from_then_on() {
    let asked_for = Asked::default();
    let resolver = asked_for.resolver(|_| None);
    let begun = Instant::now() - GIVE_UP;
    let (lookup, since) = resolver.join("hangs.example", begun);
    assert_eq!(asked_for.take(), asked("hangs.example", Repute::New));
    let again = resolver.join("hangs.example", Instant::now()).0;
    assert!(!lookup.ptr_eq(&again));
    assert_eq!(asked_for.take(), asked("hangs.example", Repute::Slow));
    assert_eq!(since, begun);
    // Nothing that was forgotten makes it a better one.
    resolver.names.borrow_mut().names.get_mut("hangs.example").unwrap().since = begun;
    resolver.forget();
    drop(ask(&resolver, "hangs.example", Instant::now()));
    assert_eq!(asked_for.take(), asked("hangs.example", Repute::Slow));
}

#[test]
fn who_waits_for_one_that_is_given_up_is_told() {
    let resolver = Asked::default().resolver(|_| None);
    let (lookup, _) = resolver.join("hangs.example", Instant::now());
    resolver.names.borrow_mut().names.get_mut("hangs.example").unwrap().since =
        Instant::now() - GIVE_UP + Duration::from_millis(50);
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let failure = runtime.block_on(resolver.resolve("hangs.example")).unwrap_err();
    assert_eq!(failure.kind(), &FailureKind::Resolve);
    assert_eq!(failure.detail(), Some("the look-up was given up after 30s"));
    assert!(lookup.peek().is_none());
}

#[test]
fn localhost_is_asked_of_nobody() {
    let asked = Asked::default();
    let resolver = asked.resolver(|_| None);
    for name in ["localhost", "localhost.", "app.localhost"] {
        let found = resolver.resolve(name).now_or_never().unwrap().unwrap();
        let found: Vec<_> = found.iter().map(SocketAddr::to_string).collect();
        assert!(matches!(found.join(" ").as_str(), "[::1]:0 127.0.0.1:0" | "127.0.0.1:0"), "{found:?}");
    }
    assert_eq!(asked.take(), []);
}

#[test]
fn names_that_nobody_wants_any_more_are_forgotten() {
    let asked = Asked::default();
    let resolver = asked.resolver(|_| Some(Ok(addresses())));
    let begun = Instant::now();
    let later = begun + MEMORY;
    for number in 0..200 {
        drop(ask(&resolver, &format!("{number}.early.example"), begun));
    }
    for number in 0..500 {
        drop(ask(&resolver, &format!("{number}.late.example"), later));
    }
    assert!(!resolver.names.borrow().names.contains_key("0.early.example"));
    assert!(resolver.names.borrow().names.contains_key("0.late.example"));
    for number in 0..3 * MAX_REMEMBERED {
        drop(ask(&resolver, &format!("{number}.crowd.example"), later + GIVE_UP * (number / 1000) as u32));
    }
    assert!(resolver.names.borrow().names.len() < 2 * MAX_REMEMBERED);
}

/// Look-ups on threads, which end when a test says so.
struct Threads {
    lookups: Lookups,
    gates: Arc<(Mutex<HashMap<String, bool>>, Condvar)>,
    begun: mpsc::Receiver<String>,
}

impl Threads {
    fn new() -> Self {
        let gates = Arc::new((Mutex::new(HashMap::<String, bool>::new()), Condvar::new()));
        let (tell, begun) = mpsc::channel();
        let shown = gates.clone();
        let lookups = Lookups::new(move |name| {
            let _ = tell.send(name.to_owned());
            let (open, changed) = &*shown;
            let hangs = |open: &mut HashMap<String, bool>| name.starts_with("hangs") && !open.contains_key(name);
            drop(changed.wait_while(open.lock().unwrap(), hangs).unwrap());
            Ok(addresses())
        });
        Self { lookups, gates, begun }
    }

    /// Begins look-ups, and waits until `most` of them have a thread.
    fn hang(&self, group: &str, count: usize, repute: Repute, most: usize) {
        for number in 0..count {
            drop(self.lookups.begin(&format!("hangs.{group}.{number}"), repute));
        }
        for _ in 0..most {
            self.begun.recv().unwrap();
        }
        assert!(self.begun.try_recv().is_err());
    }

    fn answers(&self, name: &str, repute: Repute) -> bool {
        let answer = self.lookups.begin(name, repute);
        let runs = self.begun.recv_timeout(Duration::from_secs(10)).is_ok_and(|begun| begun == name);
        runs && Builder::new_current_thread().build().unwrap().block_on(answer).found.is_ok()
    }

    fn end(&self, name: &str) {
        self.gates.0.lock().unwrap().insert(name.to_owned(), true);
        self.gates.1.notify_all();
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        for group in ["slow", "new", "prompt"] {
            (0..MOST * 2).for_each(|number| self.end(&format!("hangs.{group}.{number}")));
        }
    }
}

#[test]
fn names_that_hang_hold_up_neither_new_ones_nor_those_that_answer() {
    let threads = Threads::new();
    threads.hang("slow", MOST_SLOW + 10, Repute::Slow, MOST_SLOW);
    assert!(threads.answers("new.example", Repute::New));
    assert!(threads.answers("prompt.example", Repute::Prompt));
    threads.hang("new", MOST, Repute::New, MOST_UNSURE - MOST_SLOW);
    assert!(threads.answers("prompt.example", Repute::Prompt));
    // Who waits has the next thread, those that may be prompt before those that were slow.
    threads.end("hangs.slow.0");
    assert_eq!(threads.begun.recv().unwrap(), format!("hangs.new.{}", MOST_UNSURE - MOST_SLOW));
    threads.hang("prompt", MOST, Repute::Prompt, MOST - MOST_UNSURE);
}
