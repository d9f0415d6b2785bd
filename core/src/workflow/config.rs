use std::time::Duration;

use super::{Cron, Flow};

/// The configuration of a workflow, as its attribute gives it.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// How often a failed step is tried again, unless the step has its own `.retries(..)`.
    pub retries: u32,
    /// How long a failed step waits before it is tried again.
    pub backoff: Backoff,
    /// Its schedule, if it has one.
    pub cron: Option<Cron>,
    /// What becomes of the events that would start it.
    pub flow: Flow,
    /// How long a run may take to begin, from the acceptance of its trigger. After that time it is
    /// cancelled.
    pub start_timeout: Option<Duration>,
    /// How long a run may take once it has begun. After that time it is cancelled.
    pub finish_timeout: Option<Duration>,
    /// The workflows that start when a run does not complete.
    pub handlers: Handlers,
    /// What becomes of its unfinished runs when a new version of the program has changed it.
    pub on_change: OnChange,
}

/// The ids of the workflows that start when a run does not complete.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Handlers {
    /// When it fails.
    pub on_failure: Option<&'static str>,
    /// When it is cancelled.
    pub on_cancel: Option<&'static str>,
}

impl Handlers {
    /// Nobody.
    pub const NONE: Self = Self { on_failure: None, on_cancel: None };
}

/// What becomes of a workflow's unfinished runs when a new version of the program has changed the workflow.
///
/// A change of its triggers, its input or its states counts. A change of what its steps do, or of the code
/// around them, does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnChange {
    /// The new version resumes them. It holds the runs whose journals it contradicts.
    Resume,
    /// Only a version with the workflow's old shape goes on with them. Let workers of the old version run
    /// until those runs are over. [`stranded`](../struct.Client.html#method.stranded) lists runs that are left without
    /// such a worker.
    Pin,
}

impl Config {
    /// Four retries with the default backoff, no schedule or timeouts, a run for each event, nobody to
    /// handle an end; a new version resumes unfinished runs.
    pub const DEFAULT: Self = Self {
        retries: 4,
        backoff: Backoff::DEFAULT,
        cron: None,
        flow: Flow::DEFAULT,
        on_change: OnChange::Resume,
        start_timeout: None,
        finish_timeout: None,
        handlers: Handlers::NONE,
    };

    /// Sets how long a run may take to begin, from the acceptance of its trigger.
    #[must_use]
    pub const fn start_timeout(self, timeout: Duration) -> Self {
        Self { start_timeout: Some(timeout), ..self }
    }

    /// Sets how long a run may take once it has begun.
    #[must_use]
    pub const fn finish_timeout(self, timeout: Duration) -> Self {
        Self { finish_timeout: Some(timeout), ..self }
    }

    /// Sets which workflow is started when a run fails.
    #[must_use]
    pub const fn on_failure(self, handler: &'static str) -> Self {
        Self { handlers: Handlers { on_failure: Some(handler), ..self.handlers }, ..self }
    }

    /// Sets which workflow is started when a run is cancelled.
    #[must_use]
    pub const fn on_cancel(self, handler: &'static str) -> Self {
        Self { handlers: Handlers { on_cancel: Some(handler), ..self.handlers }, ..self }
    }

    /// Sets how often a failed step is tried again.
    #[must_use]
    pub const fn retries(self, retries: u32) -> Self {
        Self { retries, ..self }
    }

    /// Sets how long a failed step waits before it is tried again.
    #[must_use]
    pub const fn backoff(self, backoff: Backoff) -> Self {
        Self { backoff, ..self }
    }

    /// Sets its schedule.
    #[must_use]
    pub const fn cron(self, cron: Cron) -> Self {
        Self { cron: Some(cron), ..self }
    }

    /// Sets what becomes of the events that would start it.
    #[must_use]
    pub const fn flow(self, flow: Flow) -> Self {
        Self { flow, ..self }
    }

    /// Sets what becomes of unfinished runs when the workflow has changed.
    #[must_use]
    pub const fn on_change(self, on_change: OnChange) -> Self {
        Self { on_change, ..self }
    }
}

/// Exponential backoff: the wait doubles with each attempt, up to a maximum. A random part of up to half is
/// taken off each wait, so that many steps that failed together are not tried again together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// The wait before the first retry.
    pub initial: Duration,
    /// The longest wait.
    pub max: Duration,
}

impl Backoff {
    /// From one second, doubling, to one hour.
    pub const DEFAULT: Self =
        Self { initial: Duration::from_secs(1), max: Duration::from_secs(60 * 60) };

    /// Starts at `initial` and never exceeds `max`.
    pub const fn new(initial: Duration, max: Duration) -> Self {
        Self { initial, max }
    }

    /// The wait after `attempt` (from 1) failed; `jitter` is in `0.0..1.0`.
    pub(crate) fn delay(&self, attempt: u32, jitter: f64) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        let full = self.initial.saturating_mul(1 << doublings).min(self.max);
        full.mul_f64(1.0 - jitter / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_its_bound() {
        let backoff = Backoff::DEFAULT;
        let seconds = |attempt| backoff.delay(attempt, 0.0).as_secs();
        assert_eq!([1, 2, 3, 4].map(seconds), [1, 2, 4, 8]);
        assert_eq!(seconds(13), 3600);
        assert_eq!(seconds(u32::MAX), 3600);
    }

    #[test]
    fn jitter_takes_away_up_to_half() {
        let delay = Backoff::DEFAULT.delay(1, 0.999);
        assert!(delay > Duration::from_millis(500) && delay < Duration::from_millis(502));
    }
}
