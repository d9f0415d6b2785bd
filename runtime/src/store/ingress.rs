//! What comes in: events, runs, and what an app makes of its events.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use super::StoreError;
use super::read::Columns;
use crate::event::EventId;
use crate::flow::{Admission, NewRun};
use crate::id::WorkerId;
use crate::journal::{Due, MatchKey};
use crate::payload::Payload;
use crate::trace::TraceContext;
use crate::transaction::Borrowed;
use crate::workflow::listed;

/// What clients send, and what the router makes of it.
#[async_trait]
pub(crate) trait Ingress: Send + Sync {
    /// Accepts events with one delivery for each app that subscribes to their names, and starts the
    /// runs that come with them (then `hosted_by`, the accepting app, gets a delivery only for the parts
    /// that were not asked).
    /// Gives the ids, in order; for one whose idempotency key was seen before, the first one's, and
    /// nothing is written for it. A batch that is sent again as it was, because its reply was lost, is
    /// accepted once. Each name that nobody subscribes to is told of in the log, once in a process. Those that
    /// are due later are kept until [`Upkeep::accept_due`](super::Upkeep::accept_due) accepts them; their keys
    /// are remembered from now on.
    async fn accept_events(
        &self,
        hosted_by: Option<&str>,
        events: &[NewEvent],
    ) -> Result<Vec<EventId>, StoreError>;

    /// Sends an event in a transaction of the user's: it is there if and only if that is committed. Gives
    /// its id, or that of an earlier event with its idempotency key. The event is accepted by a delivery,
    /// in the order of commits.
    async fn send_in(&self, tx: Borrowed<'_>, event: &NewEvent) -> Result<EventId, StoreError>;

    /// Starts runs directly; those that are there already are left alone. One that is not settled yet is not
    /// ready until it is: see [`settle_runs`](super::Upkeep::settle_runs).
    async fn start_runs(&self, app: &str, runs: &[NewRun]) -> Result<(), StoreError>;

    /// Takes deliveries of an app that its worker's program knows the parts of, oldest first, lets
    /// `router` say what the app makes of them, starts the runs and keeps the keys in one transaction; parts
    /// that others subscribe to are delivered to them. Then, in a new snapshot, looks
    /// for waits of the app with those keys, puts each event into the inbox of every run that has
    /// one (once a run), and makes ready those that are parked; only then are the deliveries gone, so
    /// that neither a wait nor its event can miss the other. Gives how many deliveries there were.
    ///
    /// Events that are gathered go into their batches, and batches that are full start their runs.
    async fn route_deliveries(
        &self,
        deliveries: Deliveries<'_>,
        router: Router<'_>,
    ) -> Result<usize, StoreError>;
}

/// An event to be accepted.
#[derive(Debug, Clone)]
pub(crate) struct NewEvent {
    pub(crate) id: EventId,
    pub(crate) name: String,
    pub(crate) data: Payload,
    /// A second event of this name with the same key is the same event.
    pub(crate) idempotency_key: Option<String>,
    /// When it is accepted, if not at once.
    pub(crate) due: Option<Due>,
    /// The trace that it belongs to.
    pub(crate) trace: Option<TraceContext>,
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

/// An accepted event that has not been routed to the workflows of an app yet.
#[derive(Debug, Clone)]
pub(crate) struct StoredEvent {
    pub(crate) id: EventId,
    pub(crate) name: String,
    pub(crate) data: Payload,
    pub(crate) accepted_at: Timestamp,
    pub(crate) trace: Option<TraceContext>,
    /// Its name, or the one part of the app that is asked about it.
    pub(crate) part: String,
}

impl StoredEvent {
    pub(super) fn read(row: &impl Columns) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.uuid("id")?,
            name: row.text("name")?,
            data: row.payload("data")?,
            accepted_at: row.time("accepted_at")?,
            trace: row.trace()?,
            part: row.text("part")?,
        })
    }
}

/// Says what an app makes of its events.
pub(crate) trait Routes: Send + Sync {
    /// What it makes of one.
    fn route(&self, event: &StoredEvent) -> Routing;

    /// The run that a workflow starts with events that it has gathered, in order.
    fn gathered(&self, workflow: &str, events: &[Gathered]) -> NewRun {
        listed_run(workflow, events)
    }
}

/// The run that a workflow starts with a list of events, where nobody knows its limits and what cancels it.
pub(crate) fn listed_run(workflow: &str, events: &[Gathered]) -> NewRun {
    let trace = events.last().and_then(|event| event.trace.clone());
    NewRun { trace, ..NewRun::new(workflow, None, listed(events.iter().map(|event| &event.data))) }
}

/// What makes lists of what it gathers.
impl<R: Fn(&StoredEvent) -> Routing + Send + Sync> Routes for R {
    fn route(&self, event: &StoredEvent) -> Routing {
        self(event)
    }
}

pub(crate) type Router<'a> = &'a dyn Routes;

/// An event that was gathered.
#[derive(Debug, Clone)]
pub(crate) struct Gathered {
    pub(crate) id: EventId,
    pub(crate) name: String,
    /// Its place in the order of acceptance.
    pub(crate) seq: i64,
    pub(crate) data: Payload,
    pub(crate) accepted_at: Timestamp,
    pub(crate) trace: Option<TraceContext>,
}

impl Gathered {
    pub(super) fn read(row: &impl Columns) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.uuid("id")?,
            name: row.text("name")?,
            seq: row.number("seq")?,
            data: row.payload("data")?,
            accepted_at: row.time("accepted_at")?,
            trace: row.trace()?,
        })
    }
}

/// What an app makes of an event.
#[derive(Debug, Clone, Default)]
pub(crate) struct Routing {
    /// What each workflow makes of it that has it among its triggers.
    pub(crate) admissions: Vec<Admission>,
    /// Its keys, for each set of fields that one of the app's workflows waits on.
    pub(crate) keys: Vec<MatchKey>,
    /// System events to be accepted with that. Those that are there already were accepted before.
    pub(crate) reports: Vec<NewEvent>,
}
