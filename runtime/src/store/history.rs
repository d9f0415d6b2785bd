//! Runs, as they are stored now.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use uuid::Uuid;

use super::error_column::error_record;
use super::read::Columns;
use super::{LimitRecord, StoreError};
use crate::event::EventId;
#[cfg(any(test, feature = "testing"))]
use crate::journal::Origin;
use crate::journal::{ErrorRecord, Row, RunId};
use crate::payload::Payload;
use crate::trace::TraceContext;
#[cfg(any(test, feature = "testing"))]
use crate::workflow::TriggerData;

/// What is asked about runs.
#[async_trait]
pub(crate) trait History: Send + Sync {
    /// One run.
    async fn run(&self, id: RunId) -> Result<Option<RunRecord>, StoreError>;

    /// A run's journal, in order.
    async fn journal(&self, id: RunId) -> Result<Vec<Row>, StoreError>;

    /// Runs of an app.
    async fn runs(&self, app: &str, query: &RunQuery) -> Result<Vec<RunRecord>, StoreError>;

    /// How many runs of an app stand where.
    async fn run_counts(&self, app: &str) -> Result<Vec<RunCount>, StoreError>;

    /// The limits of an app, by name.
    async fn limits(&self, app: &str) -> Result<Vec<LimitRecord>, StoreError>;
}

/// The status of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
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

    /// Their names.
    pub(super) fn all() -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().map(|(_, name)| *name)
    }

    /// The names of those in which a run is not over.
    pub(super) fn unfinished() -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().filter(|(status, _)| !status.is_over()).map(|(_, name)| *name)
    }

    pub(super) fn read(row: &impl Columns) -> Result<Self, StoreError> {
        row.text("status")?.parse().map_err(StoreError::Corrupt)
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
#[derive(Debug, Clone, Serialize)]
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
    /// The trace that it belongs to: that of the event that started it, or of the run that invoked it, or the one that
    /// it was started with.
    pub trace_context: Option<TraceContext>,
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
    #[serde(skip)]
    pub(crate) began_at: Option<Timestamp>,
    /// What its derived values rest on.
    #[cfg_attr(
        not(any(test, feature = "testing")),
        expect(dead_code, reason = "only replays need it")
    )]
    #[serde(skip)]
    pub(crate) seed: Uuid,
    /// How often it was taken up again after it had failed.
    pub retries: u32,
}

impl RunRecord {
    pub(super) fn read(row: &impl Columns) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.uuid("id")?,
            workflow: row.text("workflow")?,
            status: RunStatus::read(row)?,
            event: row.uuid_or_null("event_id")?,
            parent: row.uuid_or_null("parent")?,
            input: row.payload("input")?,
            scheduled_at: row.time_or_null("scheduled_at")?,
            trace_context: row.trace()?,
            accepted_at: row.time("accepted_at")?,
            started_at: row.time_or_null("started_at")?,
            ended_at: row.time_or_null("ended_at")?,
            output: row.text_or_null("output")?.map(Payload::stored),
            error: row.text_or_null("error")?.as_deref().map(error_record).transpose()?,
            cancelled: row.text_or_null("cancelled")?,
            held: row.text_or_null("held")?,
            generation: row.number("generation")?,
            began_at: row.time_or_null("began_at")?,
            seed: row.uuid("seed")?,
            retries: row.number("retries")?,
        })
    }
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
            trace: self.trace_context.clone(),
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
    /// Only runs that this event started, alone or with the other events of a batch.
    pub event: Option<EventId>,
    /// Only runs that have this [attribute](crate::step::Step::attribute), a key and a value.
    #[doc(alias("search attribute", "tag", "label"))]
    pub attribute: Option<(String, String)>,
    /// Only runs whose trigger was accepted at this time or later.
    pub since: Option<Timestamp>,
    /// Only runs whose trigger was accepted before this time.
    pub before: Option<Timestamp>,
    /// Only failed, cancelled and held runs whose error or reason has this text, in capitals or not.
    pub error: Option<String>,
    /// Only runs behind this one in the list. For the next page, give the id of the last run of this page.
    pub after: Option<RunId>,
    /// At most this many runs. Lists give 100 without it.
    pub limit: Option<u32>,
}

impl RunQuery {
    /// The names of the statuses that it asks for.
    pub(super) fn statuses(&self) -> Vec<&'static str> {
        let has_reason =
            |status| matches!(status, RunStatus::Failed | RunStatus::Cancelled | RunStatus::Held);
        let asked = |status: RunStatus| {
            self.status.is_none_or(|only| only == status)
                && self.over.is_none_or(|over| over == status.is_over())
                && (self.error.is_none() || has_reason(status))
        };
        RunStatus::NAMES
            .iter()
            .filter(|(status, _)| asked(*status))
            .map(|(_, name)| *name)
            .collect()
    }

    /// Between which ids its runs are, in a list that begins with the oldest.
    pub(super) fn upwards(&self) -> (Uuid, Uuid) {
        let after = self.after.map(RunId::as_uuid).unwrap_or_default();
        (self.lowest().max(after), Uuid::max())
    }

    /// The same, in a list that begins with the newest.
    pub(super) fn downwards(&self) -> (Uuid, Uuid) {
        (self.lowest(), self.after.map_or(Uuid::max(), RunId::as_uuid))
    }

    /// A lower bound of the ids: no run's id is older than the run by more than the clocks of the programs that
    /// start runs differ. There is no upper one: an event may wait for days until a worker starts its run.
    fn lowest(&self) -> Uuid {
        const SKEW: SignedDuration = SignedDuration::from_hours(24);
        let since = self.since.and_then(|since| since.checked_sub(SKEW).ok());
        let since = since.and_then(|since| u64::try_from(since.as_millisecond()).ok());
        since.map(|millis| Uuid::from_u128(u128::from(millis) << 80)).unwrap_or_default()
    }

    pub(super) fn page(&self) -> i64 {
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

impl RunCount {
    pub(super) fn read(row: &impl Columns) -> Result<Self, StoreError> {
        let (workflow, status) = (row.text("workflow")?, RunStatus::read(row)?);
        Ok(Self { workflow, status, runs: row.number("runs")? })
    }
}
