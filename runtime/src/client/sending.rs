use std::borrow::Cow;
use std::future::{Future, IntoFuture};
use std::pin::Pin;

use super::Client;
use crate::error::Result;
use crate::event::EventId;
use crate::payload::Payload;

/// An event to send; await it. See [`Client::send`].
#[must_use = "an event is sent when this is awaited"]
pub struct Sending<'c> {
    client: &'c Client,
    name: Cow<'static, str>,
    data: Result<Payload>,
    idempotency_key: Option<String>,
}

impl<'c> Sending<'c> {
    pub(super) fn new(
        client: &'c Client,
        name: impl Into<Cow<'static, str>>,
        data: Result<Payload>,
    ) -> Self {
        Self { client, name: name.into(), data, idempotency_key: None }
    }

    /// Sends the event only once, even if the sender tries again with the same key.
    ///
    /// If an event with the same name and key was sent in the last 24 hours, nothing is sent, and the
    /// `.await` gives the id of that earlier event. A key has at most 1 KiB and no NUL character (U+0000).
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    async fn send(self) -> Result<EventId> {
        let Self { client, name, data, idempotency_key } = self;
        let event = client.accept(&name, data?, idempotency_key)?;
        let id = event.id;
        let ids = client.accept_all(&[event]).await?;
        Ok(ids.first().copied().unwrap_or(id))
    }
}

impl<'c> IntoFuture for Sending<'c> {
    type Output = Result<EventId>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'c>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}
