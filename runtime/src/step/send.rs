use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::Step;
use super::durable::{Awaited, Durable};
use super::error::StepError;
use super::operations::{Held, Instruction};
use crate::event::{Event, EventId};
use crate::journal::{Change, ErrorKind, ErrorRecord, OutgoingEvent};
use crate::payload::{EncodeError, Payload};
use crate::workflow::{State, StepKind};

impl Step {
    /// Sends an event. It is accepted **exactly once**, in the commit of this step's checkpoint.
    ///
    /// Awaiting it fails only when the event cannot be stored: it is larger than the limit, or has
    /// no form in JSON.
    pub fn send_event<S: State, E: Event>(&self, state: S, event: E) -> SendEvent {
        let held = Held::claim(&self.operations, &self.path, state.id(), StepKind::SendEvent);
        let limit = self.operations.lock().limits().event;
        SendEvent { held, name: E::NAME, data: Payload::encode(&event, limit) }
    }
}

/// An event to be sent; await it. See [`Step::send_event`].
#[must_use = "a step does nothing until it is awaited"]
pub struct SendEvent {
    held: Held,
    name: &'static str,
    data: Result<Payload, EncodeError>,
}

#[diagnostic::do_not_recommend]
impl Durable for SendEvent {}

#[diagnostic::do_not_recommend]
impl Awaited for SendEvent {
    type Output = Result<EventId, StepError>;
    type Fut = SendEventFuture;

    fn into_awaited(self) -> SendEventFuture {
        SendEventFuture(self)
    }
}

/// The future of a [`SendEvent`].
pub struct SendEventFuture(SendEvent);

impl Future for SendEventFuture {
    type Output = Result<EventId, StepError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let SendEvent { held, name, data } = &mut self.0;
        match held.poll(None, cx) {
            Instruction::Begin { attempt } => {
                let change = match data {
                    Ok(data) => {
                        let id = held.operations().event_id(held.key());
                        Change::Succeed {
                            attempt,
                            outcome: Payload::stored(format!("\"{id}\"")),
                            events: vec![OutgoingEvent { id, name, data: data.clone() }],
                        }
                    }
                    Err(error) => Change::Fail {
                        attempt,
                        error: ErrorRecord::new(
                            ErrorKind::Unstorable,
                            format!("the event `{name}` cannot be stored: {error}"),
                        ),
                    },
                };
                held.hand_in(change);
                Poll::Pending
            }
            Instruction::Take(resolution) => held.decode(resolution),
            Instruction::Continue { .. } | Instruction::Wait => Poll::Pending,
        }
    }
}
