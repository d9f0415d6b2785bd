//! What is shown: lists of runs, events, workflows and workers, short enough to be shown all the time.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::error_column::error_record;
use super::read::Columns;
use super::{RunQuery, RunStatus, StoreError};
use crate::event::EventId;
use crate::journal::{ErrorRecord, RunId};
use crate::payload::Payload;

/// Up to how many runs are counted of a workflow and a status.
pub(super) const COUNTED: i64 = 1_000;
/// How many events are looked through for a page.
pub(super) const LOOKED_THROUGH: i64 = 10_000;

/// What is asked by whoever shows an app. Nothing here goes over all that ever happened.
#[async_trait]
pub(crate) trait Views: Send + Sync {
    /// Runs of an app, the newest first; in [`RunQuery::after`] is the last of the page before.
    async fn run_summaries(
        &self,
        app: &str,
        query: &RunQuery,
    ) -> Result<Vec<RunSummary>, StoreError>;

    /// Events of the database, the newest first.
    async fn event_summaries(&self, query: &EventQuery) -> Result<Page<EventSummary>, StoreError>;

    /// The workflows that an app has registered, in order of their ids.
    async fn workflow_summaries(&self, app: &str) -> Result<Vec<WorkflowSummary>, StoreError>;

    /// The workers of an app, in the order in which they joined.
    async fn worker_records(&self, app: &str) -> Result<Vec<WorkerRecord>, StoreError>;

    /// The attributes of a run, in order of their keys.
    async fn attributes(&self, run: RunId) -> Result<BTreeMap<String, String>, StoreError>;
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Page<T, C = EventId> {
    /// What is on it.
    pub items: Vec<T>,
    /// Where the next page begins: give it as `after`. `None` if this is the last page.
    pub next: Option<C>,
}

impl<T, C> Page<T, C> {
    pub(crate) fn new(items: Vec<T>, next: Option<C>) -> Self {
        Self { items, next }
    }
}

/// A run in a list: without its input and its output. See [`Client::list_runs`](crate::Client::list_runs).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RunSummary {
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
    /// When it was due, if a schedule started it.
    pub scheduled_at: Option<Timestamp>,
    /// When its trigger was accepted.
    pub accepted_at: Timestamp,
    /// When a worker first took it up.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it failed.
    pub error: Option<ErrorRecord>,
    /// Why it was cancelled.
    pub cancelled: Option<String>,
    /// Why it is held.
    pub held: Option<String>,
    /// How often it has restarted with [`Step::restart`](crate::step::Step::restart).
    pub generation: u32,
    /// How often it was taken up again after it had failed.
    pub retries: u32,
}

impl RunSummary {
    pub(super) fn read(row: &impl Columns) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.uuid("id")?,
            workflow: row.text("workflow")?,
            status: RunStatus::read(row)?,
            event: row.uuid_or_null("event_id")?,
            parent: row.uuid_or_null("parent")?,
            scheduled_at: row.time_or_null("scheduled_at")?,
            accepted_at: row.time("accepted_at")?,
            started_at: row.time_or_null("started_at")?,
            ended_at: row.time_or_null("ended_at")?,
            error: row.text_or_null("error")?.as_deref().map(error_record).transpose()?,
            cancelled: row.text_or_null("cancelled")?,
            held: row.text_or_null("held")?,
            generation: row.number("generation")?,
            retries: row.number("retries")?,
        })
    }
}

/// Which events to list. See [`Client::list_events`](crate::Client::list_events).
#[derive(Debug, Clone, Default)]
pub struct EventQuery {
    /// Only events of this name.
    pub name: Option<String>,
    /// Only events that were accepted before this one. For the next page, give [`Page::next`].
    pub after: Option<EventId>,
    /// At most this many events: 100 without it, and never more than 1,000.
    pub limit: Option<u32>,
}

impl EventQuery {
    pub(super) fn page(&self) -> i64 {
        self.limit.unwrap_or(100).clamp(1, 1_000).into()
    }
}

