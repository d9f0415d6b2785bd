use serde::Serialize;
use serde::de::DeserializeOwned;

use super::trigger::{Cause, Form, Trigger, TriggerData};
use crate::event::{Event, Received};
use crate::payload::{EncodeError, Payload, Undecodable};

/// A type that can be a workflow's first parameter. It decides what starts the workflow.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot start a workflow",
    label = "the first parameter says what starts the workflow",
    note = "take an event type (`#[derive(Event)]`), `Received<E>` of one, an enum of several (`#[derive(Triggers)]`), `Tick` under `cron(..)`, or `Vec<E>` under `batch(..)`; for a workflow that is only started directly write `#[workflow(input)]` and take any type that derives `Serialize` and `Deserialize`"
)]
pub trait Input: Sized + Send + 'static {
    /// What [`Client::start`](../struct.Client.html#method.start) takes for it.
    type Start: Send;
    /// The events or the schedule that start the workflow.
    const TRIGGERS: &'static [Trigger];
    /// How an event becomes the data of a run.
    #[doc(hidden)]
    const FORM: Form = Form::Bare;
    /// What keys and priorities see of it.
    #[doc(hidden)]
    type Subject: ?Sized;

    /// What keys and priorities see of it.
    #[doc(hidden)]
    fn subject(&self) -> &Self::Subject;

    /// Makes the parameter from what was stored.
    #[doc(hidden)]
    fn decode(data: &TriggerData) -> Result<Self, Undecodable>;

    /// Writes what the workflow is started with directly.
    #[doc(hidden)]
    fn encode(start: &Self::Start, limit: usize) -> Result<Payload, EncodeError>;
}

#[diagnostic::do_not_recommend]
impl<E: Event> Input for E {
    type Start = E;
    const TRIGGERS: &'static [Trigger] = &[E::TRIGGER];
    type Subject = E;

    fn subject(&self) -> &E {
        self
    }

    fn decode(data: &TriggerData) -> Result<Self, Undecodable> {
        Cause::decode(data)
    }

    fn encode(start: &E, limit: usize) -> Result<Payload, EncodeError> {
        Payload::encode(start, limit)
    }
}

#[diagnostic::do_not_recommend]
impl<E: Event> Input for Received<E> {
    type Start = E;
    const TRIGGERS: &'static [Trigger] = &[Self::TRIGGER];
    type Subject = E;

    fn subject(&self) -> &E {
        &self.data
    }

    fn decode(data: &TriggerData) -> Result<Self, Undecodable> {
        Cause::decode(data)
    }

    fn encode(start: &E, limit: usize) -> Result<Payload, EncodeError> {
        Payload::encode(start, limit)
    }
}

/// The input of a workflow that is only ever started directly: `#[workflow(input)]`.
#[derive(Debug, Clone)]
pub struct Direct<T>(pub T);

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> Input for Direct<T> {
    type Start = T;
    const TRIGGERS: &'static [Trigger] = &[];
    type Subject = T;

    fn subject(&self) -> &T {
        &self.0
    }

    fn decode(data: &TriggerData) -> Result<Self, Undecodable> {
        data.data.decode().map(Self)
    }

    fn encode(start: &T, limit: usize) -> Result<Payload, EncodeError> {
        Payload::encode(start, limit)
    }
}
