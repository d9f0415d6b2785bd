//! Where runs are kept: one trait in the words of the design, and its implementations. All SQL of
//! the crate is below this module.
//!
//! **Who writes what.** Only the holder of a run's lease writes that run's row and journal. Everyone
//! else inserts rows of their own. So there are no hot rows and no lock cycles.

mod admitted;
mod columns;
#[cfg(test)]
pub(crate) mod conformance;
mod dedupe;
mod effects;
mod error;
mod error_column;
#[cfg(test)]
mod flush_cost;
mod gated;
mod gathered;
pub(crate) mod hints;
mod message;
mod migration;
mod open;
mod postgres;
mod problem;
mod sqlite;
mod verbs;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use uuid::Uuid;

pub use self::error::{OpenError, StoreError};
use self::hints::Hints;
pub(crate) use self::open::open;
pub(crate) use self::verbs::{Fork, Refusal, Replay};
pub use self::verbs::{Intervention, Verb};

use crate::event::EventId;
use crate::flow::{Admission, Firing, NewRun};
use crate::id::WorkerId;
use crate::journal::{CancelKey, ErrorRecord, MatchKey, Message, Row, RunId, StateKey};
use crate::machine::{Origin, RunCommit, Then};
use crate::payload::Payload;
use crate::step::{Connection, Rollback};
#[cfg(any(test, feature = "testing"))]
use crate::workflow::TriggerData;
use crate::workflow::{Checks, Declared};

/// An event to be accepted.
#[derive(Debug, Clone)]
pub(crate) struct NewEvent {
    pub(crate) id: EventId,
    pub(crate) name: String,
    pub(crate) data: Payload,
    /// A second event of this name with the same key is the same event.
    pub(crate) idempotency_key: Option<String>,
    /// What the accepting process makes of it in the same commit. `None` leaves it to a delivery to the
    /// app: the event may be waited for.
    pub(crate) hosted: Option<Hosted>,
}

/// What the process that accepts an event makes of it, if that does nothing but start runs.
#[derive(Debug, Clone)]
pub(crate) struct Hosted {
    /// The runs that it starts.
    pub(crate) runs: Vec<NewRun>,
    /// The parts of the app that it has asked. Others are delivered to a process that knows them.
    pub(crate) parts: Arc<[String]>,
}

/// What an app makes of an event.
#[derive(Debug, Clone, Default)]
pub(crate) struct Routing {
    /// What each workflow makes of it that has it among its triggers.
    pub(crate) admissions: Vec<Admission>,
    /// Its keys, for each set of fields that one of the app's workflows waits on.
    pub(crate) keys: Vec<MatchKey>,
}

impl NewRun {
    /// A run with an id and a seed of its own, which no event cancels.
    pub(crate) fn new(workflow: &str, event: Option<EventId>, input: Payload) -> Self {
        let (id, seed, workflow) = (RunId::new(), Uuid::new_v4(), workflow.to_owned());
        Self {
            id,
            workflow,
            event,
            input,
            seed,
            scheduled_at: None,
            cancels: Vec::new(),
            gates: Vec::new(),
            ahead: 0,
            checks: Checks::default(),
        }
    }
}

/// An accepted event that has not been routed to the workflows of an app yet.
#[derive(Debug, Clone)]
pub(crate) struct StoredEvent {
    pub(crate) id: EventId,
    pub(crate) name: String,
    pub(crate) data: Payload,
    pub(crate) accepted_at: Timestamp,
    /// Its name, or the one part of the app that is asked about it.
    pub(crate) part: String,
}

/// When a workflow starts by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Schedule {
    pub(crate) workflow: String,
    /// A schedule whose rule is another begins anew.
    pub(crate) rule: String,
}

/// A schedule that is due, or was never looked at.
#[derive(Debug, Clone)]
pub(crate) struct DueSchedule {
    pub(crate) workflow: String,
    pub(crate) rule: String,
    pub(crate) due: Option<Timestamp>,
    /// The last tick that has started a run.
    pub(crate) last: Option<Timestamp>,
    /// The time in the database.
    pub(crate) now: Timestamp,
}

