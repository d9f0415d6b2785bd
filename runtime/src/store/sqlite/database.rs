use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};
use tokio::sync::{OnceCell, Semaphore};
use tokio::task::AbortHandle;

use super::file::DatabaseFile;
use super::gates;
use super::life::Lives;
use crate::store::StoreError;
use crate::store::hints::{Hints, Stirred};
use crate::store::unheard::Unheard;

/// The store on one file.
pub(in crate::store) struct SqliteStore {
    pub(super) file: Arc<DatabaseFile>,
    /// Has one connection.
    pub(super) writer: SqlitePool,
    pub(super) readers: SqlitePool,
    /// The turn of the user's transactions: one at a time waits for the writer, so that they do not
    /// keep it from the store's own work.
    pub(super) turn: Arc<Semaphore>,
    pub(super) lives: Lives,
    pub(super) hints: Arc<Hints>,
    pub(super) listening: Listening,
    pub(super) unheard: Unheard,
}

/// A transaction that tells what it has stirred.
pub(super) struct Write {
    tx: Transaction<'static, Sqlite>,
    file: Arc<DatabaseFile>,
    hints: Arc<Hints>,
}

impl Write {
    pub(super) async fn commit(self, stirred: Stirred) -> Result<(), StoreError> {
        self.file.check()?;
        self.tx.commit().await?;
        self.hints.stir(gates::asked(stirred));
        Ok(())
    }

    pub(super) async fn rollback(self) -> Result<(), StoreError> {
        Ok(self.tx.rollback().await?)
    }
}

impl Deref for Write {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.tx
    }
}

impl DerefMut for Write {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.tx
    }
}

impl SqliteStore {
    pub(super) async fn write(&self) -> Result<Write, StoreError> {
        let tx = self.begin_immediate().await?;
        Ok(Write { tx, file: self.file.clone(), hints: self.hints.clone() })
    }

    pub(super) async fn begin_immediate(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        let begun = self.writer.begin_with("BEGIN IMMEDIATE").await;
        // Only now: it may have waited long for its turn.
        self.file.check()?;
        Ok(begun?)
    }

    pub(super) fn readers(&self) -> Result<&SqlitePool, StoreError> {
        self.file.check()?;
        Ok(&self.readers)
    }
}

/// What listens to other processes, once it was asked to, as long as the store is there.
#[derive(Default)]
pub(super) struct Listening(pub(super) OnceCell<AbortHandle>);

impl Drop for Listening {
    fn drop(&mut self) {
        if let Some(task) = self.0.get() {
            task.abort();
        }
    }
}
