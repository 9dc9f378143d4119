use crate::place;

#[test]
fn a_hundred_thousand_requests_survive_the_end_of_the_postmaster() {
    let backlog = torture::run_backlog(&place(None), 100_000);
    assert!(backlog.is_sound(), "{backlog:?}");
}