/// What an app registers when it starts.
#[derive(Debug, Clone)]
pub(crate) struct Registration {
    pub(crate) app: String,
    pub(crate) workflows: Vec<String>,
    pub(crate) subscriptions: Vec<Subscription>,
    pub(crate) schedules: Vec<Schedule>,
    /// What its limits allow.
    pub(crate) limits: Vec<Declared>,
}

impl Registration {
    /// What it subscribes to.
    pub(crate) fn parts(&self) -> Vec<String> {
        self.subscriptions.iter().map(|subscription| subscription.part.clone()).collect()
    }

    /// Its schedules, each as its workflow and its rule.
    fn schedule_names(&self) -> Vec<String> {
        let schedules = self.schedules.iter();
        schedules.map(|schedule| format!("{} {}", schedule.workflow, schedule.rule)).collect()
    }
}

/// What an app wants an event for. Two versions of a program that live side by side may want it for
/// different things: each is asked about its own, and what one does not know is left to the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subscription {
    /// The event's name.
    pub(crate) event: String,
    pub(crate) part: String,
}

impl Subscription {
    /// The event itself, for whatever a process knows.
    pub(crate) fn whole(event: &str) -> Self {
        Self { event: event.to_owned(), part: event.to_owned() }
    }

    /// It starts a workflow.
    pub(crate) fn start(event: &str, workflow: &str) -> Self {
        Self { event: event.to_owned(), part: format!("{event} starts {workflow}") }
    }

    /// It is waited for by some of its fields.
    pub(crate) fn wait(event: &str, fields: &[&str]) -> Self {
        Self { event: event.to_owned(), part: format!("{event} by {}", fields.join(", ")) }
    }
}

/// Unfinished runs of a workflow that the registering program does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stranded {
    pub(crate) workflow: String,
    pub(crate) runs: u64,
}

/// A line that unfinished runs of a workflow have in their journals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recorded {
    pub(crate) key: StateKey,
    /// How many runs.
    pub(crate) runs: u64,
    /// One of them.
    pub(crate) example: RunId,
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

/// A workflow that is paused.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Paused {
    /// The workflow's id.
    pub workflow: String,
    /// When it was paused.
    pub since: Timestamp,
}

/// Unfinished runs of a workflow that no running worker can drive.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StrandedRuns {
    /// The workflow's id.
    pub workflow: String,
    /// The workflow's shape in the program that drove them last; `None` if no worker has driven them yet.
    pub shape: Option<Uuid>,
    /// How many runs.
    pub runs: u64,
    /// One of these runs.
    pub example: RunId,
}

/// Which deliveries a worker routes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deliveries<'a> {
    pub(crate) worker: WorkerId,
    pub(crate) app: &'a str,
    /// The parts that its program knows.
    pub(crate) parts: &'a [String],
    pub(crate) limit: usize,
    /// Whether the routers of the app take turns, so that what they gather is in order of acceptance.
    pub(crate) in_turn: bool,
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

/// What is held against a run, as workers went down that drove it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// How many in a row, with no new line in its journal since.
    pub(crate) take_overs: u32,
    /// How many runs were suspected together when the last of them did, if it was one.
    pub(crate) suspects: u32,
}

/// A run that a worker held when it was lost.
#[derive(Debug, Clone)]
pub(crate) struct Orphan {
    pub(crate) run: RunId,
    pub(crate) worker: WorkerId,
    pub(crate) standing: Standing,
    /// Whether it is known that futures of its steps had begun.
    pub(crate) began: bool,
    /// Whether its journal has a new line since the last worker went down with it.
    pub(crate) got_on: bool,
}

/// Says what is held against runs from now on, in their order.
pub(crate) type Judge<'a> = &'a (dyn Fn(&[Orphan]) -> Vec<Standing> + Send + Sync);

