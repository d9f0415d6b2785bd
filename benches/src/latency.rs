use std::time::Duration;

/// Sorted times, to be asked for their middle and their end.
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort();
        Self(times)
    }

    /// The time that so many of a hundred stay below.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let place = (self.0.len() * percent / 100).min(self.0.len().saturating_sub(1));
        self.0.get(place).copied().unwrap_or_default()
    }
}

impl std::fmt::Display for Latencies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [median, most, worst] = [50, 99, 100].map(|percent| self.percentile(percent));
        write!(f, "median {median:.1?}, 99 % within {most:.1?}, at most {worst:.1?}")
    }
}
