use std::slice;

use async_trait::async_trait;
use uuid::Uuid;

use super::database::SqliteStore;
use super::{flush, inbox, transaction};
use crate::id::WorkerId;
use crate::journal::{Message, RunId};
use crate::machine::RunCommit;
use crate::step::Connection;
use crate::store::{Commits, Concluded, Flushed, StoreError};

#[async_trait]
impl Commits for SqliteStore {
    async fn flush_commits(
        &self,
        worker: WorkerId,
        commit: Uuid,
        batch: &[RunCommit],
    ) -> Result<Flushed, StoreError> {
        flush::flush(self, worker, commit, batch).await
    }

    async fn landed_commits(
        &self,
        commit: Uuid,
        batch: &[RunCommit],
    ) -> Result<Option<Flushed>, StoreError> {
        flush::landed(self, commit, batch).await
    }

    fn has_one_writer(&self) -> bool {
        true
    }

    async fn begin_transaction(&self) -> Result<Connection, StoreError> {
        transaction::begin(self).await
    }

    async fn conclude_transaction(
        &self,
        transaction: Connection,
        worker: WorkerId,
        commit: Uuid,
        run: &RunCommit,
    ) -> Result<Concluded, StoreError> {
        let Connection::Sqlite(tx, turn) = transaction else {
            unreachable!("it was begun in this store");
        };
        let concluded = transaction::conclude(self, tx, worker, commit, run).await;
        drop(turn);
        concluded
    }

    async fn concluded_transaction(
        &self,
        commit: Uuid,
        run: &RunCommit,
    ) -> Result<Option<Flushed>, StoreError> {
        flush::landed(self, commit, slice::from_ref(run)).await
    }

    async fn messages(&self, worker: WorkerId) -> Result<Vec<(RunId, Message)>, StoreError> {
        inbox::messages(self, worker).await
    }
}
