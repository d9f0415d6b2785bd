//! The journal's rows and the ends of runs as columns: what both implementations write and read.
//! Messages have a module of [their own](super::message).

use jiff::Timestamp;
use serde::Deserialize as _;
use serde::de::IntoDeserializer as _;
use uuid::Uuid;

use super::error_column::{error_record, error_text};
use super::kept_rows::RowHead;
use super::read::Columns;
use super::{RunStatus, StoreError};
use crate::journal::{Change, Due, End, Entry, Row, Then, Transition, TransitionKind};
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

/// An entry to be written; its due time is left open until the time of the commit is known.
pub(super) struct EntryColumns<'a> {
    pub(super) key: &'a str,
    pub(super) kind: String,
    pub(super) transition: &'static str,
    /// Of a carried loop the iteration.
    pub(super) attempt: Option<u32>,
    pub(super) due: Option<Due>,
    pub(super) child: Option<Uuid>,
    pub(super) outcome: Option<&'a str>,
    /// Of a carried loop the place of its first row, where this is a later one.
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

/// Reads a row.
pub(super) fn written(row: &impl Columns) -> Result<Row, StoreError> {
    let (seq, key) = (row.number("seq")?, row.text("key")?);
    let corrupt =
        |what: &str| StoreError::Corrupt(format!("row {seq} of a journal (`{key}`): {what}"));
    let attempt = || row.number_or_null("attempt")?.ok_or_else(|| corrupt("no number of attempts"));
    let due = row.time_or_null("due_at")?;
    let due_time = || due.ok_or_else(|| corrupt("no due time"));
    let error = || match row.text_or_null("error")? {
        Some(text) => error_record(&text),
        None => Err(corrupt("no error")),
    };
    let outcome = || match row.text_or_null("outcome")? {
        Some(text) => Ok(Payload::stored(text)),
        None => Err(corrupt("no outcome")),
    };
    let transition = row.text("transition")?;
    let transition = match transition.as_str() {
        SLEEPING => Transition::Sleeping { due: due_time()? },
        RETRYING => Transition::Retrying { attempt: attempt()?, due: due_time()?, error: error()? },
        WAITING => Transition::Waiting { due },
        INVOKED => {
            let child = row.uuid_or_null("child")?.ok_or_else(|| corrupt("no child"))?;
            Transition::Invoked { child, due }
        }
        ABANDONED => Transition::Abandoned,
        CARRIED => Transition::Carried {
            iteration: attempt()?,
            outcome: outcome()?,
            first: row.number_or_null("first_seq")?,
        },
        SUCCEEDED | UNDOABLE => Transition::Succeeded {
            attempt: attempt()?,
            outcome: outcome()?,
            undo: transition == UNDOABLE,
        },
        FAILED => Transition::Failed { attempt: attempt()?, error: error()? },
        UNDOING => Transition::Undoing { error: error()? },
        other => return Err(corrupt(&format!("`{other}` is no transition"))),
    };
    Ok(Row {
        seq,
        kind: row.text("kind")?.parse().map_err(|reason: String| corrupt(&reason))?,
        key: key.into(),
        transition,
        started_at: row.time_or_null("started_at")?,
        at: row.time("at")?,
    })
}

/// Reads a row as far as operators' verbs look at it.
pub(super) fn row_head(row: &impl Columns) -> Result<RowHead, StoreError> {
    let (seq, key, transition) = (row.number("seq")?, row.text("key")?, row.text("transition")?);
    let name = if transition == UNDOABLE { SUCCEEDED } else { &transition };
    let kind: Result<_, serde::de::value::Error> =
        TransitionKind::deserialize(name.into_deserializer());
    let corrupt =
        |_| StoreError::Corrupt(format!("row {seq} of a journal (`{key}`): `{transition}`"));
    let transition = kind.map_err(corrupt)?;
    Ok(RowHead { seq, transition, first: row.number_or_null("first_seq")?, key: key.into() })
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
        let columns = |status: RunStatus| Self {
            status: status.name(),
            due: None,
            over: status.is_over(),
            output: None,
            error: None,
            cancelled: None,
            held: None,
        };
        use RunStatus::{Cancelled, Completed, Failed, Held, Queued, Waiting};
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
