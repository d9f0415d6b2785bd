use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::sleep;
use uuid::Uuid;

use super::Env;
use super::clock::DatabaseClock;
use super::committer::{Commitment, RETRY};
use super::outages::Outages;
use crate::id::WorkerId;
use crate::journal::{ErrorKind, ErrorRecord, RunCommit};
use crate::step::{self, Database, Rollback};
use crate::store::{Commits, Concluded, StoreError};
use crate::transaction::{Connection, is_conflict};

/// How long a transaction may take where it keeps everybody else from writing.
const LIMIT: Duration = Duration::from_secs(2);

/// Where the transactions of a worker's runs begin: in its store.
pub(crate) struct StoreTransactions {
    store: Arc<dyn Commits>,
    outages: Arc<Outages>,
}

impl StoreTransactions {
    pub(crate) fn new(store: Arc<dyn Commits>, outages: Arc<Outages>) -> Self {
        Self { store, outages }
    }
}

#[async_trait]
impl Database for StoreTransactions {
    async fn begin(&self) -> step::Connection {
        let mut wait = RETRY.0;
        loop {
            match self.store.begin_transaction().await {
                Ok(connection) => return Box::new(connection),
                Err(error) => self.outages.outage(&error),
            }
            sleep(wait).await;
            wait = (wait * 2).min(RETRY.1);
        }
    }

    fn limit(&self) -> Option<Duration> {
        self.store.has_one_writer().then_some(LIMIT)
    }

    fn conflicts(&self, error: &(dyn Error + 'static)) -> bool {
        is_conflict(error)
    }
}

/// Commits the outcomes of transactions under one lease, each on the connection of its transaction.
#[derive(Clone)]
pub(crate) struct Transactions {
    pub(crate) env: Arc<Env>,
    pub(crate) worker: WorkerId,
    pub(crate) clock: Arc<DatabaseClock>,
}

impl Transactions {
    /// Commits one; `None` if the lease is lost.
    pub(crate) async fn commit(self, open: Connection, run: RunCommit) -> Option<Commitment> {
        let id = Uuid::now_v7();
        let Self { env, worker, clock } = self;
        let concluded = match env.store.conclude_transaction(open, worker, id, &run).await {
            Err(error @ (StoreError::Unavailable(_) | StoreError::Conflict(_))) => {
                env.outages.outage(&error);
                found(&env, id, &run, &error).await
            }
            concluded => concluded,
        };
        match concluded {
            Ok(Concluded::Committed(flushed)) => {
                clock.observe(flushed.at);
                env.outages.answered();
                Some(match flushed.evicted.is_empty() {
                    true => Commitment::Committed(flushed.at),
                    false => Commitment::Evicted,
                })
            }
            Ok(Concluded::RolledBack(rollback)) => Some(Commitment::RolledBack(rollback)),
            Err(StoreError::Refused(error)) => Some(Commitment::Refused(error.to_string())),
            Err(StoreError::Corrupt(reason) | StoreError::OtherDatabase(reason)) => {
                Some(Commitment::Refused(reason))
            }
            Err(
                StoreError::LeaseLost
                | StoreError::Closed
                | StoreError::Gone(_)
                | StoreError::Unavailable(_)
                | StoreError::Conflict(_),
            ) => None,
        }
    }
}

/// Finds out what became of a transaction whose reply was lost.
async fn found(
    env: &Env,
    id: Uuid,
    run: &RunCommit,
    lost: &StoreError,
) -> Result<Concluded, StoreError> {
    let mut wait = RETRY.0;
    loop {
        match env.store.concluded_transaction(id, run).await {
            Ok(Some(flushed)) => return Ok(Concluded::Committed(flushed)),
            Ok(None) => {
                let record = ErrorRecord::of(ErrorKind::Error, lost);
                return Ok(Concluded::RolledBack(Rollback::Undeserved(record)));
            }
            Err(error @ (StoreError::Unavailable(_) | StoreError::Conflict(_))) => {
                env.outages.outage(&error)
            }
            Err(error) => return Err(error),
        }
        sleep(wait).await;
        wait = (wait * 2).min(RETRY.1);
    }
}
