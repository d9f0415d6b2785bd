//! Messages as columns: what both implementations keep in an inbox.
//!
//! Of an event an inbox has only the id; its data is read from the event itself. The message of a
//! child's end has the child's id, and so has one that a parent sends the parent's: each comes once.

use jiff::Timestamp;
use tracing::error;
use uuid::Uuid;

use super::StoreError;
use super::error_column::error_record;
use crate::journal::{Content, ErrorKind, ErrorRecord, Message, RunId};
use crate::payload::Payload;

pub(super) const EVENT: &str = "event";
pub(super) const CHILD_ENDED: &str = "child_ended";
pub(super) const CANCEL: &str = "cancel";

/// A run with a message to it, unless that cannot be read. Then others are not kept waiting for it:
/// when the run parks, the message makes it ready, and who claims it finds why it cannot go on.
pub(super) fn readable(
    told: Result<(RunId, Result<Message, StoreError>), StoreError>,
) -> Option<Result<(RunId, Message), StoreError>> {
    match told {
        Ok((run, Ok(message))) => Some(Ok((run, message))),
        Ok((run, Err(error))) => {
            error!(%run, %error, "cannot read a message to a run");
            None
        }
        Err(error) => Some(Err(error)),
    }
}

/// The key of a wait that was made with its run: no id has parentheses.
pub(super) fn cancel_key(number: usize) -> String {
    format!("(cancel {number})")
}

/// A message as it was read.
pub(super) struct MessageColumns {
    pub(super) id: Uuid,
    pub(super) kind: String,
    pub(super) at: Timestamp,
    /// The event's.
    pub(super) name: Option<String>,
    /// The event's.
    pub(super) data: Option<String>,
    /// What the child gave, or why it failed, or, in `reason`, why it was cancelled.
    pub(super) outcome: Option<String>,
    pub(super) error: Option<String>,
    pub(super) reason: Option<String>,
}

impl MessageColumns {
    pub(super) fn message(self) -> Result<Message, StoreError> {
        let Self { id, kind, at, name, data, outcome, error, reason } = self;
        let corrupt =
            |what: &str| StoreError::Corrupt(format!("the message {id} to a run: {what}"));
        let content = match kind.as_str() {
            EVENT => Content::Event {
                name: name.ok_or_else(|| corrupt("its event is gone"))?,
                id: id.into(),
                accepted_at: at,
                data: Payload::stored(data.ok_or_else(|| corrupt("its event is gone"))?),
            },
            CHILD_ENDED => {
                let result = match (outcome, error, reason) {
                    (Some(outcome), ..) => Ok(Payload::stored(outcome)),
                    (None, Some(error), _) => Err(error_record(&error)?),
                    (None, None, Some(reason)) => {
                        let message = format!("the run was cancelled: {reason}");
                        Err(ErrorRecord::new(ErrorKind::Cancelled, message))
                    }
                    (None, None, None) => return Err(corrupt("no result")),
                };
                Content::ChildEnded { child: RunId::from(id), result }
            }
            CANCEL => Content::Cancel { reason: reason.ok_or_else(|| corrupt("no reason"))? },
            other => return Err(corrupt(&format!("`{other}` is no kind of message"))),
        };
        Ok(Message { id: id.into(), content })
    }
}
