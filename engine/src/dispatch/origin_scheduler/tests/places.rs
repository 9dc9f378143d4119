//! What has given up its place leaves it to others, and counts as under way all the same.

use super::*;

#[test]
fn places_that_are_given_up_are_had_by_others() {
    let mut scheduler = scheduler(2, 2);
    let now = Instant::now();
    for item in ["a1", "a2", "a3"] {
        scheduler.push(origin("a"), item, now);
    }
    scheduler.push(origin("b"), "b1", now);
    assert_eq!(started(&mut scheduler), ["a1", "b1"]);
    scheduler.give_place_up(&origin("a"), false, now);
    assert_eq!(started(&mut scheduler), ["a2"], "but no more than one origin may have");
    scheduler.give_place_up(&origin("a"), false, now);
    scheduler.push(origin("c"), "c1", now);
    scheduler.push(origin("c"), "c2", now);
    assert_eq!(started(&mut scheduler), ["c1"]);
    assert!(!scheduler.has_place());
    // Those that have none do not end sooner or later than the others.
    scheduler.take_place(&origin("a"), false);
    done(&mut scheduler, "a");
    assert_eq!(started(&mut scheduler), Vec::<&str>::new());
    done(&mut scheduler, "b");
    assert_eq!(started(&mut scheduler), ["c2"]);
    done(&mut scheduler, "c");
    assert_eq!(started(&mut scheduler), ["a3"]);
    done(&mut scheduler, "c");
    assert!(scheduler.has_place());
    scheduler.take_place(&origin("a"), false);
    assert!(!scheduler.has_place());
    ["a", "a"].into_iter().for_each(|host| done(&mut scheduler, host));
    assert_eq!((scheduler.under_way, scheduler.placeless, scheduler.silent, scheduler.queues.len()), (0, 0, 0, 0));
}

#[test]
fn any_number_of_names_that_hang_takes_no_place() {
    let mut scheduler = scheduler(10, 5);
    let now = Instant::now();
    for number in 0..100 {
        let host = format!("{number}.example");
        scheduler.push(origin(&host), "hangs", now);
        assert_eq!(started(&mut scheduler), ["hangs"], "{number}");
        scheduler.give_place_up(&origin(&host), false, now);
    }
    (0..5).for_each(|_| scheduler.push(origin("a"), "goes", now));
    assert_eq!(started(&mut scheduler).len(), 5);
    assert_eq!(scheduler.silent, 5);
}

#[test]
fn sick_origins_whose_names_hang_leave_the_places_of_the_sick_to_others() {
    let mut scheduler = scheduler(8, 8);
    scheduler.limits.breaker_failures = 1;
    let now = Instant::now();
    for host in ["a", "b", "c"] {
        scheduler.push(origin(host), "first", now);
        assert_eq!(started(&mut scheduler), ["first"]);
        scheduler.finish(&origin(host), false, OriginSignal::Unreachable("timeout"), now);
    }
    ["a", "b", "c"].into_iter().for_each(|host| scheduler.push(origin(host), "probe", now));
    let mut later = now;
    let mut probe = |scheduler: &mut OriginScheduler<&'static str>| {
        later += Duration::from_secs(1);
        scheduler.run_timers(later);
        std::iter::from_fn(|| scheduler.start(later)).count()
    };
    assert_eq!(
        (probe(&mut scheduler), probe(&mut scheduler), probe(&mut scheduler)),
        (1, 1, 0),
        "a quarter of the places"
    );
    scheduler.give_place_up(&origin("a"), true, now);
    assert_eq!(probe(&mut scheduler), 1);
    scheduler.take_place(&origin("a"), true);
    for host in ["a", "b", "c"] {
        scheduler.finish(&origin(host), true, OriginSignal::Reached, now);
    }
    assert_eq!((scheduler.under_way, scheduler.placeless, scheduler.silent), (0, 0, 0));
}

#[test]
fn the_host_hears_which_names_hang_and_that_they_do_no_more() {
    let mut scheduler = scheduler(10, 5);
    let now = Instant::now();
    let heard = |scheduler: &mut OriginScheduler<&'static str>| std::mem::take(&mut scheduler.events().responsiveness);
    for item in ["a1", "a2"] {
        scheduler.push(origin("a"), item, now);
    }
    assert_eq!(started(&mut scheduler).len(), 2);
    scheduler.give_place_up(&origin("a"), false, now);
    scheduler.give_place_up(&origin("a"), false, now);
    assert_eq!(heard(&mut scheduler), [(origin("a"), Responsiveness::Hanging)]);
    scheduler.take_place(&origin("a"), false);
    assert_eq!(heard(&mut scheduler), []);
    scheduler.take_place(&origin("a"), false);
    assert_eq!(heard(&mut scheduler), [(origin("a"), Responsiveness::Unknown)]);
    scheduler.reach(&origin("a"), now);
    assert_eq!(heard(&mut scheduler), [(origin("a"), Responsiveness::Silent)]);
    done(&mut scheduler, "a");
    assert_eq!(heard(&mut scheduler), [(origin("a"), Responsiveness::Answering)]);
    // Of one that answers on the connections that it has, it makes no difference.
    scheduler.give_place_up(&origin("a"), false, now);
    assert_eq!(heard(&mut scheduler), []);
}
