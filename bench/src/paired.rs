//! Drains between runs of wrk on the same server: machines are shared, and what counts is the one against the other.

use crate::drain;
use crate::lab::Lab;
use crate::stats::{Spread, mean, median, thousands};
use crate::wrk::Wrk;

/// Drains and what wrk did around each.
pub(crate) struct Paired {
    /// Responses a second of each drain.
    pub(crate) drains: Vec<f64>,
    /// Requests a second of wrk: the mean of before and after.
    pub(crate) wrk: Vec<f64>,
}

/// How much is measured.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    /// How many drains.
    pub(crate) rounds: usize,
    /// How many requests each has.
    pub(crate) requests: i64,
    /// How long each run of wrk is.
    pub(crate) wrk_seconds: u32,
}

/// Drains a call, with wrk before and after each.
pub(crate) fn run(lab: &mut Lab, call: &str, wrk: &Wrk, effort: Effort) -> Paired {
    let mut before = wrk.run(effort.wrk_seconds);
    let mut paired = Paired { drains: Vec::new(), wrk: Vec::new() };
    for _ in 0..effort.rounds {
        lab.reset();
        paired.drains.push(drain::queue(lab, call, effort.requests).full_rate(lab));
        let after = wrk.run(effort.wrk_seconds);
        paired.wrk.push(f64::midpoint(before, after));
        before = after;
    }
    paired
}

impl Paired {
    /// Each drain against wrk beside it.
    pub(crate) fn ratios(&self) -> Vec<f64> {
        self.drains.iter().zip(&self.wrk).map(|(drain, wrk)| drain / wrk).collect()
    }

    /// The figure of the table.
    pub(crate) fn figure(&self) -> String {
        format!("{}/s", thousands(median(&self.drains)))
    }

    /// The yardstick of the table.
    pub(crate) fn yardstick(&self) -> String {
        format!("wrk: {}/s", thousands(mean(&self.wrk)))
    }

    /// How much the rounds differ.
    pub(crate) fn spread(&self) -> String {
        format!(
            "{} rounds: {}/s; wrk {}/s; ratios {}",
            self.drains.len(),
            Spread(&self.drains),
            Spread(&self.wrk),
            Spread(&self.ratios())
        )
    }
}
