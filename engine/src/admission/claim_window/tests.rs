use super::*;
use crate::address::target::Target;

fn flow_of(tenant: Tenant, host: &str) -> Flow {
    Flow { origin: Target::parse(&format!("http://{host}/")).unwrap().origin().clone(), tenant, patient: true }
}

fn flow(host: &str) -> Flow {
    flow_of(1, host)
}

fn window(total: usize, per_flow: usize) -> ClaimWindow<()> {
    ClaimWindow::new(Bounds { total, per_flow, per_flow_untried: per_flow, bytes: 1000 })
}

#[test]
fn an_origin_at_its_bound_does_not_hold_up_others() {
    let (slow, fast) = (flow("slow"), flow("fast"));
    let mut window = window(100, 2);
    let verdicts: Vec<_> = (1..=1000).map(|key| window.offer(key, &slow, 1, || ())).collect();
    assert_eq!(&verdicts[..3], [Verdict::Claim, Verdict::Claim, Verdict::Parked]);
    assert_eq!(window.claimed(), 2);
    assert_eq!(window.offer(1001, &fast, 1, || ()), Verdict::Claim);
    assert!(!window.can_resume(), "nothing of the slow one has ended");
    assert_eq!((window.room_for(&slow), window.room_for(&fast)), (0, 1));
}

#[test]
fn parked_keys_come_back_in_order_as_others_end() {
    let slow = flow("slow");
    let mut window = window(100, 2);
    for key in 1..=5 {
        window.offer(key, &slow, 1, || ());
    }
    assert_eq!(window.finish(2), Some(()));
    assert!(window.can_resume());
    assert_eq!(window.resume(10), [3]);
    assert!(window.claim(3, Some(&slow), 1, ()));
    assert_eq!(window.offer(6, &slow, 1, || ()), Verdict::Parked, "behind 4 and 5");
    window.finish(1);
    window.finish(3);
    assert_eq!(window.resume(10), [4, 5]);
}

#[test]
fn a_row_met_again_is_known() {
    let slow = flow("slow");
    let mut window = window(100, 1);
    window.offer(1, &slow, 1, || ());
    window.offer(2, &slow, 1, || ());
    assert_eq!(window.offer(1, &slow, 1, || ()), Verdict::Known);
    assert_eq!(window.offer(2, &slow, 1, || ()), Verdict::Known);
    assert!(!window.claim(1, Some(&slow), 1, ()));
}

#[test]
fn room_is_shared_among_the_origins_that_wait() {
    let hosts: Vec<_> = (0..4).map(|n| flow(&format!("h{n}"))).collect();
    let mut window = window(16, 2);
    let mut key = 0;
    for _ in 0..10 {
        for host in &hosts {
            key += 1;
            window.offer(key, host, 1, || ());
        }
    }
    assert_eq!((window.claimed(), window.room()), (8, 8));
    for key in 1..=4 {
        window.finish(key);
    }
    assert_eq!(window.resume(100), [9, 10, 11, 12], "one of each");
}

#[test]
fn forgotten_parked_keys_can_be_offered_again() {
    let slow = flow("slow");
    let mut window = window(10, 1);
    for key in 1..=3 {
        window.offer(key, &slow, 1, || ());
    }
    window.forget_parked();
    window.finish(1);
    assert_eq!(window.offer(1, &slow, 1, || ()), Verdict::Claim);
    assert_eq!(window.offer(2, &slow, 1, || ()), Verdict::Parked);
}

#[test]
fn what_cannot_be_sent_takes_no_origins_room() {
    let origin = flow("a");
    let mut window = window(4, 1);
    assert!(window.claim(1, None, 1, ()));
    assert!(!window.claim(1, None, 1, ()));
    assert_eq!((window.room(), window.room_for(&origin)), (3, 1));
    assert_eq!(window.offer(2, &origin, 1, || ()), Verdict::Claim);
    assert_eq!(window.offer(3, &origin, 1, || ()), Verdict::Parked, "it has its own");
    assert_eq!(window.finish(1), Some(()));
    assert_eq!(window.finish(1), None);
    assert_eq!(window.room(), 3);
}

