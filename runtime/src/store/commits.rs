//! What workers commit, and what they are told of the runs that they drive.

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use super::StoreError;
use crate::id::WorkerId;
use crate::journal::{Message, RunCommit, RunId};
use crate::step::Rollback;
use crate::transaction::Connection;

/// What a worker does with the runs that it holds.
#[async_trait]
pub(crate) trait Commits: Send + Sync {
    /// Commits a batch for a worker: all of it, but for the runs that it no longer holds.
    ///
    /// With a row that ends or abandons a wait the wait is removed, with [`Change::Invoke`] the
    /// child is started, with a run's end its waits and its inbox are removed. After the commit, in a
    /// new snapshot, new waits look for events that the app has routed already and that count for
    /// them (accepted after the run's trigger, or after the wait itself; not the trigger; not one
    /// that the run has in its inbox or has taken), and parked runs that have messages are made
    /// ready: those that were parked in this batch and those that it sends messages to.
    ///
    /// [`Change::Invoke`]: crate::journal::Change::Invoke
    ///
    /// Its rows carry `commit`. If the reply is lost, [`landed_commits`](Self::landed_commits) tells whether the
    /// batch was committed.
    ///
    /// # Errors
    ///
    /// [`StoreError::LeaseLost`] if the worker's lease was taken over; [`StoreError::Refused`] if
    /// the database does not accept a row; [`StoreError::Unavailable`] if it is not known whether
    /// the batch was committed. In the first two cases nothing was written.
    async fn flush_commits(
        &self,
        worker: WorkerId,
        commit: Uuid,
        batch: &[RunCommit],
    ) -> Result<Flushed, StoreError>;

    /// What became of a flush whose reply was lost: `None` if nothing carries its id. Then the batch is
    /// sent again as it was; should the first sending still be under way somewhere, one of the two is
    /// committed. A commit without rows that leaves its run with the worker leaves no trace.
    async fn landed_commits(
        &self,
        commit: Uuid,
        batch: &[RunCommit],
    ) -> Result<Option<Flushed>, StoreError>;

    /// Whether nobody else can write while a transaction is open.
    fn has_one_writer(&self) -> bool;

    /// Begins a transaction of the user's.
    async fn begin_transaction(&self) -> Result<Connection, StoreError>;

    /// Commits the outcome of a step as the last statement of its transaction. Its one row carries
    /// `commit`.
    ///
    /// # Errors
    ///
    /// [`StoreError::LeaseLost`] and [`StoreError::Refused`] as in [`flush_commits`](Self::flush_commits): nothing was
    /// written. [`StoreError::Unavailable`] if it is not known whether the transaction was committed;
    /// [`concluded_transaction`](Self::concluded_transaction) tells.
    async fn conclude_transaction(
        &self,
        transaction: Connection,
        worker: WorkerId,
        commit: Uuid,
        run: &RunCommit,
    ) -> Result<Concluded, StoreError>;

    /// What became of a transaction whose reply was lost, once it is over: `None` if it was rolled back
    /// or the run is another worker's.
    async fn concluded_transaction(
        &self,
        commit: Uuid,
        run: &RunCommit,
    ) -> Result<Option<Flushed>, StoreError>;

    /// What lies in the inboxes of the runs that a worker holds, oldest first.
    async fn messages(&self, worker: WorkerId) -> Result<Vec<(RunId, Message)>, StoreError>;
}

/// A batch that was committed.
#[derive(Debug, Clone)]
pub(crate) struct Flushed {
    /// The database's time of the commit: that of every row in it.
    pub(crate) at: Timestamp,
    /// The runs of the batch that the worker no longer held; nothing of theirs was written.
    pub(crate) evicted: Vec<RunId>,
}

/// What became of a step's transaction.
#[derive(Debug)]
pub(crate) enum Concluded {
    /// It is committed, unless its run was evicted.
    Committed(Flushed),
    /// Nothing of it is.
    RolledBack(Rollback),
}
