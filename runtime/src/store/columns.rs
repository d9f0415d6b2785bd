//! The journal's lines and the ends of runs as columns: what both implementations write and read.
//! Messages have a module of [their own](super::message).

use jiff::Timestamp;
use serde::Deserialize as _;
use serde::de::IntoDeserializer as _;
use uuid::Uuid;

use super::error_column::{error_record, error_text};
use super::verbs::Line;
use super::{StoreError, Then};
use crate::journal::{Change, Due, Entry, Row, Transition, TransitionKind};
use crate::machine::End;
use crate::payload::Payload;

const SLEEPING: &str = "sleeping";
const RETRYING: &str = "retrying";
const WAITING: &str = "waiting";
const INVOKED: &str = "invoked";
const ABANDONED: &str = "abandoned";
const CARRIED: &str = "carried";
const SUCCEEDED: &str = "succeeded";
/// It succeeded, and a carried loop keeps it, as it may have to be undone.
pub(super) const UNDOABLE: &str = "undoable";
const FAILED: &str = "failed";
const UNDOING: &str = "undoing";

/// A line to be written; its due time is left open until the time of the commit is known.
pub(super) struct EntryColumns<'a> {
    pub(super) key: &'a str,
    pub(super) kind: String,
    pub(super) transition: &'static str,
    /// Of a carried loop the iteration.
    pub(super) attempt: Option<u32>,
    pub(super) due: Option<Due>,
    pub(super) child: Option<Uuid>,
    pub(super) outcome: Option<&'a str>,
    /// Of a carried loop the place of its first line, where this is a later one.
    pub(super) first: Option<u32>,
    pub(super) error: Option<String>,
    pub(super) started_at: Option<Timestamp>,
}

impl<'a> EntryColumns<'a> {
    pub(super) fn of(entry: &'a Entry) -> Self {
        let columns = Self {
            key: entry.key.as_str(),
            kind: entry.kind.to_string(),
            transition: SLEEPING,
            attempt: None,
            due: None,
            child: None,
            outcome: None,
            first: None,
            error: None,
            started_at: entry.started_at,
        };
        match &entry.change {
            Change::Sleep(due) => Self { due: Some(*due), ..columns },
            Change::Retry { attempt, after, error, .. } => Self {
                transition: RETRYING,
                attempt: Some(*attempt),
                due: Some(Due::After(*after)),
                error: Some(error_text(error)),
                ..columns
            },
            Change::Wait { timeout, .. } => {
                Self { transition: WAITING, due: timeout.map(Due::After), ..columns }
            }
            Change::Invoke { child, timeout } => Self {
                transition: INVOKED,
                due: timeout.map(Due::After),
                child: Some(child.id.as_uuid()),
                ..columns
            },
            Change::Abandon { .. } => Self { transition: ABANDONED, ..columns },
            Change::Carry { iteration, outcome, first, .. } => Self {
                transition: CARRIED,
                attempt: Some(*iteration),
                first: *first,
                outcome: Some(outcome.as_str()),
                ..columns
            },
            Change::Succeed { attempt, outcome, undo, .. } => Self {
                transition: if *undo { UNDOABLE } else { SUCCEEDED },
                attempt: Some(*attempt),
                outcome: Some(outcome.as_str()),
                ..columns
            },
            Change::Fail { attempt, error, .. } => Self {
                transition: FAILED,
                attempt: Some(*attempt),
                error: Some(error_text(error)),
                ..columns
            },
            Change::Undo { error, .. } => {
                Self { transition: UNDOING, error: Some(error_text(error)), ..columns }
            }
        }
    }
}

/// A line as it was read.
pub(super) struct RowColumns {
    pub(super) seq: i64,
    pub(super) key: String,
    pub(super) kind: String,
    pub(super) transition: String,
    pub(super) attempt: Option<i64>,
    pub(super) due: Option<Timestamp>,
    pub(super) child: Option<Uuid>,
    pub(super) outcome: Option<String>,
    pub(super) first: Option<i64>,
    pub(super) error: Option<String>,
    pub(super) started_at: Option<Timestamp>,
    pub(super) at: Timestamp,
}

