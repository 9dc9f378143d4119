//! Where in the queue a request likely stands.
//!
//! The queue has an index by row key and none by id, whose cost every request would bear. But both numbers are handed out
//! side by side, so they keep their distance: a session that knows it from one request finds another by its row key, however
//! long the queue is. Where that finds nothing, the whole queue is looked through.

use std::cell::Cell;

use engine::Key;

/// By how much the distance may be wrong: sessions overtake each other, and a crash has each sequence skip some numbers.
const SLACK: i64 = 1000;

thread_local! {
    static DISTANCE: Cell<Option<i64>> = const { Cell::new(None) };
}

/// A request with this id has this row key.
pub(in crate::functions) fn note(id: i64, key: Key) {
    DISTANCE.set(key.checked_sub(id));
}

/// The ranges of row keys in which requests with these ids, which must be sorted, likely stand: apart from each other and in
/// order. None if nothing is known.
pub(in crate::functions) fn likely_ranges(ids: &[i64]) -> Vec<(Key, Key)> {
    let mut ranges: Vec<(Key, Key)> = Vec::new();
    for &id in ids {
        let Some((lowest, highest)) = likely_keys(&[id]) else { continue };
        match ranges.last_mut() {
            Some((_, end)) if lowest <= end.saturating_add(1) => *end = highest,
            _ => ranges.push((lowest, highest)),
        }
    }
    ranges
}

/// The lowest and the highest row key that requests with these ids likely have; `None` if nothing is known.
pub(in crate::functions) fn likely_keys(ids: &[i64]) -> Option<(Key, Key)> {
    let distance = DISTANCE.get()?;
    let key = |id: &i64| id.checked_add(distance);
    let (lowest, highest) = (key(ids.iter().min()?)?, key(ids.iter().max()?)?);
    Some((lowest.saturating_sub(SLACK), highest.saturating_add(SLACK)))
}
