use std::future::IntoFuture;
use std::marker::PhantomData;
use std::task::{Context, Poll};

use super::Step;
use super::durable::{Durable, StepFuture};
use super::error::StepError;
use super::held::Held;
use super::operations::Instruction;
use crate::event::{Event, EventId, is_reserved};
use crate::journal::{Change, ErrorKind, ErrorRecord, OutgoingEvent};
use crate::payload::{EncodeError, Outcome, Payload};
use crate::workflow::{State, StepKind};

impl Step {
    /// Sends an event. It is accepted **exactly once**, in the commit of this step's checkpoint.
    ///
    /// The `.await` fails only if the event cannot be stored, because it is too large or cannot be written
    /// as JSON.
    pub fn send_event<S: State, E: Event>(&self, state: S, event: E) -> SendEvent<EventId> {
        self.send(state, [event])
    }

    /// Sends any number of events of one type. They are accepted **exactly once**, all in the commit
    /// of this step's checkpoint, in order. The `.await` gives their ids.
    ///
    /// It fails only if one of the events cannot be stored. Then none is sent.
    ///
    /// ```
    /// # extern crate indelible_core as indelible;
    /// # use indelible::prelude::*;
    /// # #[derive(Event, Serialize, Deserialize, JsonSchema)]
    /// # #[event(name = "order/placed")]
    /// # struct Placed { items: Vec<u32> }
    /// # #[derive(Event, Serialize, Deserialize, JsonSchema)]
    /// # #[event(name = "item/reserved")]
    /// # struct Reserved { item: u32 }
    /// #[workflow]
    /// async fn on_placed(event: Placed, step: Step) -> Result<usize, Failure> {
    ///     let reserved = event.items.iter().map(|item| Reserved { item: *item });
    ///     Ok(step.send_events("reserve", reserved).await?.len())
    /// }
    /// ```
    pub fn send_events<S: State, E: Event>(
        &self,
        state: S,
        events: impl IntoIterator<Item = E>,
    ) -> SendEvent<Vec<EventId>> {
        self.send(state, events)
    }

    fn send<E: Event, Ids>(
        &self,
        state: impl State,
        events: impl IntoIterator<Item = E>,
    ) -> SendEvent<Ids> {
        let held = Held::claim(self, state, StepKind::SendEvent);
        const {
            assert!(
                !is_reserved(E::NAME),
                "an event named `indelible/..` is sent by Indelible alone; send one of your application"
            );
        }
        let limit = self.operations.lock().terms.limits.event;
        let data = events.into_iter().map(|event| Payload::encode(&event, limit)).collect();
        SendEvent { held, name: E::NAME, data, ids: PhantomData }
    }
}

/// Events to send; await it. See [`Step::send_event`].
#[must_use = "a step does nothing until it is awaited"]
pub struct SendEvent<Ids> {
    held: Held,
    name: &'static str,
    data: Result<Vec<Payload>, EncodeError>,
    ids: PhantomData<fn() -> Ids>,
}

impl<Ids> SendEvent<Ids> {
    /// Names this occurrence of the step. Steps with the same id that run side by side need different
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

/// The ids of sent events, one or many, as the outcome of their step.
pub trait SentIds: Outcome {
    /// Takes the ids in order.
    fn of(ids: Vec<EventId>) -> Option<Self>;
}

impl SentIds for EventId {
    fn of(ids: Vec<EventId>) -> Option<Self> {
        ids.first().copied()
    }
}

impl SentIds for Vec<EventId> {
    fn of(ids: Vec<EventId>) -> Option<Self> {
        Some(ids)
    }
}

#[diagnostic::do_not_recommend]
impl<Ids: SentIds> Durable for SendEvent<Ids> {}

#[diagnostic::do_not_recommend]
impl<Ids: SentIds> IntoFuture for SendEvent<Ids> {
    type Output = Result<Ids, StepError>;
    type IntoFuture = StepFuture<'static, Self::Output>;

    fn into_future(mut self) -> Self::IntoFuture {
        StepFuture::new(move |cx| self.poll(cx))
    }
}

impl<Ids: SentIds> SendEvent<Ids> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Ids, StepError>> {
        let Self { held, name, data, .. } = self;
        match held.poll(None, cx) {
            Instruction::Begin { attempt } => {
                let change = match data {
                    Ok(data) => {
                        let operations = held.operations();
                        let events: Vec<_> = data
                            .drain(..)
                            .enumerate()
                            .map(|(nth, data)| OutgoingEvent {
                                id: operations.event_id(held.key(), nth),
                                name,
                                data,
                            })
                            .collect();
                        let ids = events.iter().map(|event| event.id).collect();
                        let outcome = Ids::of(ids).map(|ids| Payload::encode(&ids, usize::MAX));
                        let outcome = outcome.and_then(Result::ok).unwrap_or_else(Payload::null);
                        Change::Succeed { attempt, outcome, events, undo: false }
                    }
                    Err(error) => Change::Fail {
                        attempt,
                        of: 1,
                        error: ErrorRecord::new(
                            ErrorKind::Unstorable,
                            format!("the event `{name}` cannot be stored: {error}"),
                        ),
                        cancelled: None,
                    },
                };
                held.hand_in(change);
                Poll::Pending
            }
            Instruction::Take(resolution) => held.decode(resolution),
            _ => Poll::Pending,
        }
    }
}