#[test]
fn wider_bounds_let_parked_keys_go() {
    let slow = flow("slow");
    let mut window = window(10, 1);
    for key in 1..=3 {
        window.offer(key, &slow, 1, || ());
    }
    assert!(!window.can_resume());
    window.set_bounds(Bounds { total: 10, per_flow: 3, per_flow_untried: 3, bytes: 1000 });
    assert_eq!(window.resume(10), [2, 3]);
}

#[test]
fn origins_in_trouble_take_no_room_from_the_others() {
    let (dead, fast) = (flow("dead"), flow("fast"));
    let mut window = window(20, 8);
    (1..=8).for_each(|key| _ = window.offer(key, &dead, 1, || ()));
    assert_eq!(window.room(), 12);
    window.set_health(&dead.origin, OriginHealth::Probing);
    assert_eq!((window.room(), window.room_for(&dead)), (20, 0), "theirs is ten");
    assert_eq!(window.offer(9, &dead, 1, || ()), Verdict::Parked);
    assert!(!window.can_resume());
    assert!((10..=17).all(|key| window.offer(key, &fast, 1, || ()) == Verdict::Claim));
    (1..=4).for_each(|key| _ = window.finish(key));
    assert!(window.can_resume());
    assert_eq!(window.resume(10), [9]);
    assert!(window.claim(9, Some(&dead), 1, ()));
    window.set_health(&dead.origin, OriginHealth::Healthy);
    assert_eq!(window.room(), 7);
}

#[test]
fn fifty_dead_origins_leave_room_for_a_healthy_one() {
    let bounds = Bounds { total: 4000, per_flow: 400, per_flow_untried: 15, bytes: usize::MAX };
    let (mut window, mut key) = (ClaimWindow::new(bounds), 0);
    let mut offer = |window: &mut ClaimWindow<()>, host: &str| {
        key += 1;
        (key, window.offer(key, &flow(host), 1, || ()))
    };
    let dead: Vec<_> = (0..50).map(|number| format!("dead{number}")).collect();
    let mut claimed = Vec::new();
    for host in &dead {
        let offered = (0..1000).map(|_| offer(&mut window, host));
        claimed.push(offered.filter(|(_, verdict)| *verdict == Verdict::Claim).collect::<Vec<_>>());
    }
    assert!(claimed.iter().all(|rows| rows.len() == 15), "nothing is known of any");
    assert_eq!(offer(&mut window, "well").1, Verdict::Claim);
    window.set_responsiveness(&flow("well").origin, Responsiveness::Answering);
    assert_eq!(window.room_for(&flow("well")), 399);

    for host in &dead {
        window.set_health(&flow(host).origin, OriginHealth::Probing);
    }
    assert_eq!((window.room(), window.claimed()), (3999, 751));
    // As the rows of the dead end, others of the same come, several at a time.
    for rows in &claimed {
        rows[..7].iter().for_each(|&(key, _)| _ = window.finish(key));
    }
    assert!(!window.can_resume());
    claimed.iter().for_each(|rows| _ = window.finish(rows[7].0));
    assert_eq!(window.resume(1000).len(), 50 * 8);
    assert_eq!(window.room(), 3999);
}

