use std::any::Any;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;

use crate::journal::ErrorRecord;

/// A transaction that has begun: only the database that began it knows what it is. Dropping it rolls it
/// back.
pub type Connection = Box<dyn Any + Send + Sync>;

/// Where transactions begin.
#[async_trait]
pub trait Database: Send + Sync {
    /// Begins one. It waits as long as there is no connection to be had.
    async fn begin(&self) -> Connection;

    /// How long one may take, where nobody else can write before it ends: not even the other branches
    /// of its run.
    fn limit(&self) -> Option<Duration>;

    /// Whether an error says that another transaction was in the way, and nothing else is wrong.
    fn conflicts(&self, error: &(dyn Error + 'static)) -> bool;
}

/// A step's transaction on its way from its closure to its checkpoint: dropping it rolls it back.
#[derive(Clone, Default)]
pub struct Open(Arc<Mutex<Place>>);

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

    /// A transaction has begun, and its closure gets it.
    pub(crate) fn lend(self, connection: Connection) -> Lending {
        self.lock().has_begun = true;
        Lending { open: self, connection: Some(connection) }
    }

    /// Whether a transaction has begun since this was last asked.
    pub(crate) fn has_begun(&self) -> bool {
        std::mem::take(&mut self.lock().has_begun)
    }

    /// The transaction, if its closure has given it back. Its taker knows its type.
    pub fn take<T: 'static>(&self) -> Option<T> {
        let connection = self.lock().connection.take();
        connection?.downcast().ok().map(|connection| *connection)
    }

    /// Nothing of it is to be committed.
    pub(crate) fn roll_back(&self) {
        let connection = self.lock().connection.take();
        drop(connection);
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

/// A transaction while its closure has it. Dropping it gives it back.
pub struct Lending {
    open: Open,
    connection: Option<Connection>,
}

impl Lending {
    /// The transaction itself, if it is one of this type.
    pub fn get_mut<T: 'static>(&mut self) -> Option<&mut T> {
        self.connection.as_mut()?.downcast_mut()
    }
}

impl Drop for Lending {
    fn drop(&mut self) {
        self.open.lock().connection = self.connection.take();
    }
}

/// Why nothing is left of a transaction whose closure had ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rollback {
    /// By no fault of its own: another was in its way, or the database went away.
    Undeserved(ErrorRecord),
    /// The database refused to commit it.
    Deserved(ErrorRecord),
}
