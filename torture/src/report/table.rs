//! A line for each scenario.

use std::fmt;

use crate::backlog::Backlog;
use crate::report::Report;

/// How many examples of what is wrong are shown.
const EXAMPLES: usize = 5;

impl Report {
    /// What stands over the lines.
    pub const HEAD: &'static str = "\
fault                             times  committed  received  lost  failed  taken back  gone  twice  allowed  stray  in flight";
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut met: Vec<usize> = self.met.iter().copied().filter(|&met| met > 0).collect();
        met.sort_unstable();
        let met = match met[..] {
            [] => "-".to_owned(),
            [only] => only.to_string(),
            [least, .., most] => format!("{least}–{most}"),
        };
        write!(
            f,
            "{:<33} {:>5}  {:>9}  {:>8}  {:>4}  {:>6}  {:>10}  {:>4}  {:>5}  {:>7}  {:>5}  {met:>9}",
            self.fault.name(),
            self.injections(),
            self.committed,
            self.received,
            self.lost,
            self.failed,
            self.taken_back,
            self.gone,
            self.repeated,
            self.allowed,
            self.stray,
        )?;
        let wrongs = self.wrongs();
        if !wrongs.is_empty() {
            write!(f, "\n    WRONG: {}", wrongs.join(", "))?;
        }
        self.examples.iter().take(EXAMPLES).try_for_each(|example| write!(f, "\n    {example}"))
    }
}

impl fmt::Display for Backlog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} queued, postmaster killed (kill -9) when {} were received, {} in flight: {} received, {} lost, {} twice",
            self.queued,
            self.before,
            self.in_flight,
            self.received,
            self.queued - self.received,
            self.repeated
        )?;
        if self.is_sound() { Ok(()) } else { write!(f, "\n    WRONG: {self:?}") }
    }
}
