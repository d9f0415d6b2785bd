use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::id::RunId;

/// How often others are told that somebody waits here: twice in the time for which they remember it.
pub(in crate::store) const REMIND: Duration = Duration::from_secs(5);

/// Those of a process who wait for the ends of runs.
#[derive(Default)]
pub(super) struct Waiting(Mutex<Waiters>);

#[derive(Default)]
pub(super) struct Waiters {
    pub(super) bells: HashMap<RunId, Vec<Arc<Notify>>>,
    /// When others were last told that somebody waits here.
    told: Option<Instant>,
}

impl Waiting {
    /// Whether somebody waits here and it is time to tell others.
    pub(super) fn is_time(&self) -> bool {
        let mut waiters = self.lock();
        let now = Instant::now();
        let is_time = !waiters.bells.is_empty()
            && waiters.told.is_none_or(|told| now.duration_since(told) >= REMIND);
        if is_time {
            waiters.told = Some(now);
        }
        is_time
    }

    /// Others do not know, whatever they were told.
    pub(super) fn forget_telling(&self) {
        self.lock().told = None;
    }

    pub(super) fn runs(&self) -> Vec<RunId> {
        self.lock().bells.keys().copied().collect()
    }

    pub(super) fn ended<'r>(&self, runs: impl IntoIterator<Item = &'r RunId>) {
        let waiters = self.lock();
        if waiters.bells.is_empty() {
            return;
        }
        let bells = runs.into_iter().filter_map(|run| waiters.bells.get(run)).flatten();
        bells.for_each(|bell| bell.notify_one());
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Waiters> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
