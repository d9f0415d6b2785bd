use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use tracing::{info, warn};

use super::Env;
use super::quarantine::judge;
use super::watchdog::{Held, Watchdog};
use crate::id::WorkerId;
use crate::store::{StoreError, Worker};

/// The right to drive runs, for as long as it is renewed.
pub(crate) struct Lease {
    worker: WorkerId,
    /// It is good until then, counted from before the database was asked.
    valid_until: Instant,
}

impl Lease {
    /// Takes a new lease.
    pub(crate) async fn take(env: &Env) -> Result<Self, StoreError> {
        let worker = Worker {
            id: WorkerId::new(),
            app: env.program.app.to_owned(),
            host: gethostname::gethostname().to_string_lossy().into_owned(),
            pid: std::process::id(),
            drives: env.program.drives.clone(),
            registration: env.program.registration.clone(),
        };
        let asked = env.store.begin_lease(&worker, env.config.lease).await?;
        info!(worker = %worker.id, store = env.store.name(), "the worker has joined");
        Ok(Self { worker: worker.id, valid_until: asked + env.config.lease })
    }

    /// Takes a new lease as soon as the database lets it; `None` if the worker is stopped meanwhile, or
    /// the database is gone.
    pub(crate) async fn take_when_possible(env: &Env) -> Option<Self> {
        loop {
            match Self::take(env).await {
                Ok(lease) => {
                    env.outages.answered();
                    return Some(lease);
                }
                Err(error) => env.outages.outage(&error),
            }
            tokio::select! {
                () = sleep(env.config.poll_interval) => {}
                () = env.stopping.cancelled() => return None,
                _ = env.outages.gone() => return None,
            }
        }
    }

    pub(crate) fn worker(&self) -> WorkerId {
        self.worker
    }

    /// Keeps the lease until it is lost. It counts as lost somewhat before it may run out by this
    /// process's clock, so that nothing runs under a lease that another worker may have ended.
    pub(crate) async fn keep(self, env: &Env) {
        let lease = env.config.lease;
        let margin = lease / 5;
        let (renewals, outages) = (env.store.renewals(), env.outages.clone());
        let polls = env.polls.clone();
        let mut watchdog =
            Watchdog::start(renewals, self.worker, lease, self.valid_until, outages, polls);
        loop {
            let held = *watchdog.held.borrow_and_update();
            let Held::Until(valid_until) = held else { return };
            let lost = tokio::select! {
                () = sleep_until(valid_until - margin) => true,
                changed = watchdog.held.changed() => changed.is_err(),
            };
            // What was renewed while this runtime was blocked counts.
            if lost && !watchdog.held.has_changed().unwrap_or(false) {
                warn!(worker = %self.worker, "the lease could not be renewed in time");
                return;
            }
        }
    }
}

/// Ends the lives of workers whose leases are over.
pub(crate) async fn take_over(env: Arc<Env>) {
    loop {
        match env.store.take_over_runs(&judge).await {
            Ok(0) => {}
            Ok(runs) => info!(runs, "took over the runs of a worker that is gone"),
            Err(error) => env.outages.outage(&error),
        }
        sleep((env.config.lease / 4).max(Duration::from_millis(100))).await;
    }
}
