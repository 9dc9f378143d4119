//! Row keys of one call of the worker, and which of them its answer leaves out.

use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering::SeqCst};

use crate::Key;

/// Keys of one set are less than this apart: a bit for each place.
const SPAN: usize = 4096;

/// How many of the first of these keys, which must be sorted, fit into one set.
pub fn fitting(keys: &[Key]) -> usize {
    let Some(&first) = keys.first() else { return 0 };
    keys.partition_point(|key| key.abs_diff(first) < SPAN as u64)
}

/// A set of keys in shared memory. Zeroes are the empty one.
///
/// The worker may be late, and write when the set is already that of another call. So each word of an answer carries the number
/// of the call that it is for.
#[repr(C)]
pub struct KeySet {
    first: AtomicI64,
    /// How many places are in use.
    places: AtomicU32,
    wanted: [AtomicU64; SPAN / 64],
    /// 32 bits each, below the number of the call.
    refused: [AtomicU64; SPAN / 32],
}

impl KeySet {
    /// Puts keys that are sorted and fit.
    pub fn put(&self, keys: &[Key]) {
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
    pub fn get(&self) -> Vec<Key> {
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

    /// Answers the call with this number: all but these.
    pub fn refuse(&self, number: u64, keys: &[Key]) {
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

    /// Whether the answer to the call with this number left out a key of it; `None` where that cannot be told.
    pub fn is_refused(&self, number: u64, key: Key) -> Option<bool> {
        let place = key.abs_diff(self.first.load(SeqCst)) as usize;
        let word = self.refused.get(place / 32)?.load(SeqCst);
        (word & !u64::from(u32::MAX) == tag(number)).then_some(word & 1 << (place % 32) != 0)
    }
}

fn tag(number: u64) -> u64 {
    number << 32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> KeySet {
        KeySet {
            first: AtomicI64::new(0),
            places: AtomicU32::new(0),
            wanted: [const { AtomicU64::new(0) }; SPAN / 64],
            refused: [const { AtomicU64::new(0) }; SPAN / 32],
        }
    }

    #[test]
    fn as_many_fit_as_lie_within_the_span() {
        assert_eq!(fitting(&[]), 0);
        assert_eq!(fitting(&[5]), 1);
        assert_eq!(fitting(&[5, 6, 5 + 4095, 5 + 4096]), 3);
        assert_eq!(fitting(&[Key::MIN, Key::MAX]), 1);
    }

    #[test]
    fn keys_come_back_as_they_were_put() {
        let set = empty();
        for keys in [&[][..], &[7], &[-3, 0, 61, 64, 4092], &[Key::MAX - 1, Key::MAX], &[1, 2]] {
            set.put(keys);
            assert_eq!(set.get(), keys);
        }
    }

    #[test]
    fn an_answer_says_which_are_refused() {
        let set = empty();
        set.put(&[10, 11, 200]);
        assert_eq!(set.is_refused(1, 10), None, "there is no answer yet");
        set.refuse(1, &[11]);
        assert_eq!([10, 11, 200].map(|key| set.is_refused(1, key)), [Some(false), Some(true), Some(false)]);
    }

    #[test]
    fn an_answer_to_another_call_does_not_count() {
        let set = empty();
        set.put(&[10, 11]);
        set.refuse(1, &[]);
        set.put(&[10, 11]);
        assert_eq!(set.is_refused(2, 10), None);
    }
}
