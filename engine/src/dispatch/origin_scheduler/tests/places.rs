//! What has given up its place leaves it to others, and counts as under way all the same.

use super::*;

#[test]
fn places_that_are_given_up_are_had_by_others() {
    let mut queue = queue(2, 2);
    let now = Instant::now();
    for item in ["a1", "a2", "a3"] {
        queue.push(origin("a"), item, now);
    }
    queue.push(origin("b"), "b1", now);
    assert_eq!(started(&mut queue), ["a1", "b1"]);
    queue.give_place_up(&origin("a"), false, now);
    assert_eq!(started(&mut queue), ["a2"], "but no more than one origin may have");
    queue.give_place_up(&origin("a"), false, now);
    queue.push(origin("c"), "c1", now);
    queue.push(origin("c"), "c2", now);
    assert_eq!(started(&mut queue), ["c1"]);
    assert!(!queue.has_place());
    // Those that have none do not end sooner or later than the others.
    queue.take_place(&origin("a"), false);
    done(&mut queue, "a");
    assert_eq!(started(&mut queue), Vec::<&str>::new());
    done(&mut queue, "b");
    assert_eq!(started(&mut queue), ["c2"]);
    done(&mut queue, "c");
    assert_eq!(started(&mut queue), ["a3"]);
    done(&mut queue, "c");
    assert!(queue.has_place());
    queue.take_place(&origin("a"), false);
    assert!(!queue.has_place());
    ["a", "a"].into_iter().for_each(|host| done(&mut queue, host));
    assert_eq!((queue.under_way, queue.placeless, queue.silent, queue.lanes.len()), (0, 0, 0, 0));
}

#[test]
fn any_number_of_names_that_hang_takes_no_place() {
    let mut queue = queue(10, 5);
    let now = Instant::now();
    for number in 0..100 {
        let host = format!("{number}.example");
        queue.push(origin(&host), "hangs", now);
        assert_eq!(started(&mut queue), ["hangs"], "{number}");
        queue.give_place_up(&origin(&host), false, now);
    }
    (0..5).for_each(|_| queue.push(origin("a"), "goes", now));
    assert_eq!(started(&mut queue).len(), 5);
    assert_eq!(queue.silent, 5);
}

#[test]
fn sick_origins_whose_names_hang_leave_the_places_of_the_sick_to_others() {
    let mut queue = queue(8, 8);
    queue.limits.breaker_failures = 1;
    let now = Instant::now();
    for host in ["a", "b", "c"] {
        queue.push(origin(host), "first", now);
        assert_eq!(started(&mut queue), ["first"]);
        queue.finish(&origin(host), false, Reading::Missed("timeout"), now);
    }
    ["a", "b", "c"].into_iter().for_each(|host| queue.push(origin(host), "probe", now));
    let mut later = now;
    let mut probe = |queue: &mut FairQueue<&'static str>| {
        later += Duration::from_secs(1);
        queue.look(later);
        std::iter::from_fn(|| queue.start(later)).count()
    };
    assert_eq!((probe(&mut queue), probe(&mut queue), probe(&mut queue)), (1, 1, 0), "a quarter of the places");
    queue.give_place_up(&origin("a"), true, now);
    assert_eq!(probe(&mut queue), 1);
    queue.take_place(&origin("a"), true);
    for host in ["a", "b", "c"] {
        queue.finish(&origin(host), true, Reading::Reached, now);
    }
    assert_eq!((queue.under_way, queue.placeless, queue.silent), (0, 0, 0));
}

#[test]
fn the_host_hears_which_names_hang_and_that_they_do_no_more() {
    let mut queue = queue(10, 5);
    let now = Instant::now();
    let heard = |queue: &mut FairQueue<&'static str>| std::mem::take(&mut queue.news().paces);
    for item in ["a1", "a2"] {
        queue.push(origin("a"), item, now);
    }
    assert_eq!(started(&mut queue).len(), 2);
    queue.give_place_up(&origin("a"), false, now);
    queue.give_place_up(&origin("a"), false, now);
    assert_eq!(heard(&mut queue), [(origin("a"), Pace::Hanging)]);
    queue.take_place(&origin("a"), false);
    assert_eq!(heard(&mut queue), []);
    queue.take_place(&origin("a"), false);
    assert_eq!(heard(&mut queue), [(origin("a"), Pace::Unknown)]);
    queue.reach(&origin("a"), now);
    assert_eq!(heard(&mut queue), [(origin("a"), Pace::Silent)]);
    done(&mut queue, "a");
    assert_eq!(heard(&mut queue), [(origin("a"), Pace::Answering)]);
    // Of one that answers on the connections that it has, it makes no difference.
    queue.give_place_up(&origin("a"), false, now);
    assert_eq!(heard(&mut queue), []);
}
