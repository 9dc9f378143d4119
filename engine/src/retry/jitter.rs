use std::time::Duration;

/// Draws the random part of waits, so that requests which failed together do not come back together.
#[derive(Clone, Debug)]
pub struct Jitter(fastrand::Rng);

impl Jitter {
    /// Draws that cannot be predicted.
    pub fn new() -> Self {
        Self(fastrand::Rng::new())
    }

    /// Draws that are the same for the same seed.
    pub fn with_seed(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// A time from 0 to `most`, each as likely as any other; to the nanosecond, and for a `most` of up to 584 years.
    pub fn up_to(&mut self, most: Duration) -> Duration {
        let most = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.0.u64(0..=most))
    }
}

impl Default for Jitter {
    fn default() -> Self {
        Self::new()
    }
}
