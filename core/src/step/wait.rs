use std::future::IntoFuture;
use std::task::{Context, Poll};
use std::time::Duration;

use serde_json::Value;

use super::Step;
use super::durable::{Durable, StepFuture};
use super::error::StepError;
use super::held::Held;
use super::operations::{Fault, Instruction, Resolution, Stored};
use crate::event::{Event, EventField, Matches, Received};
use crate::journal::{self, AwaitedEvent, Change, Content, MatchKey, Message};
use crate::payload::{Payload, Undecodable};
use crate::workflow::{State, StepKind};

impl Step {
    /// Waits for an event. The waiting run holds no memory.
    ///
    /// The wait sees **every** event that was accepted after the run's trigger, even one that came before
    /// the run reached the wait. So no event is lost between a step and the wait. To see only later
    /// events, use [`from_now`](WaitForEvent::from_now).
    ///
    /// One event ends at most one wait in a run, but it ends a wait in every run that waits for it. The
    /// `.await` gives `None` if the [`timeout`](WaitForEvent::timeout) is over first. Without a time-out
    /// the run may wait for ever.
    ///
    /// `.matching(field = value, ..)`, right behind this call, selects events whose fields have these
    /// values, compared as JSON. An index finds them: a million waits for one event type, each for another
    /// order, cost no more than one.
    ///
    /// ```
    /// # extern crate indelible_core as indelible;
    /// # use indelible::prelude::*;
    /// # #[derive(Event, Serialize, Deserialize, JsonSchema)]
    /// # #[event(name = "order/placed")]
    /// # struct Placed { order: u32 }
    /// #[derive(Event, Serialize, Deserialize, JsonSchema)]
    /// #[event(name = "order/paid")]
    /// struct Paid {
    ///     order: u32,
    ///     cents: u64,
    /// }
    ///
    /// #[workflow]
    /// async fn on_placed(event: Placed, step: Step) -> Result<bool, Failure> {
    ///     let paid = step
    ///         .wait_for_event::<Paid>("await-payment")
    ///         .matching(order = event.order)
    ///         .filter(|paid| paid.cents > 0)
    ///         .timeout("2 days")
    ///         .await;
    ///     Ok(paid.is_some())
    /// }
    /// ```
    #[doc(alias("signal", "receive", "wait"))]
    pub fn wait_for_event<E: Event>(&self, state: impl State) -> WaitForEvent<'static, E> {
        WaitForEvent {
            held: Held::claim(self, state, StepKind::WaitForEvent),
            fields: Vec::new(),
            filter: None,
            from_trigger: true,
            timeout: None,
            event: Typed::new(),
        }
    }
}

/// A field of the event, before the wait gets the value to compare it with.
#[doc(hidden)]
pub struct OnField<'s, E, T> {
    wait: WaitForEvent<'s, E>,
    field: EventField<E, T>,
}

impl<'s, E, T> OnField<'s, E, T> {
    #[doc(hidden)]
    pub fn equals(self, value: impl Matches<T>) -> WaitForEvent<'s, E> {
        let Self { mut wait, field } = self;
        wait.fields.push((field.name(), field.encode(value)));
        wait
    }
}

type Filter<'s, E> = Box<dyn Fn(&E) -> bool + Send + 's>;

/// A wait for an event; await it. See [`Step::wait_for_event`].
#[must_use = "a step does nothing until it is awaited"]
pub struct WaitForEvent<'s, E> {
    held: Held,
    fields: Vec<(&'static str, Value)>,
    filter: Option<Filter<'s, E>>,
    from_trigger: bool,
    timeout: Option<Duration>,
    event: Typed<E>,
}

/// What a wait knows of its event's type. With it awaiting asks for no bounds: where what is waited
/// for is no event, this is said once, of the type that stands there.
struct Typed<E> {
    name: &'static str,
    decode: fn(&Payload) -> Result<E, Undecodable>,
    outcome: fn(&Held, Resolution) -> Poll<Ended<E>>,
}

/// How a wait ended, as it is stored.
type Ended<E> = Result<Option<Received<E>>, StepError>;

impl<E: Event> Typed<E> {
    fn new() -> Self {
        Self { name: E::NAME, decode: Payload::decode, outcome: Held::decode }
    }
}

