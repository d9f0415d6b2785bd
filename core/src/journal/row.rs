use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error_record::ErrorRecord;
use crate::id::RunId;
use crate::key::StateKey;
use crate::payload::Payload;
use crate::workflow::StepKind;

/// One entry of a run's journal.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its place in the journal, from 0. There are gaps where a carried loop has dropped entries.
    pub seq: u32,
    /// The step that it is about.
    pub key: StateKey,
    /// What that step does.
    pub kind: StepKind,
    /// What happened to it.
    pub transition: Transition,
    /// When the thing that it records began, by the worker's estimate of the database's clock. The estimate
    /// is never ahead of that clock. `None` for an entry that records a moment.
    pub started_at: Option<Timestamp>,
    /// When it was committed, by the database's clock.
    pub at: Timestamp,
}

/// What happened to a step.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "transition", rename_all = "snake_case")]
pub enum Transition {
    /// It waits until a time.
    Sleeping {
        /// When it is over.
        due: Timestamp,
    },
    /// An attempt failed and another will be made.
    Retrying {
        /// How many attempts have been made.
        attempt: u32,
        /// When the next may begin.
        due: Timestamp,
        /// Why it failed.
        error: ErrorRecord,
    },
    /// It waits for an event.
    Waiting {
        /// When it gives up.
        due: Option<Timestamp>,
    },
    /// It has started a run of another workflow and waits for its end.
    Invoked {
        /// The run that it started.
        child: RunId,
        /// When it gives up.
        due: Option<Timestamp>,
    },
    /// The body no longer waits for it, because another branch of a race has won, or a join has failed.
    Abandoned,
    /// A carried loop begins an iteration with these variables. The entries of earlier iterations are gone,
    /// except outcomes that may have to be undone.
    Carried {
        /// Which iteration, from 1.
        iteration: u32,
        /// The carried variables.
        outcome: Payload,
        /// The place of the loop's first entry, if this is a later one. Everything from there on belongs to
        /// the loop.
        first: Option<u32>,
    },
    /// It succeeded.
    Succeeded {
        /// How many attempts were made.
        attempt: u32,
        /// What it gave.
        outcome: Payload,
        /// Whether it is undone if the run does not complete.
        undo: bool,
    },
    /// It failed for good.
    Failed {
        /// How many attempts were made.
        attempt: u32,
        /// Why the last one failed.
        error: ErrorRecord,
    },
    /// The body did not complete, and the undos begin. From here on the run can be replayed, but not
    /// retried.
    Undoing {
        /// Why the run fails. If the run is cancelled, the kind is [`Cancelled`](crate::journal::ErrorKind::Cancelled), and
        /// the message is the reason.
        error: ErrorRecord,
    },
}

/// The name of a [`Transition`], as it stands in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransitionKind {
    /// [`Transition::Sleeping`]
    Sleeping,
    /// [`Transition::Retrying`]
    Retrying,
    /// [`Transition::Waiting`]
    Waiting,
    /// [`Transition::Invoked`]
    Invoked,
    /// [`Transition::Abandoned`]
    Abandoned,
    /// [`Transition::Carried`]
    Carried,
    /// [`Transition::Succeeded`]; `undoable` in the store, where it has an undo.
    #[serde(alias = "undoable")]
    Succeeded,
    /// [`Transition::Failed`]
    Failed,
    /// [`Transition::Undoing`]
    Undoing,
}

impl Transition {
    /// Its name.
    pub fn kind(&self) -> TransitionKind {
        match self {
            Self::Sleeping { .. } => TransitionKind::Sleeping,
            Self::Retrying { .. } => TransitionKind::Retrying,
            Self::Waiting { .. } => TransitionKind::Waiting,
            Self::Invoked { .. } => TransitionKind::Invoked,
            Self::Abandoned => TransitionKind::Abandoned,
            Self::Carried { .. } => TransitionKind::Carried,
            Self::Succeeded { .. } => TransitionKind::Succeeded,
            Self::Failed { .. } => TransitionKind::Failed,
            Self::Undoing { .. } => TransitionKind::Undoing,
        }
    }

    /// Whether the step is over.
    pub fn is_outcome(&self) -> bool {
        matches!(self, Self::Succeeded { .. } | Self::Failed { .. } | Self::Carried { .. })
    }
}