#[test]
fn origins_that_do_not_answer_take_no_room_from_those_that_do() {
    let bounds = Bounds { total: 400, per_flow: 40, per_flow_untried: 2, bytes: usize::MAX };
    let (mut window, mut key) = (ClaimWindow::<()>::new(bounds), 0);
    for number in 0..50 {
        let hanging = flow(&format!("hanging{number}"));
        let mut offer = |window: &mut ClaimWindow<()>| {
            key += 1;
            window.offer(key, &hanging, 1, || ())
        };
        (0..100).for_each(|_| _ = offer(&mut window));
        window.set_responsiveness(&hanging.origin, Responsiveness::Silent);
        window.resume(100).into_iter().for_each(|key| _ = window.claim(key, Some(&hanging), 1, ()));
        assert!(!window.is_quick(&hanging));
    }
    // A tenant has half of the other pool; two rows of each were there before anything was heard.
    assert_eq!((window.room(), window.claimed()), (400, 100 + 46 * 2));
    let hanging = flow("hanging0");
    window.set_responsiveness(&hanging.origin, Responsiveness::Answering);
    assert_eq!((window.room(), window.is_quick(&hanging)), (360, true));
    window.set_responsiveness(&hanging.origin, Responsiveness::Silent);
    window.forget_health();
    assert_eq!(window.room(), 400 - window.claimed());
}

#[test]
fn origins_whose_names_hang_take_no_room_from_the_others_and_get_few_rows() {
    let bounds = Bounds { total: 100, per_flow: 10, per_flow_untried: 2, bytes: usize::MAX };
    let (mut window, hanging) = (ClaimWindow::<()>::new(bounds), flow("hanging"));
    (1..=20).for_each(|key| _ = window.offer(key, &hanging, 1, || ()));
    assert_eq!(window.room(), 98);
    window.set_responsiveness(&hanging.origin, Responsiveness::Hanging);
    assert_eq!((window.room(), window.can_resume(), window.is_quick(&hanging)), (100, false, false));
    window.set_responsiveness(&hanging.origin, Responsiveness::Unknown);
    assert_eq!((window.room(), window.can_resume(), window.is_quick(&hanging)), (98, false, false));
}

#[test]
fn of_an_origin_that_nothing_was_heard_of_few_are_claimed() {
    let new = flow("new");
    let bounds = Bounds { total: 100, per_flow: 10, per_flow_untried: 2, bytes: 1000 };
    let connected =
        |window: &mut ClaimWindow<()>| window.set_responsiveness(&flow("new").origin, Responsiveness::Answering);
    let ended = |window: &mut ClaimWindow<()>| _ = window.finish(1);
    for heard in [connected as fn(&mut ClaimWindow<()>), ended] {
        let mut window = ClaimWindow::new(bounds);
        (1..=20).for_each(|key| _ = window.offer(key, &new, 1, || ()));
        assert_eq!((window.claimed(), window.can_resume(), window.is_quick(&new)), (2, false, false));
        heard(&mut window);
        assert!(window.is_quick(&new));
        let left = 10 - window.claimed();
        assert_eq!(window.resume(100).len(), left);
    }
}

#[test]
fn a_held_origin_gets_nothing_until_it_is_not() {
    let deferred = flow("deferred");
    let mut window = window(10, 5);
    (1..=2).for_each(|key| _ = window.offer(key, &deferred, 1, || ()));
    window.set_health(&deferred.origin, OriginHealth::Deferred);
    assert_eq!(window.give_back(2), Some(()));
    assert_eq!(window.offer(3, &deferred, 1, || ()), Verdict::Parked);
    assert_eq!(window.offer(2, &deferred, 1, || ()), Verdict::Known);
    assert!(!window.can_resume());
    window.finish(1);
    assert!(!window.can_resume());
    drop(window.clear());
    assert_eq!(window.offer(4, &deferred, 1, || ()), Verdict::Parked, "another queue, the same origin");
    window.set_health(&deferred.origin, OriginHealth::Healthy);
    assert_eq!(window.resume(10), [4]);
    window.set_health(&deferred.origin, OriginHealth::Deferred);
    window.forget_health();
    assert!(
        window.flows.is_empty()
            && window.unhealthy.is_empty()
            && window.deferred.is_empty()
            && window.silent.is_empty()
    );
}

