use super::*;

/// A connection with a number.
#[derive(Debug, PartialEq)]
struct Fake(u32);

type Route = Rc<ConnectionSlots<Fake>>;
type Waits = oneshot::Receiver<Acquired<Fake>>;

fn permits(route: &Route, count: usize) -> Vec<Slot<Fake>> {
    (0..count).map(|_| route.acquire(Instant::now()).ok().expect("leave at once")).collect()
}

fn waits(route: &Route, now: Instant) -> Waits {
    route.acquire(now).err().expect("a place among those who wait")
}

fn used(waits: &mut Waits) -> Option<Fake> {
    match waits.try_recv() {
        Ok(Acquired::Connection(connection)) => Some(connection),
        _ => None,
    }
}

fn permitted(waits: &mut Waits) -> Option<Slot<Fake>> {
    match waits.try_recv() {
        Ok(Acquired::Slot(slot)) => Some(slot),
        _ => None,
    }
}

#[test]
fn those_beyond_the_first_take_what_is_given_back_in_their_order() {
    let route = Route::default();
    let _open = permits(&route, AT_ONCE);
    let now = Instant::now();
    let (mut first, gone, mut third) = (waits(&route, now), waits(&route, now), waits(&route, now));
    drop(gone);
    assert_eq!(route.offer(Fake(1), Instant::now()), None);
    assert_eq!(route.offer(Fake(2), Instant::now()), None);
    assert_eq!(route.offer(Fake(3), Instant::now()), Some(Fake(3)));
    assert_eq!((used(&mut first), used(&mut third)), (Some(Fake(1)), Some(Fake(2))));
}

#[test]
fn who_waits_in_vain_opens_one_and_the_next_a_moment_later() {
    let route = Route::default();
    let _open = permits(&route, AT_ONCE);
    let start = Instant::now();
    let mut all: Vec<_> = (0..4).map(|_| waits(&route, start)).collect();
    let patience_ends = start + PATIENCE;
    assert_eq!(route.admit_overdue(start), Some(patience_ends));
    assert!(permitted(&mut all[0]).is_none());
    assert_eq!(route.admit_overdue(patience_ends), Some(patience_ends + PACE));
    let _first = permitted(&mut all[0]).expect("leave for the first");
    assert!(permitted(&mut all[1]).is_none());
    assert_eq!(route.admit_overdue(patience_ends + PACE), Some(patience_ends + 2 * PACE));
    let _second = permitted(&mut all[1]).expect("leave for the second");
    // One look that comes late makes up for none that did not come.
    let late = patience_ends + 10 * PACE;
    assert_eq!(route.admit_overdue(late), Some(late + PACE));
    let _third = permitted(&mut all[2]).expect("leave for the third");
    assert!(permitted(&mut all[3]).is_none());
    drop(all);
    assert_eq!(route.admit_overdue(late + PACE), None);
}

#[test]
fn one_that_is_closed_makes_room_for_the_next_at_once() {
    let route = Route::default();
    let mut open = permits(&route, AT_ONCE);
    let mut next = waits(&route, Instant::now());
    open.pop();
    assert!(permitted(&mut next).is_some());
}

#[test]
fn who_gave_up_takes_no_room() {
    let route = Route::default();
    let mut open = permits(&route, AT_ONCE);
    let start = Instant::now();
    drop(waits(&route, start));
    let mut next = waits(&route, start + PACE);
    assert_eq!(route.admit_overdue(start + PATIENCE), Some(start + PACE + PATIENCE));
    open.pop();
    open.extend(permitted(&mut next));
    assert_eq!(open.len(), AT_ONCE);
    // Not even one who gives up with the leave in hand.
    let unheard = waits(&route, start);
    open.pop();
    drop(unheard);
    assert_eq!(permits(&route, 1).len(), 1);
}

#[test]
fn what_was_needed_is_remembered_while_any_is_open() {
    let route = Route::default();
    let mut open = permits(&route, AT_ONCE);
    let start = Instant::now();
    let mut next = waits(&route, start);
    route.admit_overdue(start + PATIENCE);
    open.push(permitted(&mut next).expect("leave to open one more"));
    open.truncate(1);
    open.extend(permits(&route, AT_ONCE));
    drop(open);
    let _open = permits(&route, AT_ONCE);
    assert!(route.acquire(start).is_err());
}

#[test]
fn where_replies_come_who_waits_opens_one_as_soon_as_none_comes_for_a_while() {
    let route = Route::default();
    let _open = permits(&route, AT_ONCE);
    let start = Instant::now();
    let at = |lulls: u32| start + lulls * LULL;
    assert!(route.offer(Fake(1), start).is_some());
    let mut all: Vec<_> = (0..3).map(|_| waits(&route, start)).collect();
    assert_eq!(route.admit_overdue(start), Some(at(1)));
    // One that is given back has the others wait again, but not forever.
    assert_eq!(route.offer(Fake(1), at(1)), None);
    assert_eq!(route.admit_overdue(at(1)), Some(at(2)));
    assert!(permitted(&mut all[1]).is_none());
    assert_eq!(route.admit_overdue(at(2)), Some(at(2) + PACE));
    let _second = permitted(&mut all[1]).expect("leave for the second");
    assert!(route.offer(Fake(2), start + PATIENCE).is_none());
    let mut last = waits(&route, start);
    assert_eq!(route.admit_overdue(start + PATIENCE), None);
    assert!(permitted(&mut last).is_some());
}

#[test]
fn a_crowd_waits_its_time_also_where_replies_come() {
    let route = Route::default();
    let _open = permits(&route, AT_ONCE);
    let start = Instant::now();
    assert!(route.offer(Fake(1), start).is_some());
    let _crowd: Vec<_> = (0..AT_ONCE).map(|_| waits(&route, start)).collect();
    assert_eq!(route.admit_overdue(start + LULL), Some(start + PATIENCE));
}

#[test]
fn nobody_waits_for_longer_however_seldom_somebody_looks() {
    let route = Route::default();
    let _open = permits(&route, AT_ONCE);
    let start = Instant::now();
    let mut all: Vec<_> = (0..100).map(|_| waits(&route, start)).collect();
    let mut late = waits(&route, start + PACE);
    assert!(route.admit_overdue(start + AT_MOST).is_some());
    let _opened: Vec<_> = all.iter_mut().map(|waits| permitted(waits).expect("leave for each")).collect();
    assert!(permitted(&mut late).is_none());
}
