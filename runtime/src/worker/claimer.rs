use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, warn};

use super::driver::{self, Driver};
use super::log;
use super::lookout::{Looked, Lookout, Next};
use super::quarantine::{Quarantine, Trial};
use crate::id::WorkerId;
use crate::store::{Claim, ClaimedRun, Driven, StoreError};

/// The most runs that are claimed at once.
const BATCH: usize = 200;

/// Claims ready runs and drives each in a task of its own, as many as there are slots. When the
/// worker is stopped it claims no more and ends once the last run has left.
///
/// One claimer a process: several would only wait for one another's rows.
pub(crate) async fn claim(driver: Driver, worker: WorkerId, runs: Runs) {
    let env = driver.env.clone();
    let claimer = Claimer {
        worker,
        workflows: env.program.drives.clone(),
        slots: Arc::new(Semaphore::new(env.config.max_active_runs)),
        quarantine: Quarantine::new(env.store.clone()),
        // One that died may have left some.
        has_suspects: AtomicBool::new(true),
        runs,
        driver,
    };
    // After a claim that was not answered, what it may have taken is given back before the next.
    let mut in_doubt = false;
    let mut lookout = Lookout::new(&env, &env.hints().ready, "a run that is ready");
    while let Some(slot) = env.stopping.run_until_cancelled(claimer.slot()).await {
        // A claim that has begun is not broken off: what it gives would be held and not driven.
        let claimed = match in_doubt {
            true => claimer.disown().await,
            false => claimer.claim_once(slot).await,
        };
        in_doubt = claimed.is_err();
        if env.stopping.run_until_cancelled(lookout.rest(claimed)).await.is_none() {
            break;
        }
    }
    env.hurrying.run_until_cancelled(claimer.runs.drain(env.config.grace)).await;
}

struct Claimer {
    worker: WorkerId,
    workflows: Vec<Driven>,
    slots: Arc<Semaphore>,
    quarantine: Quarantine,
    /// Whether there were any that were ready when it was last asked.
    has_suspects: AtomicBool,
    runs: Runs,
    driver: Driver,
}

impl Claimer {
    /// Waits for a free slot.
    async fn slot(&self) -> OwnedSemaphorePermit {
        self.slots.clone().acquire_owned().await.expect("the semaphore is never closed")
    }

    /// Gives back what a claim may have taken whose reply was lost.
    async fn disown(&self) -> Result<Looked, StoreError> {
        let Driver { env, inboxes, .. } = &self.driver;
        let runs = env.store.disown_runs(self.worker, &inboxes.runs()).await?;
        if runs > 0 {
            warn!(
                runs,
                "gave back runs that the database had given to this worker in a reply that was lost"
            );
        }
        Ok(Looked { found: 0, next: Next::Again })
    }

    /// Claims as many runs as there are free slots, among them suspects if there are any.
    async fn claim_once(&self, slot: OwnedSemaphorePermit) -> Result<Looked, StoreError> {
        let Driver { env, clock, .. } = &self.driver;
        let mut first = Some(slot);
        // Only this loop takes slots, so as many as are counted are still free.
        let mut slot = || first.take().or_else(|| self.slots.clone().try_acquire_owned().ok());
        let free = (self.slots.available_permits() + 1).min(BATCH);
        let had_suspects = self.has_suspects.load(Ordering::Relaxed);
        let suspects = if had_suspects { self.claim_suspects(free).await? } else { Vec::new() };
        let limit = free - suspects.len();
        let trials = suspects.into_iter();
        trials.for_each(|run| self.drive(run, slot(), Some(self.quarantine.begin())));
        if limit == 0 {
            return Ok(Looked { found: free, next: Next::Again });
        }
        let claimed = env.store.claim_runs(self.claim(0, limit)).await?;
        clock.observe(claimed.at);
        env.outages.answered();
        let found = claimed.runs.len();
        claimed.runs.into_iter().for_each(|run| self.drive(run, slot(), None));
        self.has_suspects.store(claimed.has_suspects, Ordering::Relaxed);
        let more = found == limit || (claimed.has_suspects && !had_suspects);
        let next = if more { Next::Again } else { Next::Within(env.config.poll_interval) };
        Ok(Looked { found, next })
    }

    /// Claims as many suspects as may be driven now.
    async fn claim_suspects(&self, free: usize) -> Result<Vec<ClaimedRun>, StoreError> {
        let store = &self.driver.env.store;
        let cohorts = store.cohorts(self.driver.env.program.app).await?;
        for (cohort, room) in self.quarantine.rooms(cohorts) {
            let suspects = store.claim_runs(self.claim(cohort, room.min(free))).await?.runs;
            if !suspects.is_empty() {
                return Ok(suspects);
            }
        }
        Ok(Vec::new())
    }

    fn claim(&self, cohort: u32, limit: usize) -> Claim<'_> {
        let app = self.driver.env.program.app;
        Claim { worker: self.worker, app, workflows: &self.workflows, cohort, limit }
    }

    fn drive(&self, run: ClaimedRun, slot: Option<OwnedSemaphorePermit>, trial: Option<Trial>) {
        let driver = self.driver.clone();
        let id = run.origin.trigger.run;
        let inbox = driver.inboxes.open(id);
        let span = log::span(&run);
        let driven = async move {
            driver::drive(driver, run, inbox, trial).await;
            drop(slot);
        };
        self.runs.spawn(driven.instrument(span));
    }
}

/// The tasks of the runs that are being driven.
#[derive(Clone, Default)]
pub(crate) struct Runs {
    tasks: TaskTracker,
    aborted: CancellationToken,
}

impl Runs {
    fn spawn(&self, run: impl Future<Output = ()> + Send + 'static) {
        let aborted = self.aborted.clone();
        self.tasks.spawn(async move {
            // A lost lease is looked at first: nothing runs on under it.
            tokio::select! {
                biased;
                () = aborted.cancelled() => {}
                () = run => {}
            }
        });
    }

    /// Waits until the last run has left, or the grace period is over.
    async fn drain(&self, grace: Duration) {
        self.tasks.close();
        let _ = timeout(grace, self.tasks.wait()).await;
    }

    /// Aborts the runs that are left, and waits until their futures are gone; not for long, as one
    /// that blocks its thread cannot be aborted.
    pub(crate) async fn abort(&self) {
        self.aborted.cancel();
        self.drain(Duration::from_millis(500)).await;
    }
}