#[test]
fn a_deferred_origin_gets_what_does_not_wait() {
    let deferred = flow("deferred");
    let plain = Flow { patient: false, ..deferred.clone() };
    let mut window = window(10, 5);
    window.set_health(&deferred.origin, OriginHealth::Deferred);
    assert_eq!(window.offer(1, &deferred, 1, || ()), Verdict::Parked);
    assert_eq!(window.offer(2, &plain, 1, || ()), Verdict::Claim);
    (3..=10).for_each(|key| _ = window.offer(key, &plain, 1, || ()));
    assert!(window.has_parked() && !window.can_resume(), "it has all that one flow may have");
    window.finish(2);
    let resumed = window.resume(10);
    assert!(!resumed.is_empty() && !resumed.contains(&1), "{resumed:?}");
    (3..=6).for_each(|key| _ = window.finish(key));
    window.set_health(&deferred.origin, OriginHealth::Healthy);
    assert!(window.resume(10).contains(&1));
}

#[test]
fn what_is_given_back_comes_again_in_its_place() {
    let slow = flow("slow");
    let mut window = window(10, 2);
    (1..=4).for_each(|key| _ = window.offer(key, &slow, 1, || ()));
    window.give_back(2);
    window.give_back(1);
    assert_eq!(window.resume(10), [1, 2]);
}

#[test]
fn bytes_are_bounded_but_for_the_last_row() {
    let [a, b, c] = [1, 2, 3].map(|tenant| flow_of(tenant, "a"));
    let mut window = ClaimWindow::new(Bounds { total: 100, per_flow: 100, per_flow_untried: 100, bytes: 1000 });
    assert_eq!(window.offer(1, &a, 600, || ()), Verdict::Claim);
    assert_eq!(window.offer(2, &b, 5000, || ()), Verdict::Claim);
    assert_eq!(window.room(), 0);
    assert_eq!(window.offer(3, &c, 1, || ()), Verdict::Parked);
    assert!(!window.can_resume());
    window.finish(1);
    assert!(!window.can_resume());
    window.finish(2);
    assert_eq!(window.resume(10), [3]);
    assert!(window.claim(4, Some(&a), 1000, ()));
    assert!(!window.claim(3, Some(&c), 1, ()), "there was room when it was named");
    window.finish(4);
    assert_eq!(window.resume(10), [3]);
}

#[test]
fn a_tenant_leaves_as_much_as_it_has() {
    let mut window = window(30, 10);
    let flood = |window: &mut ClaimWindow<()>, tenant, keys: std::ops::Range<Key>| {
        let claimed = |&key: &Key| window.offer(key, &flow_of(tenant, &format!("h{key}")), 1, || ()) == Verdict::Claim;
        keys.filter(claimed).count()
    };
    assert_eq!(flood(&mut window, 1, 0..1000), 15);
    assert_eq!(flood(&mut window, 2, 1000..2000), 8);
    assert_eq!(flood(&mut window, 3, 2000..3000), 4);
    assert_eq!(window.offer(3000, &flow_of(4, "h0"), 1, || ()), Verdict::Claim, "to an origin that another floods");
    // As the first one's end, it is the others' turn, until all have the same.
    let first: Vec<_> = (0..15).collect();
    first.iter().for_each(|&key| _ = window.finish(key));
    let resumed = window.resume(100);
    let of = |keys: std::ops::Range<Key>| resumed.iter().filter(|key| keys.contains(key)).count();
    assert_eq!((of(0..1000), of(1000..2000), of(2000..3000)), (6, 5, 6));
}

#[test]
fn a_cleared_window_gives_what_was_claimed() {
    let mut window = window(10, 1);
    for key in 1..=3 {
        window.offer(key, &flow("slow"), 1, || ());
    }
    window.claim(9, None, 1, ());
    let mut keys: Vec<_> = window.clear().map(|(key, ())| key).collect();
    keys.sort_unstable();
    assert_eq!(keys, [1, 9]);
    assert_eq!((window.room(), window.can_resume()), (10, false));
}
