use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::message::{CancelKey, MatchKey};
use super::row::{Row, Transition};
use crate::error_record::ErrorRecord;
use crate::id::{EventId, RunId};
use crate::key::StateKey;
use crate::payload::Payload;
use crate::workflow::{Gate, StepKind};

/// What a machine asks to be committed as a row of the journal. What depends on the clock is left open until then.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The step that it is about.
    pub key: StateKey,
    /// What that step does.
    pub kind: StepKind,
    /// What happened to it.
    pub change: Change,
    /// When that began.
    pub started_at: Option<Timestamp>,
}

/// A [`Transition`] before its commit: due times count from the commit, whose time the database
/// sets.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Becomes [`Transition::Sleeping`].
    Sleep(Due),
    /// Becomes [`Transition::Retrying`].
    Retry {
        /// How many attempts have been made.
        attempt: u32,
        /// How many are made at most.
        of: u32,
        /// How long the next one waits, from the commit.
        after: Duration,
        /// Why the last one failed.
        error: ErrorRecord,
    },
    /// Becomes [`Transition::Waiting`].
    Wait {
        /// What it waits for.
        awaited: MatchKey,
        /// The same for whoever asks: the event and its fields, as text.
        described: String,
        /// Whether events count that were accepted before this commit, back to the run's trigger.
        from_trigger: bool,
        /// How long it waits, from the commit; for ever without it.
        timeout: Option<Duration>,
    },
    /// Becomes [`Transition::Invoked`].
    Invoke {
        /// The run that is started in the same commit.
        child: Child,
        /// How long its end is waited for, from the commit; for ever without it.
        timeout: Option<Duration>,
    },
    /// Becomes [`Transition::Abandoned`]. The wait for an event is removed; an attached child is
    /// asked to cancel.
    Abandon {
        /// The child that is asked to cancel.
        cancelled: Option<RunId>,
    },
    /// Becomes [`Transition::Carried`]. The rows from the loop's last such row on are removed, but
    /// for outcomes that may have to be undone.
    Carry {
        /// Which iteration, from 1.
        iteration: u32,
        /// The carried variables.
        outcome: Payload,
        /// The place of the loop's row for the iteration before; what stands from there on is
        /// removed in the same commit.
        replaces: Option<u32>,
        /// The place of the loop's first row, where this is a later one.
        first: Option<u32>,
    },
    /// Becomes [`Transition::Succeeded`].
    Succeed {
        /// How many attempts were made.
        attempt: u32,
        /// What it gave.
        outcome: Payload,
        /// Events that are accepted in the same commit.
        events: Vec<OutgoingEvent>,
        /// Whether it is undone if the run does not complete.
        undo: bool,
    },
    /// Becomes [`Transition::Failed`].
    Fail {
        /// How many attempts were made.
        attempt: u32,
        /// How many would have been made at most.
        of: u32,
        /// Why the last one failed.
        error: ErrorRecord,
        /// The child that is asked to cancel, where its end was waited for too long.
        cancelled: Option<RunId>,
    },
    /// Becomes [`Transition::Undoing`].
    Undo {
        /// Why.
        error: ErrorRecord,
        /// Attached children that are asked to cancel; their ends are waited for first.
        cancelled: Vec<RunId>,
    },
}

impl Change {
    /// An outcome without events and without an undo.
    pub(crate) fn succeeded(attempt: u32, outcome: Payload) -> Self {
        Self::Succeed { attempt, outcome, events: Vec::new(), undo: false }
    }
}

/// A run that a step starts.
#[derive(Debug, Clone, PartialEq)]
pub struct Child {
    /// Its id.
    pub id: RunId,
    /// Its workflow.
    pub workflow: &'static str,
    /// Its input.
    pub input: Payload,
    /// What its derived values rest on.
    pub seed: Uuid,
    /// Whether it goes on when its parent ends.
    pub detached: bool,
    /// The events that cancel it.
    pub cancels: Vec<CancelKey>,
    /// What it has to pass before it begins.
    pub gates: Vec<Gate>,
    /// How many seconds it is ahead of others that were accepted with it.
    pub ahead: i32,
}

