//! What was claimed and is not to be sent after all, or not now.

use engine::Key;

use super::Claim;
use super::Sender;
use crate::pg::process::server;
use crate::shmem::worker_calls::{self, Reply, WorkerCall};
use crate::worker::claimed::Claimed;

impl Claim {
    /// Takes back what the engine has not started of a queue that is gone.
    pub(in crate::worker) fn drop_orphans(&mut self, sender: &impl Sender) {
        if std::mem::take(&mut self.has_orphans) {
            sender.take_all_back();
        }
    }

    /// The keys of claimed rows that stay in the queue until their outcome is recorded.
    pub(in crate::worker) fn keys_in_queue(&self) -> impl Iterator<Item = Key> {
        self.window.iter().filter(|(_, claimed)| !claimed.at_most_once).map(|(key, _)| key)
    }

    /// The keys of claimed rows that have left the queue.
    pub(in crate::worker) fn keys_that_left(&self) -> impl Iterator<Item = Key> {
        self.window.iter().filter(|(_, claimed)| claimed.at_most_once).map(|(key, _)| key)
    }

    /// The queue has been emptied so often; whether it has since it was read last.
    pub(in crate::worker) fn see_emptied(&mut self, times: u64) -> bool {
        std::mem::replace(&mut self.emptied, times) != times
    }

    /// Takes claimed rows back from the engine. Gives the keys of those that had not started; they stay claimed.
    pub(in crate::worker) fn take_back(&mut self, keys: Vec<Key>, sender: &mut impl Sender) -> Vec<Key> {
        if keys.is_empty() {
            return keys;
        }
        let (back, news) = sender.take_back(keys);
        self.hear(news);
        back
    }

    /// A claimed row that the engine has not started is to be claimed again.
    pub(in crate::worker) fn meet_again(&mut self, key: Key) {
        self.window.give_back(key);
    }

    /// Leaves to the queue what has not started, to be read again. What has left the queue stays where it is.
    pub(in crate::worker) fn let_go(&mut self, sender: &mut impl Sender) {
        let keys = self.keys_in_queue().collect();
        for key in self.take_back(keys, sender) {
            self.window.finish(key);
        }
        self.read_again();
    }

    /// Answers what sessions ask about requests.
    pub(in crate::worker) fn answer(&mut self, sender: &mut impl Sender) {
        worker_calls::answer(server::my_database(), |question| match question {
            WorkerCall::MayTakeBack(keys) => Reply::AllBut(self.withhold(keys, sender)),
            WorkerCall::IsUnderWay(id) => {
                let found = self.window.find(|claimed| claimed.id == id && claimed.at_most_once);
                Reply::UnderWay(found.map(|claimed| claimed.requested_by.unwrap_or_default()))
            }
        });
    }

    /// Lets go of rows that a session wants to take back. Those that it may not.
    fn withhold(&mut self, mut keys: Vec<Key>, sender: &mut impl Sender) -> Vec<Key> {
        let is_queued = |claimed: &Claimed| !claimed.at_most_once;
        let claimed = keys.iter().copied().filter(|&key| self.window.get(key).is_some_and(is_queued)).collect();
        for key in self.take_back(claimed, sender) {
            self.window.finish(key);
            self.withheld.let_go(key);
        }
        keys.retain(|&key| self.window.get(key).is_some());
        keys
    }
}
