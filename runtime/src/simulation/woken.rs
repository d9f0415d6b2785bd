use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;

use tokio::sync::Notify;

/// Whether a run is to be polled, and who waits for that.
#[derive(Default)]
pub(super) struct Woken(AtomicBool, Notify);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.set();
    }
}

impl Woken {
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
        self.1.notify_one();
    }

    /// Whether it was set; it is no longer.
    pub(super) fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Waits until it is set.
    pub(super) async fn wait(&self) {
        while !self.is_set() {
            self.1.notified().await;
        }
    }
}
