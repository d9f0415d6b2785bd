use std::sync::Mutex;
use std::time::Instant;

use jiff::Timestamp;

/// The database's clock as far as this process knows it: never ahead of it, so that no timer fires
/// early, and behind it by no more than the latency of the quickest reply.
#[derive(Default)]
pub(crate) struct DatabaseClock(Mutex<Option<(Timestamp, Instant)>>);

impl DatabaseClock {
    /// A reply that has just arrived said what time it was in the database.
    pub(crate) fn observe(&self, at: Timestamp) {
        let received = Instant::now();
        let mut anchor = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let known = anchor.map(|anchor| reading(anchor, received));
        if known.is_none_or(|known| known < at) {
            *anchor = Some((at, received));
        }
    }

    /// The time now; the beginning of time before the first reply.
    pub(crate) fn now(&self) -> Timestamp {
        let anchor = *self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        anchor.map_or(Timestamp::MIN, |anchor| reading(anchor, Instant::now()))
    }

    /// When, by this process's clock, the database's clock shows `time`; at once if that has passed.
    pub(crate) fn instant_of(&self, time: Timestamp) -> tokio::time::Instant {
        let wait = time.duration_since(self.now());
        // `duration_since` is negative for a time that has passed; a wait beyond what an `Instant`
        // can hold is looked at again a day later.
        let wait = std::time::Duration::try_from(wait).unwrap_or_default();
        const DAY: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);
        tokio::time::Instant::now() + wait.min(DAY)
    }
}

fn reading((at, received): (Timestamp, Instant), now: Instant) -> Timestamp {
    at.saturating_add(now.saturating_duration_since(received)).unwrap_or(Timestamp::MAX)
}
