use std::time::Duration;

use jiff::Timestamp;

/// The two times that a run goes by; neither is ever ahead of the database's clock.
pub(crate) struct Clock {
    /// The driver's time at this poll.
    now: Timestamp,
    /// The commit time of the outcome delivered last: what the body is told.
    seen: Timestamp,
}

impl Clock {
    pub(super) fn new(began_at: Timestamp) -> Self {
        Self { now: Timestamp::MIN, seen: began_at }
    }

    /// The driver has looked at its clock.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
    }

    /// An outcome is delivered that was committed at `at`.
    pub(super) fn deliver(&mut self, at: Timestamp) {
        self.seen = at;
    }

    pub(crate) fn seen(&self) -> Timestamp {
        self.seen
    }

    /// The later of the two.
    pub(super) fn latest(&self) -> Timestamp {
        self.now.max(self.seen)
    }

    /// The time now, as exact as what is stored, so that it reads back as it was.
    pub(super) fn stamp(&self) -> Option<Timestamp> {
        Timestamp::from_microsecond(self.now.as_microsecond()).ok()
    }

    /// When something is out of time that may take so long from now.
    pub(super) fn deadline(&self, timeout: Option<Duration>) -> Option<Timestamp> {
        timeout.map(|timeout| self.now.saturating_add(timeout).unwrap_or(Timestamp::MAX))
    }

    pub(super) fn has_come(&self, due: Timestamp) -> bool {
        due <= self.now
    }
}
