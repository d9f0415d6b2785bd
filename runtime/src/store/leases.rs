//! Workers and the runs that they hold.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::time::Instant;
use uuid::Uuid;

use super::StoreError;
use super::read::Columns;
use super::registry::Registration;
use crate::id::WorkerId;
use crate::journal::{Message, Origin, Row, RunId};
use crate::workflow::TriggerData;

/// A worker's life, and the runs that it is given.
#[async_trait]
pub(crate) trait Leases: Send + Sync {
    /// Registers a worker, and adds what is missing of what its program subscribes to and of its
    /// schedules, for which it may have to wait. Its lease runs out `lease` after the time that is given,
    /// or later.
    ///
    /// On Postgres a lease runs out by the database's clock if it is not renewed. On SQLite it lasts as
    /// long as the process keeps a file locked, whatever the time; so a process that has died loses it at
    /// once, and one that hangs does not. On both it ends with [`end_lease`](Self::end_lease) and
    /// [`forfeit_lease`](Self::forfeit_lease), also where these fail on SQLite.
    async fn begin_lease(&self, worker: &Worker, lease: Duration) -> Result<Instant, StoreError>;

    /// What renews leases on a connection of its own.
    fn renewals(&self) -> Box<dyn Renewals>;

    /// Ends a worker's life: what it still holds is ready again, and events that it could not
    /// tell what to make of are delivered again.
    async fn end_lease(&self, worker: WorkerId) -> Result<(), StoreError>;

    /// The same for a worker that has lost its lease while it drove runs: `judge` says what is held
    /// against them.
    async fn forfeit_lease(&self, worker: WorkerId, judge: Judge<'_>) -> Result<(), StoreError>;

    /// Ends the lives of workers whose leases have run out, as [`forfeit_lease`](Self::forfeit_lease)
    /// does. Gives how many runs they held.
    async fn take_over_runs(&self, judge: Judge<'_>) -> Result<u64, StoreError>;

    /// Gives a worker ready runs with their journals, in order of rank; none of a paused workflow, and
    /// of a pinned one none that was driven in another shape. They have the worker's shape from then on. A
    /// row that cannot be read concerns its own run only.
    ///
    /// # Errors
    ///
    /// [`StoreError::LeaseLost`] if the worker's lease was taken over.
    async fn claim_runs(&self, claim: Claim<'_>) -> Result<Claimed, StoreError>;

    /// The sizes of the cohorts that have suspects which are ready.
    async fn cohorts(&self, app: &str) -> Result<Vec<u32>, StoreError>;

    /// Gives back the runs that a worker holds and does not drive: a claim whose reply was lost has
    /// left them to it. Gives how many there were.
    async fn disown_runs(&self, worker: WorkerId, driven: &[RunId]) -> Result<u64, StoreError>;
}

/// Renews leases on a connection of its own, which is made in the async runtime that first uses it: so
/// it does not wait for another one that is blocked, nor for a transaction that is open in that one.
#[async_trait]
pub(crate) trait Renewals: Send {
    /// Renews a worker's lease. What is broken off is done on another connection the next time.
    ///
    /// # Errors
    ///
    /// [`StoreError::LeaseLost`] if another worker has taken over.
    async fn renew(&mut self, worker: WorkerId, lease: Duration) -> Result<(), StoreError>;
}

/// One life of a worker.
#[derive(Debug, Clone)]
pub(crate) struct Worker {
    pub(crate) id: WorkerId,
    pub(crate) app: String,
    pub(crate) host: String,
    pub(crate) pid: u32,
    pub(crate) drives: Vec<Driven>,
    /// What its program is: nobody forgets that while it lives.
    pub(crate) registration: Arc<Registration>,
}

/// A workflow that a program can drive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Driven {
    pub(crate) workflow: String,
    /// What its journals rest on.
    pub(crate) shape: Uuid,
    /// Whether it drives only runs that begin with it, or that were driven in this shape before.
    pub(crate) pinned: bool,
}

/// What a worker asks to drive.
#[derive(Debug, Clone)]
pub(crate) struct Claim<'a> {
    pub(crate) worker: WorkerId,
    pub(crate) app: &'a str,
    pub(crate) workflows: &'a [Driven],
    /// Only suspects of cohorts of this size; with 0 only runs that are none.
    pub(crate) cohort: u32,
    pub(crate) limit: usize,
}

/// What a worker was given.
#[derive(Debug)]
pub(crate) struct Claimed {
    /// The database's time of the claim.
    pub(crate) at: Timestamp,
    pub(crate) runs: Vec<ClaimedRun>,
    /// Whether there are suspects that are ready.
    pub(crate) has_suspects: bool,
}

/// A run that the claiming worker now holds, with its journal.
#[derive(Debug)]
pub(crate) struct ClaimedRun {
    pub(crate) workflow: String,
    /// Whether no worker has taken it up before.
    pub(crate) is_new: bool,
    pub(crate) origin: Origin,
    /// Whether a system event has set it off, through the run that started it.
    pub(crate) silent: bool,
    /// What waits in its inbox, oldest first.
    pub(crate) inbox: Vec<Message>,
    pub(crate) standing: Standing,
    /// The steps whose futures had begun when the last worker went down with it, if that is known.
    pub(crate) suspected: Option<String>,
    /// Why its journal or its inbox cannot be read, if so: then they are not whole.
    pub(crate) unreadable: Option<String>,
}

impl ClaimedRun {
    /// A run that was claimed at this time, before it has its journal and its inbox.
    pub(super) fn read(row: &impl Columns, at: Timestamp) -> Result<Self, StoreError> {
        let started_at = row.time("begun_at")?;
        let trigger = TriggerData {
            run: row.uuid("run_id")?,
            event: row.uuid_or_null("event_id")?,
            accepted_at: row.time("accepted_at")?,
            data: row.payload("input")?,
            trace: row.trace()?,
        };
        let origin = Origin {
            trigger,
            seed: row.uuid("seed")?,
            retries: row.number("retries")?,
            generation: row.number("generation")?,
            started_at,
            journal: Vec::new(),
        };
        Ok(Self {
            workflow: row.text("workflow")?,
            is_new: started_at.as_microsecond() == at.as_microsecond(),
            origin,
            silent: row.flag("silent")?,
            inbox: Vec::new(),
            standing: Standing::read(row)?,
            suspected: row.text_or_null("suspected")?,
            unreadable: None,
        })
    }

