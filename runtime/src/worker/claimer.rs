use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use super::driver::{self, Driver};
use super::{Next, rest};
use crate::id::WorkerId;
use crate::store::{Claim, StoreError};

/// The most runs that are claimed at once.
const BATCH: usize = 200;

/// Claims ready runs and drives each in a task of its own, as many as there are slots. When the
/// worker is stopped it claims no more and ends once the last run has left.
///
/// One claimer a process: several would only wait for one another's rows.
pub(crate) async fn claim(driver: Driver, worker: WorkerId) {
    let env = driver.env.clone();
    let claimer = Claimer {
        worker,
        workflows: env.program.workflow_ids(),
        slots: Arc::new(Semaphore::new(env.config.concurrency)),
        runs: Runs::default(),
        driver,
    };
    let claiming = async {
        loop {
            let claimed = claimer.claim_once().await;
            rest(&env, &env.signals.ready, claimed).await;
        }
    };
    tokio::select! {
        () = claiming => {}
        () = env.stopping.cancelled() => {}
    }
    claimer.runs.drain(env.config.grace).await;
}

struct Claimer {
    worker: WorkerId,
    workflows: Vec<String>,
    slots: Arc<Semaphore>,
    runs: Runs,
    driver: Driver,
}

impl Claimer {
    /// Waits for a free slot, then claims as many runs as there are free slots.
    async fn claim_once(&self) -> Result<Next, StoreError> {
        let Driver { env, clock, .. } = &self.driver;
        let first = self.slots.clone().acquire_owned().await;
        let mut first = Some(first.expect("the semaphore is never closed"));
        let limit = (self.slots.available_permits() + 1).min(BATCH);
        let app = env.program.app;
        let claim = Claim { worker: self.worker, app, workflows: &self.workflows, limit };
        let claimed = env.store.claim(claim).await?;
        clock.observe(claimed.at);
        env.signals.answered();
        let found = claimed.runs.len();
        for run in claimed.runs {
            // Only this loop takes slots, so as many as were counted are still free.
            let slot = first.take().or_else(|| self.slots.clone().try_acquire_owned().ok());
            let driver = self.driver.clone();
            self.runs.spawn(async move {
                driver::drive(driver, run).await;
                drop(slot);
            });
        }
        Ok(if found == limit { Next::Again } else { Next::Within(env.config.poll_interval) })
    }
}

/// The tasks of the runs that are being driven; they are aborted when this is dropped.
#[derive(Default)]
struct Runs {
    tasks: TaskTracker,
    abort: AbortOnDrop,
}

#[derive(Default)]
struct AbortOnDrop(tokio_util::sync::CancellationToken);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl Runs {
    fn spawn(&self, run: impl Future<Output = ()> + Send + 'static) {
        let aborted = self.abort.0.clone();
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
    async fn drain(&self, grace: std::time::Duration) {
        self.tasks.close();
        let _ = tokio::time::timeout(grace, self.tasks.wait()).await;
    }
}