impl<'s, E: Event> WaitForEvent<'s, E> {
    /// What `.matching(field = value)` becomes, which is to stand where the wait is made: which fields
    /// are looked at has to be known before any run begins.
    #[doc(hidden)]
    pub fn on_field<T>(
        self,
        field: impl FnOnce(E::Fields) -> EventField<E, T>,
    ) -> OnField<'s, E, T> {
        OnField { wait: self, field: field(E::FIELDS) }
    }

    /// Waits only for an event that passes the filter. The filter runs for each event that matches, so
    /// prefer `.matching(..)` where you can.
    pub fn filter<'f>(self, filter: impl Fn(&E) -> bool + Send + 'f) -> WaitForEvent<'f, E>
    where
        's: 'f,
    {
        WaitForEvent { filter: Some(Box::new(filter)), ..self }
    }

    /// Sees only events that are accepted after the wait has been committed.
    pub fn from_now(mut self) -> Self {
        self.from_trigger = false;
        self
    }

    /// How long to wait. After that time the `.await` gives `None`. If an event reaches the run before the
    /// run notices that the time is over, the wait takes it, even if that is late because no worker ran.
    ///
    /// In a workflow write a literal, `.timeout("2 days")`; it is checked at compile time.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Names this occurrence of the wait. Waits with the same id that run side by side need different
    /// names. The name has to be the same on every resume.
    ///
    /// # Panics
    ///
    /// If the name is longer than 1 KiB or has a NUL character (U+0000). The panic fails the run.
    #[track_caller]
    pub fn key(mut self, name: impl std::fmt::Display) -> Self {
        self.held.rename(&name);
        self
    }
}

#[diagnostic::do_not_recommend]
impl<'s, E: 's> Durable for WaitForEvent<'s, E> {}

#[diagnostic::do_not_recommend]
impl<'s, E: 's> IntoFuture for WaitForEvent<'s, E> {
    type Output = Option<Received<E>>;
    type IntoFuture = StepFuture<'s, Self::Output>;

    fn into_future(mut self) -> Self::IntoFuture {
        let fields = self.fields.iter().map(|(name, _)| *name).collect();
        let key = MatchKey::new(self.event.name, &self.fields);
        self.held.entering.awaited = Some(journal::Awaited { event: self.event.name, fields, key });
        StepFuture::new(move |cx| self.poll(key, cx))
    }
}

impl<E> WaitForEvent<'_, E> {
    fn poll(&mut self, awaited: MatchKey, cx: &mut Context<'_>) -> Poll<Option<Received<E>>> {
        loop {
            match self.held.poll(None, cx) {
                Instruction::Begin { .. } => {
                    let Self { from_trigger, timeout, .. } = *self;
                    let described = AwaitedEvent::of(self.event.name, &self.fields).text();
                    let wait = Change::Wait { awaited, described, from_trigger, timeout };
                    self.held.hand_in(wait);
                }
                Instruction::Consider(message) => self.consider(message),
                // A wait cannot fail: what cannot be decoded holds the run.
                Instruction::Take(resolution) => {
                    return match (self.event.outcome)(&self.held, resolution) {
                        Poll::Ready(received) => Poll::Ready(received.unwrap_or_default()),
                        Poll::Pending => Poll::Pending,
                    };
                }
                _ => return Poll::Pending,
            }
        }
    }

    /// Takes the event, if it passes the filter.
    fn consider(&self, message: Message) {
        let Content::Event { id, accepted_at, data, .. } = &message.content else { return };
        let key = self.held.key();
        let passes = match (&self.filter, (self.event.decode)(data)) {
            (_, Err(error)) => {
                let fault = Fault::undecodable(
                    Stored::Event(key.clone()),
                    std::any::type_name::<E>(),
                    &error,
                    data,
                );
                return self.held.operations().fail(fault);
            }
            (None, Ok(_)) => true,
            (Some(filter), Ok(event)) => filter(&event),
        };
        let mut operations = self.held.operations();
        if !passes {
            return operations.decline_event(key, message);
        }
        // The data goes into the journal as it came: what is decoded from it later is what a workflow
        // that the event starts would see.
        let data = data.as_str();
        // The store looks for the id at this place.
        let outcome = format!(r#"{{"id":"{id}","accepted_at":"{accepted_at}","data":{data}}}"#);
        operations.take_event(key, message.id, Payload::stored(outcome));
    }
}
