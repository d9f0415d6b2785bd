use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::SetOnce;
use tracing::{error, info, warn};

use crate::store::StoreError;

/// Says when the database goes away and when it is there again, once each; and whether it is gone for
/// good.
#[derive(Default)]
pub(crate) struct Outages {
    /// Whether the database was away when it was last asked.
    away: AtomicBool,
    /// Why it does not come back, if so.
    gone: SetOnce<String>,
}

impl Outages {
    /// The database did not do what it was asked. That it is away is said once, until it answers
    /// again.
    pub(crate) fn outage(&self, error: &StoreError) {
        match error {
            StoreError::Unavailable(_) => {}
            StoreError::Conflict(_) => {
                return warn!(%error, "other transactions were in the way of this worker; it tries again");
            }
            StoreError::Gone(why) => {
                if self.gone.set(why.clone()).is_ok() {
                    error!("{why}");
                }
                return;
            }
            _ => return error!(%error, "the store could not do what this worker asked for"),
        }
        if !self.away.swap(true, Ordering::Relaxed) {
            warn!(%error, "the database does not answer; runs wait, and nothing is lost");
        }
    }

    /// Returns once the database is gone for good, with the error that everybody gets from then on.
    pub(crate) async fn gone(&self) -> StoreError {
        StoreError::Gone(self.gone.wait().await.clone())
    }

    /// The database has answered.
    pub(crate) fn answered(&self) {
        if self.away.load(Ordering::Relaxed) && self.away.swap(false, Ordering::Relaxed) {
            info!("the database answers again");
        }
    }
}
