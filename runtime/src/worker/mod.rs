//! What drives machines: a worker claims runs, polls their machines, commits what they ask for, and
//! keeps the lease that gives it the right to. Each service is one file with one clean stop.
//!
//! A worker has *lives*. A life is one lease: when it is lost, everything that ran under it is
//! aborted, and the worker begins another.

mod batches;
mod claimer;
mod clock;
mod committer;
mod driver;
mod env;
mod gates;
mod inbox;
mod later;
mod lease;
mod log;
mod lookout;
mod outages;
mod pauses;
mod quarantine;
mod router;
mod schedules;
mod sweeper;
mod timers;
mod transactions;
mod unsettled;
mod watchdog;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{error, info, warn};

pub(crate) use self::env::{Env, WorkerConfig};
pub(crate) use self::outages::Outages;
pub(crate) use self::transactions::StoreTransactions;

use self::claimer::Runs;
use self::clock::DatabaseClock;
use self::driver::Driver;
use self::inbox::Inboxes;
use self::lease::Lease;
use self::transactions::Transactions;
use crate::id::WorkerId;
use crate::store::StoreError;

/// A running worker.
pub(crate) struct Worker {
    /// Stops the worker when this is dropped.
    stopping: DropGuard,
    hurrying: CancellationToken,
    outages: Arc<Outages>,
    lives: JoinHandle<()>,
}

impl Worker {
    /// Starts a worker. Its first lease is taken before this returns, so that a database that does
    /// not answer is noticed by the caller.
    pub(crate) async fn start(env: Env) -> Result<Self, StoreError> {
        let env = Arc::new(env);
        env.store.listen(env.program.app, env.config.poll_interval).await;
        let lease = Lease::take(&env).await?;
        let (stopping, hurrying) = (env.stopping.clone().drop_guard(), env.hurrying.clone());
        let outages = env.outages.clone();
        let lives = tokio::spawn(live(env, lease));
        Ok(Self { stopping, hurrying, outages, lives })
    }

    /// What ends the grace period, once the worker is being stopped.
    pub(crate) fn hurrying(&self) -> CancellationToken {
        self.hurrying.clone()
    }

    /// Returns if the worker drives nothing any more as its database is gone.
    pub(crate) async fn failed(&self) -> StoreError {
        self.outages.gone().await
    }

    /// Claims nothing more, lets steps in progress end within the grace period, and gives back what
    /// is left.
    pub(crate) async fn stop(self) {
        drop(self.stopping);
        if let Err(panic) = self.lives.await {
            error!(%panic, "the worker ended with a panic");
        }
    }
}

/// Lives one life after the other until the worker is stopped, or its database is gone.
async fn live(env: Arc<Env>, first: Lease) {
    let mut lease = first;
    loop {
        let worker = lease.worker();
        let over = live_once(&env, lease).await;
        leave(&env, worker, over).await;
        if env.stopping.is_cancelled() || matches!(over, Over::Gone) {
            return;
        }
        warn!(%worker, "the lease was lost; the worker takes runs up again under a new one");
        let Some(next) = Lease::take_when_possible(&env).await else { return };
        lease = next;
    }
}

/// One life: ends when its lease is lost, when the worker is stopped and its runs have left, or when
/// the database is gone.
async fn live_once(env: &Arc<Env>, lease: Lease) -> Over {
    let worker = lease.worker();
    let clock = Arc::new(DatabaseClock::default());
    // Every task below is aborted when the set is dropped.
    let mut services = JoinSet::new();
    let (committer, committing) = committer::start(env.clone(), worker, clock.clone());
    let mut committing = Box::pin(committing);
    services.spawn(router::route(env.clone(), worker));
    services.spawn(timers::wake(env.clone()));
    services.spawn(later::accept(env.clone()));
    services.spawn(gates::open(env.clone()));
    services.spawn(unsettled::settle(env.clone()));
    services.spawn(sweeper::sweep(env.clone()));
    services.spawn(schedules::fire(env.clone()));
    services.spawn(batches::complete(env.clone(), worker));
    services.spawn(lease::take_over(env.clone()));
    let inboxes = Arc::new(Inboxes::default());
    services.spawn(inbox::tell(env.clone(), worker, inboxes.clone()));
    let transactions = Transactions { env: env.clone(), worker, clock: clock.clone() };
    let (pausing, paused) = watch::channel(BTreeSet::new());
    services.spawn(pauses::follow(env.clone(), pausing));
    let quiet = Arc::default();
    let driver =
        Driver { env: env.clone(), clock, committer, transactions, inboxes, paused, quiet };
    let runs = Runs::default();
    let mut claiming = Box::pin(claimer::claim(driver, worker, runs.clone()));
    let over = tokio::select! {
        _ = env.outages.gone() => Over::Gone,
        () = lease.keep(env) => Over::Lost,
        () = &mut committing => Over::Lost,
        () = &mut claiming => {
            info!(%worker, "all runs have left the worker");
            Over::Stopped
        }
        Some(ended) = services.join_next() => {
            error!(?ended, "a service of the worker has ended");
            Over::Stopped
        }
    };
    runs.abort().await;
    over
}

/// How a life ended.
#[derive(Clone, Copy)]
enum Over {
    /// It was asked to.
    Stopped,
    /// Its lease was lost, maybe as one of its runs has blocked it.
    Lost,
    /// So is its database.
    Gone,
}

/// Gives back what a life still held. Others take over by themselves if the database does not answer.
async fn leave(env: &Env, worker: WorkerId, over: Over) {
    const PATIENCE: Duration = Duration::from_secs(2);
    let leaving = async {
        match over {
            Over::Stopped => env.store.end_lease(worker).await,
            Over::Lost | Over::Gone => env.store.forfeit_lease(worker, &quarantine::judge).await,
        }
    };
    match timeout(PATIENCE, leaving).await {
        Ok(Ok(()) | Err(StoreError::Gone(_))) => {}
        Ok(Err(error)) => {
            warn!(%worker, %error, "could not give back the lease; other workers take the runs over when it runs out");
        }
        Err(_) => {
            warn!(%worker, "could not give back the lease in time; other workers take the runs over when it runs out");
        }
    }
}
