use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::Notify;

use super::Hints;
use crate::id::RunId;

impl Hints {
    /// Begins to wait for the end of a run. Whoever does so before it looks where the run stands misses
    /// nothing.
    pub(crate) fn await_end(self: &Arc<Self>, run: RunId) -> Awaited {
        let awaited = Awaited::new(self.clone(), run);
        self.remind();
        awaited
    }
}

/// Somebody who waits for the end of a run, until this is dropped.
pub(crate) struct Awaited {
    hints: Arc<Hints>,
    run: RunId,
    bell: Arc<Notify>,
}

impl Awaited {
    fn new(hints: Arc<Hints>, run: RunId) -> Self {
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
