use std::sync::atomic::{AtomicBool, Ordering};

use tracing::{error, info, warn};

use crate::store::StoreError;

/// Says when the database goes away and when it is there again, once each.
#[derive(Default)]
pub(crate) struct Outages {
    /// Whether the database was away when it was last asked.
    away: AtomicBool,
}

impl Outages {
    /// The database did not do what it was asked. That it is away is said once, until it answers
    /// again.
    pub(crate) fn outage(&self, error: &StoreError) {
        match error {
            StoreError::Unavailable(_) => {}
            StoreError::Conflict(_) => return warn!(%error, "the worker asks again"),
            _ => return error!(%error, "the store did not do what the worker asked of it"),
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