/// A run that the claiming worker now holds, with its journal.
#[derive(Debug)]
pub(crate) struct ClaimedRun {
    pub(crate) workflow: String,
    /// Whether no worker has taken it up before.
    pub(crate) is_new: bool,
    pub(crate) origin: Origin,
    /// What waits in its inbox, oldest first.
    pub(crate) inbox: Vec<Message>,
    pub(crate) standing: Standing,
    /// The steps whose futures had begun when the last worker went down with it, if that is known.
    pub(crate) suspected: Option<String>,
    /// Why its journal or its inbox cannot be read, if so: then they are not whole.
    pub(crate) unreadable: Option<String>,
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

/// What is due has been made ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Promoted {
    /// How many runs.
    pub(crate) runs: usize,
    /// How long until the next is due, by the database's clock.
    pub(crate) next: Option<Duration>,
    /// How long the first of them has been due.
    pub(crate) late: Option<Duration>,
}

/// The status of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum RunStatus {
    /// It waits for a worker.
    Queued,
    /// A worker drives it.
    Running,
    /// It waits for a time, an event, or another run.
    Waiting,
    /// Its body returned `Ok`.
    Completed,
    /// Its body returned `Err` or panicked.
    Failed,
    /// It was cancelled before its end.
    Cancelled,
    /// The program cannot go on with it, because its code contradicts the run's journal or cannot read the
    /// stored data. A fixed program resumes it. Workers try it again when a program starts, and when the
    /// worker stops that could not go on with it.
    #[doc(alias("stuck", "blocked", "non-determinism"))]
    Held,
}

impl RunStatus {
    const NAMES: [(Self, &'static str); 7] = [
        (Self::Queued, "queued"),
        (Self::Running, "running"),
        (Self::Waiting, "waiting"),
        (Self::Completed, "completed"),
        (Self::Failed, "failed"),
        (Self::Cancelled, "cancelled"),
        (Self::Held, "held"),
    ];

    /// Whether nothing more will happen to the run by itself.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// The names of those in which a run is not over.
    fn unfinished() -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().filter(|(status, _)| !status.is_over()).map(|(_, name)| *name)
    }

    pub(crate) fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(status, _)| *status == self).map_or("?", |(_, name)| name)
    }
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for RunStatus {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::NAMES
            .iter()
            .find(|(_, name)| *name == text)
            .map(|(status, _)| *status)
            .ok_or_else(|| format!("`{text}` is not the status of a run"))
    }
}

/// A run, as it is stored now.
#[derive(Debug, Clone)]
#[doc(alias("workflow execution", "instance"))]
#[non_exhaustive]
pub struct RunRecord {
    /// Its id.
    pub id: RunId,
    /// The workflow's id.
    pub workflow: String,
    /// Its status.
    pub status: RunStatus,
    /// The event that started it; `None` if it was started directly.
    pub event: Option<EventId>,
    /// The run that invoked it.
    pub parent: Option<RunId>,
    /// The event's data, or the input.
    pub input: Payload,
    /// When it was due, if a schedule started it.
    pub scheduled_at: Option<Timestamp>,
    /// When its trigger was accepted.
    pub accepted_at: Timestamp,
    /// When a worker first took it up.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Its output, once it has completed.
    pub output: Option<Payload>,
    /// Why it failed.
    pub error: Option<ErrorRecord>,
    /// Why it was cancelled.
    pub cancelled: Option<String>,
    /// Why it is held.
    pub held: Option<String>,
    /// How often it has restarted with [`Step::restart`](crate::step::Step::restart).
    pub generation: u32,
    /// When it last did.
    #[cfg_attr(
        not(any(test, feature = "testing")),
        expect(dead_code, reason = "only replays need it")
    )]
    pub(crate) began_at: Option<Timestamp>,
    /// What its derived values rest on.
    #[cfg_attr(
        not(any(test, feature = "testing")),
        expect(dead_code, reason = "only replays need it")
    )]
    pub(crate) seed: Uuid,
    /// How often it was taken up again after it had failed.
    #[cfg_attr(
        not(any(test, feature = "testing")),
        expect(dead_code, reason = "only replays need it")
    )]
    pub(crate) retries: u32,
}