impl RowColumns {
    pub(super) fn row(self) -> Result<Row, StoreError> {
        let Self {
            seq,
            key,
            kind,
            transition,
            attempt,
            due,
            child,
            outcome,
            first,
            error,
            started_at,
            at,
        } = self;
        let corrupt =
            |what: &str| StoreError::Corrupt(format!("line {seq} of a journal (`{key}`): {what}"));
        let attempt = || {
            attempt
                .and_then(|attempt| u32::try_from(attempt).ok())
                .ok_or_else(|| corrupt("no number of attempts"))
        };
        let place = |seq: i64| u32::try_from(seq).map_err(|_| corrupt("its place is out of range"));
        let due_time = || due.ok_or_else(|| corrupt("no due time"));
        let error = || match &error {
            Some(text) => error_record(text),
            None => Err(corrupt("no error")),
        };
        let outcome_text =
            || outcome.clone().map(Payload::stored).ok_or_else(|| corrupt("no outcome"));
        let transition = match transition.as_str() {
            SLEEPING => Transition::Sleeping { due: due_time()? },
            RETRYING => {
                Transition::Retrying { attempt: attempt()?, due: due_time()?, error: error()? }
            }
            WAITING => Transition::Waiting { due },
            INVOKED => {
                Transition::Invoked { child: child.ok_or_else(|| corrupt("no child"))?.into(), due }
            }
            ABANDONED => Transition::Abandoned,
            CARRIED => Transition::Carried {
                iteration: attempt()?,
                outcome: outcome_text()?,
                first: first.map(place).transpose()?,
            },
            SUCCEEDED | UNDOABLE => Transition::Succeeded {
                attempt: attempt()?,
                outcome: outcome_text()?,
                undo: transition == UNDOABLE,
            },
            FAILED => Transition::Failed { attempt: attempt()?, error: error()? },
            UNDOING => Transition::Undoing { error: error()? },
            other => return Err(corrupt(&format!("`{other}` is no transition"))),
        };
        Ok(Row {
            seq: place(seq)?,
            kind: kind.parse().map_err(|reason: String| corrupt(&reason))?,
            key: key.into(),
            transition,
            started_at,
            at,
        })
    }
}

/// A line as far as operators' verbs look at it.
pub(super) struct LineColumns {
    pub(super) seq: i64,
    pub(super) key: String,
    pub(super) transition: String,
    pub(super) first: Option<i64>,
}

impl LineColumns {
    pub(super) fn line(self) -> Result<Line, StoreError> {
        let Self { seq, key, transition, first } = self;
        let corrupt =
            || StoreError::Corrupt(format!("line {seq} of a journal (`{key}`): `{transition}`"));
        let name = if transition == UNDOABLE { SUCCEEDED } else { &transition };
        let kind: Result<_, serde::de::value::Error> =
            TransitionKind::deserialize(name.into_deserializer());
        let place = |seq: i64| u32::try_from(seq).map_err(|_| corrupt());
        Ok(Line {
            seq: place(seq)?,
            transition: kind.map_err(|_| corrupt())?,
            first: first.map(place).transpose()?,
            key: key.clone().into(),
        })
    }
}

/// What a commit makes of a run that it takes from its worker.
pub(super) struct LeaveColumns<'a> {
    pub(super) status: &'static str,
    pub(super) due: Option<Timestamp>,
    pub(super) over: bool,
    pub(super) output: Option<&'a str>,
    pub(super) error: Option<String>,
    pub(super) cancelled: Option<String>,
    pub(super) held: Option<String>,
}

impl<'a> LeaveColumns<'a> {
    /// `None` if the worker keeps the run.
    pub(super) fn of(then: &'a Then) -> Option<Self> {
        let columns = |status: super::RunStatus| Self {
            status: status.name(),
            due: None,
            over: status.is_over(),
            output: None,
            error: None,
            cancelled: None,
            held: None,
        };
        use super::RunStatus::{Cancelled, Completed, Failed, Held, Queued, Waiting};
        match then {
            Then::Continue => None,
            Then::Park(due) => Some(Self { due: *due, ..columns(Waiting) }),
            Then::End(End::Completed(output)) => {
                Some(Self { output: Some(output.as_str()), ..columns(Completed) })
            }
            Then::End(End::Failed(error)) => {
                Some(Self { error: Some(error_text(error)), ..columns(Failed) })
            }
            Then::End(End::Cancelled(reason)) => {
                Some(Self { cancelled: Some(reason_text(reason)), ..columns(Cancelled) })
            }
            Then::Hold(reason) => Some(Self { held: Some(reason_text(reason)), ..columns(Held) }),
            Then::Release | Then::Restart { .. } => Some(columns(Queued)),
        }
    }
}

/// A reason as it is stored. Postgres has no NUL in text, and neither a hold nor a cancellation may
/// ever be refused.
pub(super) fn reason_text(reason: &str) -> String {
    reason.replace('\0', "\u{fffd}")
}
