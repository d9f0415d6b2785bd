use std::borrow::Cow;
use std::future::{Future, IntoFuture};
use std::pin::Pin;

use jiff::Timestamp;

use super::{Client, Delay};
use crate::error::Result;
use crate::event::EventId;
use crate::journal::Due;
use crate::payload::Payload;
use crate::program::to_be_delivered;
use crate::store::NewEvent;
use crate::trace::TraceContext;
use crate::transaction::{Borrowed, Transactional};

/// An event to send; await it. See [`Client::send`].
#[must_use = "an event is sent when this is awaited"]
pub struct Sending<'c> {
    client: &'c Client,
    name: Cow<'static, str>,
    data: Result<Payload>,
    idempotency_key: Option<String>,
    due: Option<Result<Due>>,
    trace: Option<TraceContext>,
    door: Door<'c>,
}

/// On whose transaction an event is sent.
enum Door<'c> {
    Own,
    Theirs(Borrowed<'c>),
}

impl<'c> Sending<'c> {
    pub(super) fn new(
        client: &'c Client,
        name: impl Into<Cow<'static, str>>,
        data: Result<Payload>,
    ) -> Self {
        let (name, door) = (name.into(), Door::Own);
        Self { client, name, data, idempotency_key: None, due: None, trace: None, door }
    }

    pub(super) fn within(self, tx: &'c mut impl Transactional) -> Self {
        Self { door: Door::Theirs(tx.borrow()), ..self }
    }

    /// Sends the event only once, even if the sender tries again with the same key.
    ///
    /// If an event with the same name and key was sent in the last 24 hours, nothing is sent, and the
    /// `.await` gives the id of that earlier event. A key has at most 1 KiB and no NUL character (U+0000).
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// Sends the event later: at this time, by the database's clock, and never earlier. A time that has
    /// passed is now.
    ///
    /// The event is durable when the `.await` is over, and its id is the one that the `.await` gives. It is
    /// accepted when its time has come, by any worker of this database: its place among the other events,
    /// and the time at which it was accepted, are those of that moment. Its idempotency key is remembered
    /// from now on. If no worker is there then, the first one that starts accepts it.
    ///
    /// ```
    /// # use indelible::prelude::*;
    /// # #[derive(Event, Serialize, Deserialize, JsonSchema)]
    /// # #[event(name = "trial/ended")]
    /// # struct TrialEnded { user: u32 }
    /// # async fn send(client: &indelible::Client, end: Timestamp) -> indelible::Result<()> {
    /// client.send(TrialEnded { user: 7 }).at(end).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias("schedule", "delay", "deliver_at", "ts"))]
    pub fn at(mut self, time: Timestamp) -> Self {
        self.due = Some(Ok(Due::At(time)));
        self
    }

    /// Sends the event so long after it was stored, as [`at`](Self::at) does. Give a `Duration`, or a text
    /// such as `"1h"`, `"3 days"` or `"1h 30m"`. A text that is no duration is an error of the `.await`.
    ///
    /// ```
    /// # use indelible::prelude::*;
    /// # #[derive(Event, Serialize, Deserialize, JsonSchema)]
    /// # #[event(name = "cart/abandoned")]
    /// # struct CartAbandoned { cart: u32 }
    /// # async fn send(client: &indelible::Client) -> indelible::Result<()> {
    /// client.send(CartAbandoned { cart: 7 }).after("1h").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn after(mut self, delay: impl Delay) -> Self {
        self.due = Some(delay.read().map(Due::After));
        self
    }

    /// Sends the event with the trace that it belongs to. The runs that it starts go on with it: see
    /// [`Step::trace_context`](crate::step::Step::trace_context).
    ///
    /// ```
    /// # use indelible::prelude::*;
    /// # #[derive(Event, Serialize, Deserialize, JsonSchema)]
    /// # #[event(name = "cart/abandoned")]
    /// # struct CartAbandoned { cart: u32 }
    /// # async fn send(client: &indelible::Client, header: &str) -> Result<(), Failure> {
    /// let trace = header.parse()?;
    /// client.send(CartAbandoned { cart: 7 }).trace_context(trace).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias("traceparent", "tracestate"))]
    pub fn trace_context(mut self, trace: TraceContext) -> Self {
        self.trace = Some(trace);
        self
    }

    async fn send(self) -> Result<EventId> {
        let Self { client, name, data, idempotency_key, due, trace, door } = self;
        let trace = trace.or_else(|| client.trace());
        let (data, due) = (data?, due.transpose()?);
        if let (None, Door::Own) = (due, &door) {
            let event = client.accept(&name, data, idempotency_key, trace)?;
            return Ok(client.accept_batch(&[event]).await?[0]);
        }
        let event = NewEvent { due, ..to_be_delivered(&name, data, idempotency_key, trace)? };
        match door {
            Door::Own => Ok(client.store.accept_events(None, &[event]).await?[0]),
            Door::Theirs(tx) => Ok(client.store.send_in(tx, &event).await?),
        }
    }
}

impl<'c> IntoFuture for Sending<'c> {
    type Output = Result<EventId>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'c>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}
