use std::collections::HashMap;

use crate::clock::Moment;
use crate::receipts::{Event, Line};

/// One time that a request was received.
#[derive(Clone, Copy, Debug)]
pub(super) struct Receipt {
    pub(super) at: Moment,
    pub(super) answered: bool,
}

/// The receipts of each request, in order.
pub(super) fn by_tag(lines: &[Line]) -> HashMap<u64, Vec<Receipt>> {
    let mut receipts: HashMap<u64, Vec<Receipt>> = HashMap::new();
    for line in lines {
        let of = receipts.entry(line.tag).or_default();
        match line.event {
            Event::Received => of.push(Receipt { at: line.at, answered: false }),
            // An earlier one that is open still was broken off.
            Event::Answered => {
                if let Some(open) = of.iter_mut().rfind(|receipt| !receipt.answered) {
                    open.answered = true;
                }
            }
            Event::BrokenOff => {}
        }
    }
    receipts
}
