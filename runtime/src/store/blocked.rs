//! Events that workflows could not tell what to make of, as they are listed, sent again and discarded.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Serialize;

use super::StoreError;
use super::read::Columns;
use crate::event::EventId;
use crate::payload::Payload;

/// What is done about events that are blocked.
#[async_trait]
pub(crate) trait Blockages: Send + Sync {
    /// The events of an app that are blocked, in the order of their ids.
    async fn blocked_events(
        &self,
        app: &str,
        query: &BlockedQuery,
    ) -> Result<Vec<BlockedEvent>, StoreError>;

    /// One of them, if it is.
    async fn blocked_event(
        &self,
        app: &str,
        event: EventId,
    ) -> Result<Option<BlockedEvent>, StoreError>;

    /// Accepts an event of the same name for the workflows of the app that the old one is blocked for, which
    /// is no longer blocked; `false` if it is blocked for none. A transaction of two that do so at the same
    /// time finds nothing.
    async fn resend_event(&self, app: &str, old: EventId, new: &Resent)
    -> Result<bool, StoreError>;

    /// Gives up an event that is blocked, and delivers it to nobody; `false` if it is blocked for no workflow.
    async fn discard_event(&self, app: &str, event: EventId) -> Result<bool, StoreError>;
}

/// What is sent in place of an event that is blocked.
#[derive(Debug, Clone)]
pub(crate) struct Resent {
    pub(crate) id: EventId,
    pub(crate) data: Payload,
}

/// Which blocked events to list. See [`Client::blocked_events`](crate::Client::blocked_events).
#[derive(Debug, Clone, Default)]
pub struct BlockedQuery {
    /// Only events with a greater id. For the next page, give the id of the last event of this page.
    pub after: Option<EventId>,
    /// At most this many events: 100 without it.
    pub limit: Option<u32>,
}

impl BlockedQuery {
    pub(super) fn page(&self) -> i64 {
        self.limit.unwrap_or(100).into()
    }
}

/// An event that some workflows of the app could not tell what to make of.
#[derive(Debug, Clone, Serialize)]
#[doc(alias("dead letter", "poison message"))]
#[non_exhaustive]
pub struct BlockedEvent {
    /// Its id.
    pub id: EventId,
    /// Its name.
    pub name: String,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// Its data.
    pub data: Payload,
    /// The workflows that it is kept for.
    pub blocked: Vec<BlockedFor>,
}

/// A workflow that could not tell what to make of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BlockedFor {
    /// The workflow's id.
    pub workflow: String,
    /// Why: a condition or a key fails, or the data does not fit the event's type. Then the reason has the
    /// place in the data as a JSON pointer (RFC 6901).
    pub reason: String,
}

/// Reads events with the workflows that they are blocked for: one row for each workflow, those of one event
/// behind one another.
pub(super) fn read_blocked<R: Columns>(rows: &[R]) -> Result<Vec<BlockedEvent>, StoreError> {
    let mut events = Vec::<BlockedEvent>::new();
    for row in rows {
        let (id, part) = (row.uuid("event_id")?, row.text("part")?);
        let (_, workflow) = part
            .split_once(" starts ")
            .ok_or_else(|| StoreError::Corrupt(format!("`{part}` is blocked")))?;
        let blocked = BlockedFor { workflow: workflow.to_owned(), reason: row.text("reason")? };
        match events.last_mut() {
            Some(last) if last.id == id => last.blocked.push(blocked),
            _ => events.push(BlockedEvent {
                id,
                name: row.text("name")?,
                accepted_at: row.time("accepted_at")?,
                data: row.payload("data")?,
                blocked: vec![blocked],
            }),
        }
    }
    Ok(events)
}
