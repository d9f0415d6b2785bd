use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Notify, broadcast};
use tracing::{error, info, warn};

use crate::journal::RunId;
use crate::store::StoreError;

/// How the parts of one process wake one another. Every signal is a hint; polling stands behind it.
pub(crate) struct Signals {
    /// Runs may be ready.
    pub(crate) ready: Notify,
    /// Deliveries may be waiting.
    pub(crate) deliveries: Notify,
    /// Messages to runs of this worker may have come.
    pub(crate) messages: Notify,
    /// A workflow may have been paused or resumed.
    pub(crate) pauses: Notify,
    /// A timer may be due earlier than was known.
    pub(crate) timers: Notify,
    /// A batch may be due earlier than was known.
    pub(crate) batches: Notify,
    /// Other processes are to be told that there is work.
    pub(crate) announcement: Notify,
    /// Runs that have ended.
    ended: broadcast::Sender<RunId>,
    /// Whether the database was away when it was last asked.
    away: AtomicBool,
}

impl Default for Signals {
    fn default() -> Self {
        Self {
            ready: Notify::new(),
            deliveries: Notify::new(),
            messages: Notify::new(),
            pauses: Notify::new(),
            timers: Notify::new(),
            batches: Notify::new(),
            announcement: Notify::new(),
            ended: broadcast::channel(1024).0,
            away: AtomicBool::new(false),
        }
    }
}

impl Signals {
    /// There is work for this app, here or elsewhere.
    pub(crate) fn announce(&self) {
        self.heard();
        self.announcement.notify_one();
    }

    /// Another process says that there is work.
    pub(crate) fn heard(&self) {
        self.ready.notify_one();
        self.deliveries.notify_one();
        self.messages.notify_one();
        self.pauses.notify_one();
    }

    /// A run has ended.
    pub(crate) fn ended(&self, run: RunId) {
        // Nobody may be waiting for it.
        let _ = self.ended.send(run);
    }

    /// Hears of the runs that end from now on.
    pub(crate) fn listen_for_ends(&self) -> broadcast::Receiver<RunId> {
        self.ended.subscribe()
    }

    /// The database did not do what it was asked. That it is away is said once, until it answers
    /// again.
    pub(crate) fn outage(&self, error: &StoreError) {
        if !matches!(error, StoreError::Unavailable(_)) {
            return error!(%error, "the store did not do what the worker asked of it");
        }
        if !self.away.swap(true, Ordering::Relaxed) {
            warn!(%error, "the database does not answer: runs wait, nothing is lost");
        }
    }

    /// The database has answered.
    pub(crate) fn answered(&self) {
        if self.away.load(Ordering::Relaxed) && self.away.swap(false, Ordering::Relaxed) {
            info!("the database answers again");
        }
    }
}
