use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

use super::Hints;
use crate::id::RunId;

/// Those of a process who wait for the ends of runs.
#[derive(Default)]
pub(super) struct Waiting(Mutex<Waiters>);

#[derive(Default)]
struct Waiters {
    bells: HashMap<RunId, Vec<Arc<Notify>>>,
    /// When others were last told that somebody waits here.
    told: Option<Instant>,
}

impl Waiting {
    /// Whether somebody waits here and it is time to tell others.
    pub(super) fn is_time(&self) -> bool {
        let mut waiters = self.lock();
        let now = Instant::now();
        let is_time = !waiters.bells.is_empty()
            && waiters.told.is_none_or(|told| now.duration_since(told) >= Hints::REMIND);
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

    fn lock(&self) -> MutexGuard<'_, Waiters> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who waits for the end of a run, until this is dropped.
pub(crate) struct Awaited {
    hints: Arc<Hints>,
    run: RunId,
    bell: Arc<Notify>,
}

impl Awaited {
    pub(super) fn new(hints: Arc<Hints>, run: RunId) -> Self {
        let bell = Arc::new(Notify::new());
        hints.waiting.lock().bells.entry(run).or_default().push(bell.clone());
        Self { hints, run, bell }
    }

    /// Returns when the run may be over.
    pub(crate) async fn told(&self) {
        self.bell.notified().await;
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        let mut waiters = self.hints.waiting.lock();
        if let Some(bells) = waiters.bells.get_mut(&self.run) {
            bells.retain(|bell| !Arc::ptr_eq(bell, &self.bell));
            if bells.is_empty() {
                waiters.bells.remove(&self.run);
            }
        }
    }
}

/// What one who asks about the ends of runs remembers from one round to the next.
#[derive(Default)]
pub(in crate::store) struct Rounds {
    /// The runs of the round before.
    asked: HashSet<RunId>,
}

impl Rounds {
    /// Of the runs that were asked for some are over, maybe for long.
    pub(in crate::store) fn found(
        &mut self,
        hints: &Hints,
        asked: Vec<RunId>,
        over: &[(RunId, bool)],
    ) {
        hints.waiting.ended(over.iter().map(|(run, _)| run));
        // Whoever has just begun to wait looks for itself first.
        let missed = over.iter().filter(|(run, long)| *long && self.asked.contains(run)).count();
        hints.found_by_polling(missed as u64, "the end of a run that is waited for");
        self.asked = asked.into_iter().collect();
    }
}
