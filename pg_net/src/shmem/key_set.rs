//! Row keys of one question, and which of them the answer leaves out.

use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering::SeqCst};

use engine::Key;

/// Keys of one set are less than this apart: a bit for each place.
const SPAN: usize = 4096;

/// How many of the first of these keys, which must be sorted, fit into one set.
pub(crate) fn fitting(keys: &[Key]) -> usize {
    let Some(&first) = keys.first() else { return 0 };
    keys.partition_point(|key| key.abs_diff(first) < SPAN as u64)
}

/// A set of keys in shared memory. Zeroes are the empty one.
///
/// Whoever answers may be late, and write when the set is already that of another question. So each word of an answer carries
/// the number of the question that it is for.
#[repr(C)]
pub(super) struct KeySet {
    first: AtomicI64,
    /// How many places are in use.
    places: AtomicU32,
    wanted: [AtomicU64; SPAN / 64],
    /// 32 bits each, below the number of the question.
    refused: [AtomicU64; SPAN / 32],
}

impl KeySet {
    /// Puts keys that are sorted and fit.
    pub(super) fn put(&self, keys: &[Key]) {
        let (Some(&first), Some(last)) = (keys.first(), keys.last()) else { return self.places.store(0, SeqCst) };
        let places = last.abs_diff(first) as usize + 1;
        let mut words = [0_u64; SPAN / 64];
        for key in keys {
            let place = key.abs_diff(first) as usize;
            words[place / 64] |= 1 << (place % 64);
        }
        self.first.store(first, SeqCst);
        self.places.store(places as u32, SeqCst);
        for (shared, word) in self.wanted.iter().zip(words).take(places.div_ceil(64)) {
            shared.store(word, SeqCst);
        }
    }

    /// The keys, sorted.
    pub(super) fn get(&self) -> Vec<Key> {
        let (first, places) = (self.first.load(SeqCst), self.places.load(SeqCst) as usize);
        let mut keys = Vec::new();
        for (at, word) in self.wanted.iter().enumerate().take(places.div_ceil(64)) {
            let mut word = word.load(SeqCst);
            while word != 0 {
                keys.push(first.wrapping_add((at * 64) as Key + Key::from(word.trailing_zeros())));
                word &= word - 1;
            }
        }
        keys
    }

    /// Answers the question with this number: all but these.
    pub(super) fn refuse(&self, number: u64, keys: &[Key]) {
        let (first, places) = (self.first.load(SeqCst), self.places.load(SeqCst) as usize);
        let mut words = [tag(number); SPAN / 32];
        for key in keys {
            let place = key.abs_diff(first) as usize;
            if let Some(word) = words.get_mut(place / 32) {
                *word |= 1 << (place % 32);
            }
        }
        for (shared, word) in self.refused.iter().zip(words).take(places.div_ceil(32)) {
            shared.store(word, SeqCst);
        }
    }

    /// Whether the answer to the question with this number left out a key of it; `None` where that cannot be told.
    pub(super) fn is_refused(&self, number: u64, key: Key) -> Option<bool> {
        let place = key.abs_diff(self.first.load(SeqCst)) as usize;
        let word = self.refused.get(place / 32)?.load(SeqCst);
        (word & !u64::from(u32::MAX) == tag(number)).then_some(word & 1 << (place % 32) != 0)
    }
}

fn tag(number: u64) -> u64 {
    number << 32
}
