//! What goes on when the async runtime does not: a thread of its own with a connection of its own
//! renews the lease, and says which run keeps a thread busy.
//!
//! A step that blocks its thread keeps everybody waiting whose futures are on that thread. If renewing
//! were among them, the lease would be lost, others would take the run over and block in turn.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::warn;

use super::outages::Outages;
use crate::id::WorkerId;
use crate::journal::RunId;
use crate::machine::InProgress;
use crate::store::{Renewals, StoreError};

/// A poll that takes longer keeps a thread from other runs.
const LONG: Duration = Duration::from_secs(1);

/// How often it is looked for such polls.
const LOOK: Duration = Duration::from_millis(250);

/// Whether the lease is still there.
#[derive(Debug, Clone, Copy)]
pub(super) enum Held {
    /// Until then, counted from before the database was asked.
    Until(Instant),
    /// Another worker has taken over.
    Lost,
}

/// Renews a lease as long as it is there.
pub(super) struct Watchdog {
    pub(super) held: watch::Receiver<Held>,
    _stopping: DropGuard,
}

impl Watchdog {
    /// Starts the thread. Nothing renews the lease if that cannot be done: it is lost then.
    pub(super) fn start(
        mut renewals: Box<dyn Renewals>,
        worker: WorkerId,
        lease: Duration,
        valid_until: Instant,
        outages: Arc<Outages>,
        polls: Arc<Polls>,
    ) -> Self {
        let (sender, held) = watch::channel(Held::Until(valid_until));
        let stopping = CancellationToken::new();
        let stopped = stopping.clone();
        let renew = async move {
            loop {
                sleep(lease / 4).await;
                let asked = Instant::now();
                let renewed = timeout(lease / 2, renewals.renew(worker, lease)).await;
                let held = match renewed {
                    Ok(Ok(())) => Held::Until(asked + lease),
                    Ok(Err(StoreError::LeaseLost)) => Held::Lost,
                    // Among them that the database is gone, which ends the worker.
                    Ok(Err(error)) => {
                        outages.outage(&error);
                        continue;
                    }
                    // It is tried anew, on another connection.
                    Err(_) => continue,
                };
                outages.answered();
                // Nobody listens any more when the life is over.
                let _ = sender.send(held);
                if matches!(held, Held::Lost) {
                    return;
                }
            }
        };
        let look = async move {
            loop {
                sleep(LOOK).await;
                polls.warn();
            }
        };
        let thread = std::thread::Builder::new().name("indelible-lease".to_owned());
        let started = thread.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let work = async { tokio::join!(renew, look) };
            match runtime {
                Ok(runtime) => drop(runtime.block_on(stopped.run_until_cancelled(work))),
                Err(error) => warn!(%error, "could not start the runtime that renews the lease"),
            }
        });
        if let Err(error) = started {
            warn!(%error, "could not start the thread that renews the lease");
        }
        Self { held, _stopping: stopping.drop_guard() }
    }
}

/// The polls that are going on.
pub(crate) struct Polls {
    begun: Instant,
    runs: Mutex<HashMap<RunId, Arc<Polled>>>,
}

impl Default for Polls {
    fn default() -> Self {
        Self { begun: Instant::now(), runs: Mutex::default() }
    }
}

struct Polled {
    workflow: String,
    in_progress: InProgress,
    /// When the poll that is going on began, in milliseconds; 0 if none is.
    since: AtomicU64,
    /// The one that was last warned of.
    warned: AtomicU64,
}

impl Polls {
    /// Begins to watch over a run, until that is dropped.
    pub(crate) fn watch(
        self: &Arc<Self>,
        run: RunId,
        workflow: &str,
        in_progress: InProgress,
    ) -> Watched {
        let polled = Arc::new(Polled {
            workflow: workflow.to_owned(),
            in_progress,
            since: AtomicU64::new(0),
            warned: AtomicU64::new(0),
        });
        self.runs().insert(run, polled.clone());
        Watched { polls: self.clone(), run, polled }
    }

    /// Warns of each poll that has taken long, once.
    fn warn(&self) {
        let now = self.now();
        for (run, polled) in &*self.runs() {
            let since = polled.since.load(Ordering::Relaxed);
            let took = Duration::from_millis(now.saturating_sub(since));
            if since == 0 || took < LONG || polled.warned.swap(since, Ordering::Relaxed) == since {
                continue;
            }
            let step = polled.in_progress.steps();
            warn!(
                %run, workflow = polled.workflow, step, ?took,
                "this run keeps a thread busy, so other runs wait; put code that blocks, or computes for \
                 long, into `tokio::task::spawn_blocking`, and await that in the step"
            );
        }
    }

    /// Never 0.
    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1
    }

    fn runs(&self) -> std::sync::MutexGuard<'_, HashMap<RunId, Arc<Polled>>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A run whose polls are watched over.
pub(crate) struct Watched {
    polls: Arc<Polls>,
    run: RunId,
    polled: Arc<Polled>,
}

impl Watched {
    /// Does one poll.
    pub(crate) fn poll<T>(&self, poll: impl FnOnce() -> T) -> T {
        self.polled.since.store(self.polls.now(), Ordering::Relaxed);
        let polled = poll();
        self.polled.since.store(0, Ordering::Relaxed);
        polled
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let mut runs = self.polls.runs();
        // It may have been taken up again before this one was done.
        if runs.get(&self.run).is_some_and(|polled| Arc::ptr_eq(polled, &self.polled)) {
            runs.remove(&self.run);
        }
    }
}
