use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::event::{Event, EventId, Received};
use crate::id::RunId;
use crate::payload::Payload;

/// What a workflow's first parameter may be; it says what starts the workflow.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot start a workflow",
    label = "the first parameter says what starts the workflow",
    note = "take an event type (`#[derive(Event)]`) or `Received<E>` of one; for a workflow that is only started directly write `#[workflow(input)]` and take any serialisable type"
)]
pub trait Input: Sized + Send + 'static {
    /// What [`Client::start`](crate::Client::start) takes for it.
    type Start: Serialize + Send;
    /// What starts the workflow by itself.
    const TRIGGERS: &'static [Trigger];

    /// Makes the parameter from what was stored.
    #[doc(hidden)]
    fn decode(data: &TriggerData) -> Result<Self, serde_path_to_error::Error<serde_json::Error>>;
}

/// What starts a workflow by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// Every event of this name.
    Event(&'static str),
}

/// What started a run, as stored.
#[derive(Debug, Clone)]
pub struct TriggerData {
    /// The run.
    pub run: RunId,
    /// The event; `None` for a run that was started directly.
    pub event: Option<EventId>,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// The event's data, or the input.
    pub data: Payload,
}

#[diagnostic::do_not_recommend]
impl<E: Event> Input for E {
    type Start = E;
    const TRIGGERS: &'static [Trigger] = &[Trigger::Event(E::NAME)];

    fn decode(data: &TriggerData) -> Result<Self, serde_path_to_error::Error<serde_json::Error>> {
        data.data.decode()
    }
}

#[diagnostic::do_not_recommend]
impl<E: Event> Input for Received<E> {
    type Start = E;
    const TRIGGERS: &'static [Trigger] = &[Trigger::Event(E::NAME)];

    fn decode(data: &TriggerData) -> Result<Self, serde_path_to_error::Error<serde_json::Error>> {
        Ok(Self {
            id: data.event.unwrap_or_else(|| data.run.as_uuid().into()),
            accepted_at: data.accepted_at,
            data: data.data.decode()?,
        })
    }
}

/// The input of a workflow that is only ever started directly: `#[workflow(input)]`.
#[derive(Debug, Clone)]
pub struct Direct<T>(pub T);

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> Input for Direct<T> {
    type Start = T;
    const TRIGGERS: &'static [Trigger] = &[];

    fn decode(data: &TriggerData) -> Result<Self, serde_path_to_error::Error<serde_json::Error>> {
        data.data.decode().map(Self)
    }
}
