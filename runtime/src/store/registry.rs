//! What programs say of themselves, and what their stored runs need of them.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::StoreError;
use super::read::Columns;
use crate::event::EventDef;
use crate::journal::{RunId, StateKey};
use crate::payload::Payload;
use crate::workflow::Declared;

/// What a program registers as it starts, and what it may no longer leave out.
#[async_trait]
pub(crate) trait Registry: Send + Sync {
    /// Replaces what is known of an app's subscriptions, workflows and schedules, but for those of other
    /// versions of which a worker lives; makes ready the held runs of its workflows, delivers the events
    /// again that its workflows are blocked by, and names the workflows with unfinished runs that it does
    /// not have. A schedule begins anew that no worker has, while others live. Keeps each schema of an event that
    /// is new; where there is none, it writes nothing about them.
    async fn register_app(&self, registration: &Registration) -> Result<Vec<Stranded>, StoreError>;

    /// The workflows that an app has registered, in order.
    async fn registered_workflows(&self, app: &str) -> Result<Vec<String>, StoreError>;

    /// Replaces the shape of a registered workflow; gives the one that it had.
    async fn reshape_workflow(
        &self,
        app: &str,
        workflow: &str,
        shape: &str,
    ) -> Result<Option<String>, StoreError>;

    /// What unfinished runs of a workflow have recorded, by key. It reads their journals: for when a
    /// program has changed.
    async fn recorded_lines(&self, app: &str, workflow: &str) -> Result<Vec<Recorded>, StoreError>;

    /// All schemas that an app's events have and had, by name, the newest first.
    async fn event_schemas(&self, app: &str) -> Result<Vec<EventSchema>, StoreError>;

    /// The unfinished runs of an app that no living worker can drive.
    async fn stranded_runs(&self, app: &str) -> Result<Vec<StrandedRuns>, StoreError>;
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
    /// What the data of its events looks like.
    pub(crate) schemas: Vec<NewSchema>,
}

/// The schema of an event, as a program has it.
#[derive(Debug, Clone)]
pub(crate) struct NewSchema {
    pub(crate) event: String,
    /// The same for equal schemas.
    pub(crate) version: Uuid,
    pub(crate) schema: String,
}

impl NewSchema {
    pub(crate) fn of(event: &EventDef) -> Self {
        let schema = event.schema_text();
        let version = Uuid::new_v5(&Uuid::NAMESPACE_OID, schema.as_bytes());
        Self { event: event.name.to_owned(), version, schema }
    }
}

/// A version of an event's schema. See [`Client::event_schemas`](crate::Client::event_schemas).
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct EventSchema {
    /// The event's name.
    pub event: String,
    /// A hash of the schema: equal schemas have the same.
    pub version: Uuid,
    /// The JSON Schema.
    pub schema: Payload,
    /// When a program first registered it, by the database's clock.
    pub registered_at: Timestamp,
}

impl EventSchema {
    pub(super) fn read(row: &impl Columns) -> Result<Self, StoreError> {
        Ok(Self {
            event: row.text("event_name")?,
            version: row.uuid("version")?,
            schema: row.payload("schema")?,
            registered_at: row.time("registered_at")?,
        })
    }
}

impl Registration {
    /// What it subscribes to.
    pub(crate) fn parts(&self) -> Vec<String> {
        self.subscriptions.iter().map(|subscription| subscription.part.clone()).collect()
    }

    /// Its schedules, each as its workflow and its rule.
    pub(super) fn schedule_names(&self) -> Vec<String> {
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

/// When a workflow starts by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Schedule {
    pub(crate) workflow: String,
    /// A schedule whose rule is another begins anew.
    pub(crate) rule: String,
}

/// Unfinished runs of a workflow that the registering program does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stranded {
    pub(crate) workflow: String,
    pub(crate) runs: u64,
}

/// A row that unfinished runs of a workflow have in their journals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recorded {
    pub(crate) key: StateKey,
    /// How many runs.
    pub(crate) runs: u64,
    /// One of them.
    pub(crate) example: RunId,
}

impl Recorded {
    pub(super) fn read(row: &impl Columns) -> Result<Self, StoreError> {
        let key = row.text("key")?.into();
        Ok(Self { key, runs: row.number("runs")?, example: row.uuid("example")? })
    }
}

/// Unfinished runs of a workflow that no running worker can drive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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

impl StrandedRuns {
    pub(super) fn read(row: &impl Columns) -> Result<Self, StoreError> {
        Ok(Self {
            workflow: row.text("workflow")?,
            shape: row.uuid_or_null("shape")?,
            runs: row.number("runs")?,
            example: row.uuid("example")?,
        })
    }
}