/// An event in a list. See [`Client::list_events`](crate::Client::list_events).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct EventSummary {
    /// Its id.
    pub id: EventId,
    /// Its name.
    pub name: String,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// Its data.
    pub data: Payload,
}

/// A page of events is read from rows of those that were looked through; the last row of a page that is cut
/// short has no name, and says where the next one begins.
pub(super) fn event_page<R: Columns>(
    rows: &[R],
    query: &EventQuery,
) -> Result<Page<EventSummary>, StoreError> {
    let mut items = Vec::new();
    let mut looked = None;
    for row in rows {
        match row.text_or_null("name")? {
            Some(name) => items.push(EventSummary {
                id: row.uuid("id")?,
                name,
                accepted_at: row.time("accepted_at")?,
                data: row.payload("data")?,
            }),
            None => looked = Some(row.uuid("id")?),
        }
    }
    let is_full = items.len() as i64 == query.page();
    let last = items.last().map(|event| event.id);
    Ok(Page::new(items, last.filter(|_| is_full).or(looked)))
}

/// A workflow of an app, as it stands. See [`Client::workflows`](crate::Client::workflows).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WorkflowSummary {
    /// Its id.
    pub id: String,
    /// When a program first registered it, by the database's clock.
    pub registered_at: Timestamp,
    /// Since when it is [paused](crate::Client::pause), if it is.
    pub paused_since: Option<Timestamp>,
    /// How many runs have which status. Those without runs are left out.
    pub runs: BTreeMap<RunStatus, BoundedCount>,
}

/// A number that was counted up to a thousand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BoundedCount {
    /// The number, or 1,000 if it is greater.
    pub count: u64,
    /// Whether it is greater.
    pub more: bool,
}

impl BoundedCount {
    /// Of a number that was counted to one more than the bound.
    fn of(counted: u64) -> Self {
        let most = COUNTED as u64;
        Self { count: counted.min(most), more: counted > most }
    }
}

impl std::fmt::Display for BoundedCount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.more {
            true => f.pad("1,000+"),
            false => f.pad(&self.count.to_string()),
        }
    }
}

/// Workflows are read from a row for each of them and each status that it has runs of.
pub(super) fn workflow_summaries<R: Columns>(
    rows: &[R],
) -> Result<Vec<WorkflowSummary>, StoreError> {
    let mut workflows = Vec::<WorkflowSummary>::new();
    for row in rows {
        let id = row.text("id")?;
        if workflows.last().is_none_or(|last| last.id != id) {
            workflows.push(WorkflowSummary {
                id,
                registered_at: row.time("registered_at")?,
                paused_since: row.time_or_null("paused_at")?,
                runs: BTreeMap::new(),
            });
        }
        let (status, counted) = (RunStatus::read(row)?, row.number("counted")?);
        if let (Some(last), 1..) = (workflows.last_mut(), counted) {
            last.runs.insert(status, BoundedCount::of(counted));
        }
    }
    Ok(workflows)
}

/// A worker: a process that drives runs. See [`Client::workers`](crate::Client::workers).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WorkerRecord {
    /// Its id. A process that starts again is another worker.
    pub id: Uuid,
    /// The name of its host.
    pub host: String,
    /// The id of its process.
    pub pid: u32,
    /// When it joined, by the database's clock.
    pub joined_at: Timestamp,
    /// When others take over its runs, unless it renews its lease before. `None` on SQLite, where a worker that
    /// is gone is noticed as soon as somebody looks.
    pub expires_at: Option<Timestamp>,
    /// Whether its lease has run out.
    pub is_late: bool,
    /// The ids of the workflows that it drives.
    pub workflows: Vec<String>,
    /// How many runs it drives at the moment. Counted up to a thousand.
    pub runs: BoundedCount,
}

impl WorkerRecord {
    pub(super) fn read(row: &impl Columns) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.uuid("id")?,
            host: row.text("host")?,
            pid: row.number("pid")?,
            joined_at: row.time("joined_at")?,
            expires_at: row.time_or_null("expires_at")?,
            is_late: row.flag("is_late")?,
            workflows: row.texts("workflows")?,
            runs: BoundedCount::of(row.number("counted")?),
        })
    }
}
