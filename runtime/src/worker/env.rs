use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::outages::Outages;
use super::watchdog::Polls;
use crate::program::{Lent, Program};
use crate::store::Store;
use crate::store::hints::Hints;

/// How a worker behaves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WorkerConfig {
    /// How many runs it drives at once.
    pub(crate) max_active_runs: usize,
    /// How long its runs stay its own without a sign of life; see [`Store::join`].
    pub(crate) lease: Duration,
    /// How long work may go unnoticed when no hint of it arrives.
    pub(crate) poll_interval: Duration,
    /// How long steps in progress may go on when it is asked to stop.
    pub(crate) grace: Duration,
}

impl WorkerConfig {
    pub(crate) const DEFAULT: Self = Self {
        max_active_runs: 500,
        lease: Duration::from_secs(10),
        poll_interval: Duration::from_secs(1),
        grace: Duration::from_secs(20),
    };
}

/// What all services of a worker share.
pub(crate) struct Env {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) program: Arc<Program>,
    pub(crate) resources: Lent,
    pub(crate) outages: Arc<Outages>,
    pub(crate) polls: Arc<Polls>,
    pub(crate) config: WorkerConfig,
    /// Set when the process is asked to stop.
    pub(crate) stopping: CancellationToken,
    /// Set when it is asked again: the grace period is over.
    pub(crate) hurrying: CancellationToken,
}

impl Env {
    pub(super) fn hints(&self) -> &Hints {
        self.store.hints()
    }
}