#[cfg(any(test, feature = "testing"))]
impl RunRecord {
    /// The run as a worker would take it up, with this journal of its generation.
    pub(crate) fn origin(&self, journal: Vec<Row>) -> Origin {
        let trigger = TriggerData {
            run: self.id,
            event: self.event.filter(|_| self.generation == 0),
            accepted_at: self.began_at.unwrap_or(self.accepted_at),
            data: self.input.clone(),
        };
        let (seed, retries, generation) = (self.seed, self.retries, self.generation);
        let started_at = self.started_at.unwrap_or(self.accepted_at);
        Origin { trigger, seed, retries, generation, started_at, journal }
    }
}

/// Which runs to list.
#[derive(Debug, Clone, Default)]
pub struct RunQuery {
    /// Only runs of this workflow.
    pub workflow: Option<String>,
    /// Only runs with this status.
    pub status: Option<RunStatus>,
    /// `true`: only runs that are over. `false`: only runs that are not.
    pub over: Option<bool>,
    /// Only runs that this run invoked.
    pub parent: Option<RunId>,
    /// Only runs that this event started.
    pub event: Option<EventId>,
    /// Only runs that have this [attribute](crate::step::Step::attribute), a key and a value.
    #[doc(alias("search attribute", "tag", "label"))]
    pub attribute: Option<(String, String)>,
    /// Only runs whose trigger was accepted at this time or later.
    pub since: Option<Timestamp>,
    /// Only runs whose trigger was accepted before this time.
    pub before: Option<Timestamp>,
    /// Only runs with a greater id. For the next page, give the id of the last run of this page.
    pub after: Option<RunId>,
    /// At most this many runs, in the order of their ids. [`Client::runs`](crate::Client::runs) gives 100
    /// without it.
    pub limit: Option<u32>,
}

impl RunQuery {
    /// The names of the statuses that it asks for.
    fn statuses(&self) -> Vec<&'static str> {
        let asked = |status: RunStatus| {
            self.status.is_none_or(|only| only == status)
                && self.over.is_none_or(|over| over == status.is_over())
        };
        RunStatus::NAMES
            .iter()
            .filter(|(status, _)| asked(*status))
            .map(|(_, name)| *name)
            .collect()
    }

    /// A lower bound of the ids: no run's id is older than the run by more than the clocks of the
    /// programs that start runs differ.
    fn first(&self) -> Uuid {
        const SKEW: SignedDuration = SignedDuration::from_hours(24);
        let after = self.after.map(RunId::as_uuid).unwrap_or_default();
        let since = self.since.and_then(|since| since.checked_sub(SKEW).ok());
        let since = since.and_then(|since| u64::try_from(since.as_millisecond()).ok());
        let lowest = since.map(|millis| Uuid::from_u128(u128::from(millis) << 80));
        lowest.unwrap_or_default().max(after)
    }

    fn page(&self) -> i64 {
        self.limit.unwrap_or(100).into()
    }
}

/// How many runs of a workflow have a status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunCount {
    /// The workflow's id.
    pub workflow: String,
    /// Their status.
    pub status: RunStatus,
    /// How many runs.
    pub runs: u64,
}

/// Says what an app makes of an event.
pub(crate) type Router<'a> = &'a (dyn Fn(&StoredEvent) -> Routing + Send + Sync);

/// Says what a schedule starts.
pub(crate) type Timetable<'a> = &'a (dyn Fn(&DueSchedule) -> Firing + Send + Sync);

/// Says which events cancel a run of a workflow with this input.
pub(crate) type Cancels<'a> = &'a (dyn Fn(&str, &Payload) -> Vec<CancelKey> + Send + Sync);

