use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::{Postgres, Sqlite, Transaction};
use tokio::sync::OwnedSemaphorePermit;

use crate::journal::ErrorRecord;

/// A transaction, on whichever database it is.
pub(crate) enum Connection {
    Postgres(Transaction<'static, Postgres>),
    /// With its turn: the next may begin when that is dropped.
    Sqlite(Transaction<'static, Sqlite>, Option<OwnedSemaphorePermit>),
    /// None at all: for the machine's own tests.
    #[cfg(test)]
    Pretended,
}

/// Where transactions begin.
#[async_trait]
pub(crate) trait Database: Send + Sync {
    /// Begins one. It waits as long as there is no connection to be had.
    async fn begin(&self) -> Connection;

    /// How long one may take, where nobody else can write before it ends: not even the other branches
    /// of its run.
    fn limit(&self) -> Option<Duration>;
}

/// A step's transaction on its way from its closure to its checkpoint: dropping it rolls it back.
#[derive(Clone, Default)]
pub(crate) struct Open(Arc<Mutex<Place>>);

#[derive(Default)]
struct Place {
    connection: Option<Connection>,
    /// Whether one has begun since it was last asked.
    has_begun: bool,
}

impl Open {
    fn lock(&self) -> MutexGuard<'_, Place> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// A transaction has begun.
    pub(crate) fn begin(&self) {
        self.lock().has_begun = true;
    }

    /// Whether a transaction has begun since this was last asked.
    pub(crate) fn has_begun(&self) -> bool {
        std::mem::take(&mut self.lock().has_begun)
    }

    /// The transaction, if its closure has given it back.
    pub(crate) fn take(&self) -> Option<Connection> {
        self.lock().connection.take()
    }

    /// Its closure gives it back, if it has it still.
    pub(crate) fn give_back(&self, connection: Option<Connection>) {
        self.lock().connection = connection;
    }

    pub(crate) fn is_given_back(&self) -> bool {
        self.lock().connection.is_some()
    }
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Open")
    }
}

impl PartialEq for Open {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// Why nothing is left of a transaction whose closure had ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rollback {
    /// By no fault of its own: another was in its way, or the database went away.
    Undeserved(ErrorRecord),
    /// The database refused to commit it.
    Deserved(ErrorRecord),
}

/// By Postgres' appendix "Error Codes": a serialisation failure or a deadlock. SQLite has but one
/// writer.
pub(crate) fn conflicts(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    matches!(code.as_deref(), Some("40001" | "40P01"))
}