/// When a sleep ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// So long after the commit.
    After(Duration),
    /// At this time.
    At(Timestamp),
}

/// An event that a step sends, or that the end of a run makes.
#[derive(Debug, Clone, PartialEq)]
pub struct OutgoingEvent {
    /// Its id.
    pub id: EventId,
    /// Its name.
    pub name: &'static str,
    /// Its data.
    pub data: Payload,
}

impl Entry {
    /// The row that this becomes when it is committed at `at`.
    #[doc(hidden)]
    pub fn committed(self, seq: u32, at: Timestamp) -> Row {
        let Self { key, kind, change, started_at } = self;
        Row { seq, key, kind, transition: change.committed(at), started_at, at }
    }
}

impl Change {
    /// Whether it is a step's end, which stays on record even if the body no longer waits for it.
    pub(crate) fn is_outcome(&self) -> bool {
        matches!(self, Self::Succeed { .. } | Self::Fail { .. })
    }

    /// What this becomes when it is committed at `at`.
    pub fn committed(self, at: Timestamp) -> Transition {
        match self {
            Self::Sleep(due) => Transition::Sleeping { due: due.from(at) },
            Self::Retry { attempt, after, error, .. } => {
                Transition::Retrying { attempt, due: Due::After(after).from(at), error }
            }
            Self::Succeed { attempt, outcome, undo, .. } => {
                Transition::Succeeded { attempt, outcome, undo }
            }
            Self::Wait { timeout, .. } => {
                Transition::Waiting { due: timeout.map(|timeout| Due::After(timeout).from(at)) }
            }
            Self::Invoke { child, timeout } => Transition::Invoked {
                child: child.id,
                due: timeout.map(|timeout| Due::After(timeout).from(at)),
            },
            Self::Abandon { .. } => Transition::Abandoned,
            Self::Carry { iteration, outcome, first, .. } => {
                Transition::Carried { iteration, outcome, first }
            }
            Self::Fail { attempt, error, .. } => Transition::Failed { attempt, error },
            Self::Undo { error, .. } => Transition::Undoing { error },
        }
    }
}

impl Due {
    /// A longer wait (some 285 years, the most that a double counts in microseconds) lasts until the
    /// end of the calendar.
    const LONGEST: Duration = Duration::from_micros((1 << 53) - 1);

    /// The time itself, for a commit at `at`: rounded up to a microsecond, as exact as what is
    /// stored, so that it reads back as it was and never too early.
    pub fn from(self, at: Timestamp) -> Timestamp {
        let time = match self.bounded() {
            Self::After(wait) => at.saturating_add(wait).unwrap_or(Timestamp::MAX),
            Self::At(time) => time,
        };
        round_up(time)
    }

    /// The same within what every database can hold.
    #[doc(hidden)]
    pub fn bounded(self) -> Self {
        match self {
            Self::After(wait) if wait > Self::LONGEST => Self::At(round_up(Timestamp::MAX)),
            Self::After(wait) => {
                Self::After(Duration::from_micros(wait.as_nanos().div_ceil(1000) as u64))
            }
            // What is long past is due at once: no database has to know the stone age.
            Self::At(time) => Self::At(round_up(time.max(Timestamp::UNIX_EPOCH))),
        }
    }
}

/// The first full microsecond that is not before `time`, or the calendar's last.
pub fn round_up(time: Timestamp) -> Timestamp {
    let nanos = time.as_nanosecond();
    let rounded = nanos + (-nanos).rem_euclid(1000);
    // What `from_microsecond` takes ends with the calendar's last second, not within it.
    let last = Timestamp::MAX.as_second();
    Timestamp::from_nanosecond(rounded.min(i128::from(last) * 1_000_000_000)).unwrap_or(time)
}
