//! What is stored of an app's events: their schemas, and those that are blocked.

use serde::Serialize;

use super::Client;
use crate::error::{Error, Result};
use crate::event::EventId;
use crate::payload::{EncodeError, Payload};
use crate::store::{BlockedEvent, BlockedQuery, EventSchema, Resent};

impl Client {
    /// The JSON Schemas that the app's events have and had, in order of their names, the newest first. A
    /// program registers the schemas of its events when it [starts](crate::RuntimeBuilder::start). A schema
    /// that is no different from an earlier one is the same version of it.
    ///
    /// # Errors
    ///
    /// [`Error::NoApp`] if the client is for no app; or when the database does not answer.
    pub async fn event_schemas(&self) -> Result<Vec<EventSchema>> {
        Ok(self.store.event_schemas(self.app()?).await?)
    }

    /// Events that are blocked: some workflow of the app could not tell what to make of them. So they wait
    /// until a program starts that can, or until you [send them again](Self::resend) or
    /// [discard](Self::discard) them. Workers try them again when a program starts, and when the worker
    /// stops that could not tell.
    ///
    /// ```
    /// # use indelible::BlockedQuery;
    /// # async fn show(client: &indelible::Client) -> indelible::Result<()> {
    /// for event in client.blocked_events(&BlockedQuery::default()).await? {
    ///     for blocked in &event.blocked {
    ///         println!("{} for {}: {}", event.name, blocked.workflow, blocked.reason);
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NoApp`] if the client is for no app; or when the database does not answer.
    #[doc(alias("dead letters", "poison messages"))]
    pub async fn blocked_events(&self, query: &BlockedQuery) -> Result<Vec<BlockedEvent>> {
        Ok(self.store.blocked_events(self.app()?, query).await?)
    }

    /// Sends a blocked event again with changed data, for the workflows that it is blocked for and for no
    /// others. In the same transaction the old event stops being blocked. The new event has an id of its
    /// own, which this gives; the old one stays as it is.
    ///
    /// The data is what the event's type serialises to, or JSON. A client that does not have the app's code cannot
    /// check it: if it does not fit either, the new event is blocked in turn.
    ///
    /// ```
    /// # use indelible::prelude::*;
    /// # async fn mend(client: &indelible::Client, blocked: EventId) -> indelible::Result<()> {
    /// client.resend(blocked, &serde_json::json!({ "order": 7, "cents": 50 })).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotBlocked`] if the event is blocked for no workflow of the app, also if somebody else has
    /// just sent it again; [`Error::InvalidEvent`] if the data does not fit the event's type or is too large;
    /// or when the database does not answer.
    pub async fn resend(&self, event: EventId, data: &impl Serialize) -> Result<EventId> {
        let app = self.app()?;
        let blocked = self.store.blocked_event(app, event).await?;
        let blocked = blocked.ok_or(Error::NotBlocked(event))?;
        let data = serde_json::value::to_raw_value(data).map_err(|error| Error::NotStorable {
            what: format!("the event `{}`", blocked.name),
            cause: EncodeError::Json(error),
        })?;
        let data = match self.program() {
            Some(program) => program.check(&blocked.name, &data)?.into_parts().1,
            None => Payload::encode(&data, self.event_limit).map_err(|cause| {
                Error::NotStorable { what: format!("the event `{}`", blocked.name), cause }
            })?,
        };
        let new = Resent { id: EventId::new(), data };
        match self.store.resend_event(app, event, &new).await? {
            true => Ok(new.id),
            false => Err(Error::NotBlocked(event)),
        }
    }

    /// Gives up a blocked event: no workflow that it is blocked for will be asked about it again. The event
    /// itself is kept. Gives `false` if it is blocked for no workflow of the app.
    ///
    /// # Errors
    ///
    /// [`Error::NoApp`] if the client is for no app; or when the database does not answer.
    pub async fn discard(&self, event: EventId) -> Result<bool> {
        Ok(self.store.discard_event(self.app()?, event).await?)
    }
}