/// Durable storage of runs.
///
/// Every method is one transaction, or several where the documentation says so. What a method
/// returned `Ok` for survives a crash.
#[async_trait]
pub(crate) trait Store: Send + Sync + 'static {
    /// A word for the log: `postgres`, `sqlite`.
    fn name(&self) -> &'static str;

    /// Replaces what is known of an app's subscriptions, workflows and schedules, but for those of other
    /// versions of which a worker lives; makes ready the held runs of its workflows, delivers the events
    /// again that its workflows are blocked by, and names the workflows with unfinished runs that it does
    /// not have. A schedule begins anew that no worker has, while others live.
    async fn register(&self, registration: &Registration) -> Result<Vec<Stranded>, StoreError>;

    /// Replaces the shape of a registered workflow; gives the one that it had.
    async fn reshape(
        &self,
        app: &str,
        workflow: &str,
        shape: &str,
    ) -> Result<Option<String>, StoreError>;

    /// What unfinished runs of a workflow have recorded, by key. It reads their journals: for when a
    /// program has changed.
    async fn recorded(&self, app: &str, workflow: &str) -> Result<Vec<Recorded>, StoreError>;

    /// Accepts events with one delivery for each app that subscribes to their names, and starts the
    /// runs that come with them (then `hosted_by`, the accepting app, gets a delivery only for the parts
    /// that were not asked).
    /// Gives the ids, in order; for one whose idempotency key was seen before, the first one's, and
    /// nothing is written for it. A batch that is sent again as it was, because its reply was lost, is
    /// accepted once.
    async fn accept(
        &self,
        hosted_by: Option<&str>,
        events: &[NewEvent],
    ) -> Result<Vec<EventId>, StoreError>;

    /// Starts runs directly; those that are there already are left alone.
    async fn start(&self, app: &str, runs: &[NewRun]) -> Result<(), StoreError>;

    /// Takes deliveries of an app that its worker's program knows the parts of, oldest first, lets
    /// `router` say what the app makes of them, starts the runs and keeps the keys in one transaction; parts
    /// that others subscribe to are delivered to them. Then, in a new snapshot, looks
    /// for waits of the app with those keys, puts each event into the inbox of every run that has
    /// one (once a run), and makes ready those that are parked; only then are the deliveries gone, so
    /// that neither a wait nor its event can miss the other. Gives how many deliveries there were.
    ///
    /// Events that are gathered go into their batches, and batches that are full start their runs.
    async fn route(
        &self,
        deliveries: Deliveries<'_>,
        router: Router<'_>,
    ) -> Result<usize, StoreError>;

    /// Starts the runs of an app's batches whose first event has waited long enough, up to `limit`
    /// of them.
    async fn complete(&self, app: &str, limit: usize) -> Result<Promoted, StoreError>;

    /// Starts what is due of an app's schedules, as `timetable` says, and moves them on in the same
    /// transaction. Another rule for the same workflow is another version's, and left to it.
    /// `Promoted::runs` is how many runs were started.
    async fn fire(
        &self,
        app: &str,
        schedules: &[Schedule],
        timetable: Timetable<'_>,
    ) -> Result<Promoted, StoreError>;

    /// Lets runs of an app pass their gates, as far as its limits allow: they can be claimed then. The
    /// limits are those of the program that registered last, and what operators have set over them.
    /// `Promoted::runs` is how many have passed; `Promoted::next` is when a gate opens by itself.
    async fn open_gates(&self, app: &str) -> Result<Promoted, StoreError>;

    /// Makes ready what is due, up to `limit` runs, oldest first. It also finishes what a process left
    /// undone that died between a commit and its look: waits that have not looked for their events,
    /// parked runs with messages.
    async fn promote(&self, limit: usize) -> Result<Promoted, StoreError>;

    /// Registers a worker, and adds what is missing of what its program subscribes to and of its
    /// schedules, for which it may have to wait. Its lease runs out `lease` after the time that is given,
    /// or later.
    ///
    /// On Postgres a lease runs out by the database's clock if it is not renewed. On SQLite it lasts as
    /// long as the process keeps a file locked, whatever the time; so a process that has died loses it at
    /// once, and one that hangs does not. On both it ends with [`leave`](Self::leave) and
    /// [`forfeit`](Self::forfeit), also where these fail on SQLite.
    async fn join(&self, worker: &Worker, lease: Duration) -> Result<Instant, StoreError>;

    /// What renews leases on a connection of its own.
    fn renewals(&self) -> Box<dyn Renewals>;

    /// Ends a worker's life: what it still holds is ready again, and events that it could not
    /// tell what to make of are delivered again.
    async fn leave(&self, worker: WorkerId) -> Result<(), StoreError>;

    /// The same for a worker that has lost its lease while it drove runs: `judge` says what is held
    /// against them.
    async fn forfeit(&self, worker: WorkerId, judge: Judge<'_>) -> Result<(), StoreError>;

    /// Ends the lives of workers whose leases have run out, as [`forfeit`](Self::forfeit) does. Gives how
    /// many runs they held.
    async fn take_over(&self, judge: Judge<'_>) -> Result<u64, StoreError>;

    /// The sizes of the cohorts that have suspects which are ready.
    async fn cohorts(&self, app: &str) -> Result<Vec<u32>, StoreError>;

    /// Gives back the runs that a worker holds and does not drive: a claim whose reply was lost has
    /// left them to it. Gives how many there were.
    async fn disown(&self, worker: WorkerId, driven: &[RunId]) -> Result<u64, StoreError>;

    /// Gives a worker ready runs with their journals, in order of rank; none of a paused workflow, and
    /// of a pinned one none that was driven in another shape. They have the worker's shape from then on. A line that cannot be read
    /// concerns its own run only.
    ///
    /// # Errors
    ///
    /// [`StoreError::LeaseLost`] if the worker's lease was taken over.
    async fn claim(&self, claim: Claim<'_>) -> Result<Claimed, StoreError>;

    /// Commits a batch for a worker: all of it, but for the runs that it no longer holds.
    ///
    /// With a line that ends or abandons a wait the wait is removed, with [`Change::Invoke`] the
    /// child is started, with a run's end its waits and its inbox are removed. After the commit, in a
    /// new snapshot, new waits look for events that the app has routed already and that count for
    /// them (accepted after the run's trigger, or after the wait itself; not the trigger; not one
    /// that the run has in its inbox or has taken), and parked runs that have messages are made
    /// ready: those that were parked in this batch and those that it sends messages to.
    ///
    /// [`Change::Invoke`]: crate::journal::Change::Invoke
    ///
    /// Its rows carry `commit`. If the reply is lost, [`landed`](Self::landed) tells whether the
    /// batch was committed.
    ///
    /// # Errors
    ///
    /// [`StoreError::LeaseLost`] if the worker's lease was taken over; [`StoreError::Refused`] if
    /// the database does not accept a row; [`StoreError::Unavailable`] if it is not known whether
    /// the batch was committed. In the first two cases nothing was written.
    async fn flush(
        &self,
        worker: WorkerId,
        commit: Uuid,
        batch: &[RunCommit],
    ) -> Result<Flushed, StoreError>;

    /// What became of a flush whose reply was lost: `None` if nothing carries its id. Then the batch is
    /// sent again as it was; should the first sending still be under way somewhere, one of the two is
    /// committed. A commit without lines that leaves its run with the worker leaves no trace.
    async fn landed(
        &self,
        commit: Uuid,
        batch: &[RunCommit],
    ) -> Result<Option<Flushed>, StoreError>;

    /// Whether nobody else can write while a transaction is open.
    fn has_one_writer(&self) -> bool;

    /// Begins a transaction of the user's.
    async fn begin(&self) -> Result<Connection, StoreError>;

    /// Commits the outcome of a step as the last statement of its transaction. Its one line carries
    /// `commit`.
    ///
    /// # Errors
    ///
    /// [`StoreError::LeaseLost`] and [`StoreError::Refused`] as in [`flush`](Self::flush): nothing was
    /// written. [`StoreError::Unavailable`] if it is not known whether the transaction was committed;
    /// [`concluded`](Self::concluded) tells.
    async fn conclude(
        &self,
        transaction: Connection,
        worker: WorkerId,
        commit: Uuid,
        run: &RunCommit,
    ) -> Result<Concluded, StoreError>;

    /// What became of a transaction whose reply was lost, once it is over: `None` if it was rolled back
    /// or the run is another worker's.
    async fn concluded(&self, commit: Uuid, run: &RunCommit)
    -> Result<Option<Flushed>, StoreError>;

    /// What lies in the inboxes of the runs that a worker holds, oldest first.
    async fn messages(&self, worker: WorkerId) -> Result<Vec<(RunId, Message)>, StoreError>;

    /// Asks a run to cancel, and makes it ready if it is parked, held or queued; `false` if it is
    /// over or there is none.
    async fn cancel(&self, run: RunId, reason: &str) -> Result<bool, StoreError> {
        Ok(self.cancel_all(&[run], reason).await? > 0)
    }

    /// The same for many runs; gives how many are not over.
    async fn cancel_all(&self, runs: &[RunId], reason: &str) -> Result<u64, StoreError>;

    /// Has no runs of a workflow claimed from now on; `false` if that is so already.
    async fn pause(&self, app: &str, workflow: &str) -> Result<bool, StoreError>;

    /// Has them claimed again; `false` if they are.
    async fn resume(&self, app: &str, workflow: &str) -> Result<bool, StoreError>;

    /// The workflows of an app that are paused.
    async fn paused(&self, app: &str) -> Result<Vec<Paused>, StoreError>;

    /// The unfinished runs of an app that no living worker can drive.
    async fn stranded(&self, app: &str) -> Result<Vec<StrandedRuns>, StoreError>;

    /// Takes failed runs up again where they failed: their journals lose what came of that. Gives for
    /// each run why it was left alone, if it was.
    ///
    /// Whatever an operator has begun, events cancel it as `cancels` says if they are accepted later
    /// than that.
    async fn retry(
        &self,
        runs: &[RunId],
        cancels: Cancels<'_>,
    ) -> Result<Vec<Result<(), Refusal>>, StoreError>;

    /// Starts a run with the part of another's journal that comes before a state. The two have their
    /// input and their seed in common.
    async fn fork(
        &self,
        fork: &Fork,
        cancels: Cancels<'_>,
    ) -> Result<Result<(), Refusal>, StoreError>;

    /// Starts runs as others were that are over. Gives for each why there was none to be started, if
    /// so.
    async fn replay(
        &self,
        replays: &[Replay],
        cancels: Cancels<'_>,
    ) -> Result<Vec<Result<(), Refusal>>, StoreError>;

    /// What operators did to a run, oldest first.
    async fn interventions(&self, run: RunId) -> Result<Vec<Intervention>, StoreError>;

    /// One run.
    async fn run(&self, id: RunId) -> Result<Option<RunRecord>, StoreError>;

    /// A run's journal, in order.
    async fn journal(&self, id: RunId) -> Result<Vec<Row>, StoreError>;

    /// Runs of an app.
    async fn runs(&self, app: &str, query: &RunQuery) -> Result<Vec<RunRecord>, StoreError>;

    /// How many runs of an app stand where.
    async fn counts(&self, app: &str) -> Result<Vec<RunCount>, StoreError>;

    /// Who is told of what is committed.
    fn hints(&self) -> &Arc<Hints>;

    /// Has [`hints`](Self::hints) hear what other processes commit for an app, from when this returns; if
    /// the database does not answer, from when it does. Ends that are waited for are asked for once
    /// each poll interval besides. It is begun once.
    async fn listen(&self, app: &str, poll: Duration);

    /// Tells others what they were not told yet, and closes its connections.
    async fn close(&self);
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
