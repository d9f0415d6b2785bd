//! What operators do to runs and to workflows.

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::read::Columns;
use super::{LimitRefusal, RunStatus, StoreError};
use crate::journal::{CancelKey, RunId};
use crate::payload::Payload;
use crate::workflow::{Allowance, Passage};

/// What operators do.
#[async_trait]
pub(crate) trait Operators: Send + Sync {
    /// Asks a run to cancel, and makes it ready if it is parked, held or queued; `false` if it is
    /// over or there is none.
    async fn cancel_run(&self, run: RunId, reason: &str) -> Result<bool, StoreError> {
        Ok(self.cancel_runs(&[run], reason).await? > 0)
    }

    /// The same for many runs; gives how many are not over.
    async fn cancel_runs(&self, runs: &[RunId], reason: &str) -> Result<u64, StoreError>;

    /// Has no runs of a workflow claimed from now on; `false` if that is so already.
    async fn pause_workflow(&self, app: &str, workflow: &str) -> Result<bool, StoreError>;

    /// Has them claimed again; `false` if they are.
    async fn resume_workflow(&self, app: &str, workflow: &str) -> Result<bool, StoreError>;

    /// The workflows of an app that are paused.
    async fn paused_workflows(&self, app: &str) -> Result<Vec<Paused>, StoreError>;

    /// Takes failed runs up again where they failed: their journals lose what came of that. Gives for
    /// each run why it was left alone, if it was.
    ///
    /// Whatever an operator has begun, `terms` say what cancels it, if that is accepted later, and what it has to pass.
    /// If they do not know, it waits until somebody [settles](super::Upkeep::settle_runs) it.
    async fn retry_runs(
        &self,
        runs: &[RunId],
        terms: &dyn Terms,
    ) -> Result<Vec<Result<(), Refusal>>, StoreError>;

    /// Starts a run with the part of another's journal that comes before a state. The two have their
    /// input and their seed in common.
    async fn fork_run(
        &self,
        fork: &Fork,
        terms: &dyn Terms,
    ) -> Result<Result<(), Refusal>, StoreError>;

    /// Starts runs as others were that are over. Gives for each why there was none to be started, if
    /// so.
    async fn replay_runs(
        &self,
        replays: &[Replay],
        terms: &dyn Terms,
    ) -> Result<Vec<Result<(), Refusal>>, StoreError>;

    /// What operators did to a run, oldest first.
    async fn interventions(&self, run: RunId) -> Result<Vec<Intervention>, StoreError>;

    /// Sets what each key of a limit allows, in place of what the code says; without an allowance the code
    /// counts again. Those who wait may pass at once. Gives why the limit was left as it was, if it was.
    async fn set_limit(
        &self,
        app: &str,
        name: &str,
        allows: Option<&Allowance>,
        by: &str,
    ) -> Result<Result<(), LimitRefusal>, StoreError>;
}

/// What an operator did to a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Intervention {
    /// When, by the database's clock.
    pub at: Timestamp,
    /// What was done.
    #[serde(flatten)]
    pub verb: Verb,
}

/// The kinds of [`Intervention`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verb", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verb {
    /// It failed before and was resumed with [`Client::retry`](crate::Client::retry).
    Retried,
    /// It is a fork: it began with a part of another run's journal.
    Forked {
        /// The other run.
        source: RunId,
        /// The state before which it begins.
        state: String,
    },
    /// It is a replay: it began with another run's trigger.
    Replayed {
        /// The other run.
        source: RunId,
    },
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retried => f.write_str("retried"),
            Self::Forked { source, state } => write!(f, "forked from {source} before `{state}`"),
            Self::Replayed { source } => write!(f, "replayed from {source}"),
        }
    }
}

impl Intervention {
    pub(super) fn read(row: &impl Columns) -> Result<Self, StoreError> {
        let (source, state) = (row.uuid_or_null("source")?, row.text_or_null("state")?);
        let verb = row.text("verb")?;
        let verb = match (verb.as_str(), source, state) {
            (RETRIED, ..) => Verb::Retried,
            (FORKED, Some(source), Some(state)) => Verb::Forked { source, state },
            (REPLAYED, Some(source), _) => Verb::Replayed { source },
            _ => return Err(StoreError::Corrupt(format!("an intervention: `{verb}`"))),
        };
        Ok(Self { at: row.time("at")?, verb })
    }
}

/// A run to be started from a part of another's journal.
#[derive(Debug, Clone)]
pub(crate) struct Fork {
    pub(crate) source: RunId,
    pub(crate) id: RunId,
    /// A state, or the key of one occurrence of it.
    pub(crate) state: String,
}

/// A run to be started as another was.
#[derive(Debug, Clone)]
pub(crate) struct Replay {
    pub(crate) source: RunId,
    pub(crate) id: RunId,
    pub(crate) seed: Uuid,
    /// In place of the other's.
    pub(crate) input: Option<Payload>,
}

/// Why a run was left as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// There is no such run.
    Unknown,
    /// It stands where this cannot be done to it.
    Standing(RunStatus),
    /// It has begun to undo what it did.
    Undone,
    /// It has not recorded that state; these it has.
    NoSuchState(Vec<String>),
}

/// Says what a run is subject to that an operator has begun.
pub(crate) trait Terms: Send + Sync {
    /// Whether it can say so of a workflow. If not, another program of the app does later.
    fn know(&self, _workflow: &str) -> bool {
        true
    }

    /// The events that cancel it.
    fn cancels(&self, workflow: &str, input: &Payload) -> Vec<CancelKey>;

    /// What it has to pass before it begins.
    fn passage(&self, _workflow: &str, _input: &Payload) -> Passage {
        Passage::default()
    }
}

impl<T: Fn(&str, &Payload) -> Vec<CancelKey> + Send + Sync> Terms for T {
    fn cancels(&self, workflow: &str, input: &Payload) -> Vec<CancelKey> {
        self(workflow, input)
    }
}

/// A workflow that is paused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Paused {
    /// The workflow's id.
    pub workflow: String,
    /// When it was paused.
    pub since: Timestamp,
}

impl Paused {
    pub(super) fn read(row: &impl Columns) -> Result<Self, StoreError> {
        Ok(Self { workflow: row.text("workflow")?, since: row.time("at")? })
    }
}

/// How the verbs are named in the store.
pub(super) const RETRIED: &str = "retried";
pub(super) const FORKED: &str = "forked";
pub(super) const REPLAYED: &str = "replayed";
