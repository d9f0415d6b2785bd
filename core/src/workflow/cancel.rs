use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Direct, Input};
use crate::event::{Event, Received};
use crate::payload::Payload;

/// An event that cancels the runs of a workflow, as `cancel_on` says.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct CancelOn {
    /// The event's name.
    pub event: &'static str,
    /// The wire names of the event's fields that are compared.
    pub fields: &'static [&'static str],
    /// What they are compared with, from a run's input.
    pub values: fn(&Payload) -> Option<Vec<Value>>,
}

/// An input with fields that `cancel_on` can compare with the fields of an event.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no fields of its own that an event could be compared with",
    label = "the runs of this workflow are not cancelled by an event",
    note = "`cancel_on` compares a field of the event with one of what starts the workflow: one event type, `Received<E>` of it, or the input under `#[workflow(input)]`"
)]
pub trait Compared: Input {
    /// What has the fields.
    type Data: DeserializeOwned;
}

#[diagnostic::do_not_recommend]
impl<E: Event> Compared for E {
    type Data = E;
}

#[diagnostic::do_not_recommend]
impl<E: Event> Compared for Received<E> {
    type Data = E;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> Compared for Direct<T> {
    type Data = T;
}

/// Reads what an event's fields are compared with from a run's input.
pub fn compared<I: Compared>(
    input: &Payload,
    values: impl FnOnce(&I::Data) -> Vec<Value>,
) -> Option<Vec<Value>> {
    input.decode().ok().map(|input| values(&input))
}