    /// Gives it its journal. If that does not end with `last_seq`, the row that was the last when a worker
    /// went down with it, the run has got on since, and nothing is held against it.
    pub(super) fn resume(&mut self, journal: Vec<Row>, last_seq: Option<u32>) {
        if journal.last().map(|row| row.seq) != last_seq {
            self.standing = Standing::default();
        }
        self.origin.journal = journal;
    }
}

/// What is held against a run, as workers went down that drove it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// How many in a row, with no new row in its journal since.
    pub(crate) take_overs: u32,
    /// How many runs were suspected together when the last of them did, if it was one.
    pub(crate) suspects: u32,
}

impl Standing {
    fn read(row: &impl Columns) -> Result<Self, StoreError> {
        Ok(Self { take_overs: row.number("take_overs")?, suspects: row.number("suspects")? })
    }
}

/// A run that a worker held when it was lost.
#[derive(Debug, Clone)]
pub(crate) struct Orphan {
    pub(crate) run: RunId,
    pub(crate) worker: WorkerId,
    pub(crate) standing: Standing,
    /// Whether it is known that futures of its steps had begun.
    pub(crate) began: bool,
    /// Whether its journal has a new row since the last worker went down with it.
    pub(crate) got_on: bool,
}

impl Orphan {
    pub(super) fn read(row: &impl Columns) -> Result<Self, StoreError> {
        Ok(Self {
            run: row.uuid("id")?,
            worker: row.uuid("worker")?,
            standing: Standing::read(row)?,
            began: row.flag("began")?,
            got_on: row.flag("got_on")?,
        })
    }
}

/// Says what is held against runs from now on, in their order.
pub(crate) type Judge<'a> = &'a (dyn Fn(&[Orphan]) -> Vec<Standing> + Send + Sync);
