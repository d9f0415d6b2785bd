//! Messages as columns: what both implementations keep in an inbox.
//!
//! Of an event an inbox has only the id; its data is read from the event itself. The message of a
//! child's end has the child's id, and so has one that a parent sends the parent's: each comes once.

use tracing::error;
use uuid::Uuid;

use super::StoreError;
use super::error_column::error_record;
use super::read::Columns;
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

/// Reads a message.
pub(super) fn message(row: &impl Columns) -> Result<Message, StoreError> {
    let (id, kind): (Uuid, _) = (row.uuid("id")?, row.text("kind")?);
    let corrupt = |what: &str| StoreError::Corrupt(format!("the message {id} to a run: {what}"));
    let event = |column| row.text_or_null(column)?.ok_or_else(|| corrupt("its event is gone"));
    let content = match kind.as_str() {
        EVENT => Content::Event {
            name: event("name")?,
            id: id.into(),
            accepted_at: row.time("at")?,
            data: Payload::stored(event("data")?),
        },
        CHILD_ENDED => {
            let column = |name| row.text_or_null(name);
            let result = match (column("outcome")?, column("error")?, column("reason")?) {
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
        CANCEL => {
            let reason = row.text_or_null("reason")?;
            Content::Cancel { reason: reason.ok_or_else(|| corrupt("no reason"))? }
        }
        other => return Err(corrupt(&format!("`{other}` is no kind of message"))),
    };
    Ok(Message { id: id.into(), content })
}
