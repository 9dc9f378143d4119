use engine::{Key, OriginEvents};

/// What a claim needs of what sends its requests.
pub(in crate::worker) trait Sender {
    /// Takes back those of these requests that have not started. Gives their keys, and what has become of origins meanwhile: what
    /// was sent back before is not under way either.
    fn take_back(&mut self, keys: Vec<Key>) -> (Vec<Key>, OriginEvents);

    /// Takes back all that have not started.
    fn take_all_back(&self);

    /// How many removals from the queue were looked after: while there are more, nothing starts.
    fn handled_removals(&self) -> u64;

    /// So many removals were looked after.
    fn set_handled_removals(&self, removals: u64);

    /// Has what waits start as the limits allow, though there are removals that were not looked after.
    fn start_now(&self);
}
