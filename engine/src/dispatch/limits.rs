use crate::config::policy::Policy;

/// How many requests may be under way at once, and how many failures in a row make an origin sick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) total: usize,
    pub(crate) per_origin: usize,
    /// To an origin that was not connected to so far.
    pub(crate) untried: usize,
    /// At 0, no origin becomes sick.
    pub(crate) breaker_failures: u32,
}

impl Limits {
    /// Those that a policy sets.
    pub(crate) fn of(policy: &Policy) -> Self {
        Self {
            total: policy.max_in_flight.min(policy.max_connections).max(1),
            per_origin: policy.max_in_flight_per_origin.max(1),
            untried: policy.max_in_flight_untried().min(policy.max_in_flight_per_origin).max(1),
            breaker_failures: policy.breaker_failures,
        }
    }

    /// How many may be under way to origins that do not answer, or have not answered yet, beyond one for each.
    ///
    /// Decided: half of all, or what one origin may have where that is more. Sick origins have a quarter. So a
    /// quarter is left to those that answer, however many others hang until they time out.
    pub(crate) fn silent(&self) -> usize {
        (self.total / 2).max(self.per_origin)
    }
}
