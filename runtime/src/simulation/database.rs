use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::lab::Lab;
use crate::step::{Connection, Database};
use crate::store::Store;
use crate::transaction::is_conflict;

/// Where transactions begin.
pub(super) struct Transactions {
    pub(super) store: Arc<dyn Store>,
    pub(super) lab: Lab,
}

#[async_trait]
impl Database for Transactions {
    async fn begin(&self) -> Connection {
        let _open = self.lab.transacts();
        Box::new(self.store.begin_transaction().await.expect("the store answers"))
    }

    fn limit(&self) -> Option<Duration> {
        self.store.has_one_writer().then_some(Duration::from_secs(2))
    }

    fn conflicts(&self, error: &(dyn Error + 'static)) -> bool {
        is_conflict(error)
    }
}
