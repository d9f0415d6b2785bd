use std::slice;

use async_trait::async_trait;
use uuid::Uuid;

use super::database::again;
use super::{PostgresStore, flush, inbox, transaction};
use crate::id::WorkerId;
use crate::journal::{Message, RunId};
use crate::machine::RunCommit;
use crate::step::Connection;
use crate::store::{Commits, Concluded, Flushed, StoreError};

#[async_trait]
impl Commits for PostgresStore {
    async fn flush_commits(
        &self,
        worker: WorkerId,
        commit: Uuid,
        batch: &[RunCommit],
    ) -> Result<Flushed, StoreError> {
        again(|| flush::flush(&self.database, worker, commit, batch)).await
    }

    async fn landed_commits(
        &self,
        commit: Uuid,
        batch: &[RunCommit],
    ) -> Result<Option<Flushed>, StoreError> {
        flush::landed(&self.database, commit, batch).await
    }

    fn has_one_writer(&self) -> bool {
        false
    }

    async fn begin_transaction(&self) -> Result<Connection, StoreError> {
        transaction::begin(&self.lent, self.database.reach()).await
    }

    async fn conclude_transaction(
        &self,
        transaction: Connection,
        worker: WorkerId,
        commit: Uuid,
        run: &RunCommit,
    ) -> Result<Concluded, StoreError> {
        let Connection::Postgres(tx) = transaction else {
            unreachable!("it was begun in this store");
        };
        transaction::conclude(&self.database, tx, worker, commit, run).await
    }

    async fn concluded_transaction(
        &self,
        commit: Uuid,
        run: &RunCommit,
    ) -> Result<Option<Flushed>, StoreError> {
        transaction::end(&self.database, run.run).await?;
        flush::landed(&self.database, commit, slice::from_ref(run)).await
    }

    async fn messages(&self, worker: WorkerId) -> Result<Vec<(RunId, Message)>, StoreError> {
        inbox::messages(&self.database, worker).await
    }
}
