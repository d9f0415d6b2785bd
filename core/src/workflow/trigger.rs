use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::de::Error as _;
use serde_json::value::RawValue;

use crate::event::{Event, EventId, Received};
use crate::id::RunId;
use crate::payload::{EncodeError, Payload, Undecodable};
use crate::trace::TraceContext;

/// An event or a schedule that starts a workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// Every event of this name.
    Event(&'static str),
    /// Every point in time of its schedule.
    Tick,
}

impl Trigger {
    /// Its name among the triggers of a workflow that has several: the event's name, or `tick`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Event(name) => name,
            Self::Tick => "tick",
        }
    }
}

/// How an event becomes the data of a run.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Form {
    /// As it is.
    #[default]
    Bare,
    /// Under the name of the trigger, as one of several.
    Named,
    /// As one of a list.
    Listed,
}

impl Form {
    /// The data of the run that an event starts.
    pub(crate) fn data(self, event: &str, data: &Payload) -> Payload {
        match self {
            Self::Bare => data.clone(),
            Self::Named => named(event, data),
            Self::Listed => listed([data]),
        }
    }
}

/// What one variant of an enum under `#[derive(Triggers)]` may hold.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` starts no workflow, so no variant of `Triggers` holds it",
    label = "not an event",
    note = "each variant holds what starts the workflow: an event type (`#[derive(Event)]`), `Received<E>` of one, or `Tick`"
)]
pub trait Cause: Sized + Send + 'static {
    /// What starts a workflow with it.
    const TRIGGER: Trigger;

    /// Makes it from what was stored.
    fn decode(data: &TriggerData) -> Result<Self, Undecodable>;

    /// Writes what was made by hand.
    fn encode(&self, limit: usize) -> Result<Payload, EncodeError>;

    /// The same under the trigger's name.
    fn encode_named(&self, limit: usize) -> Result<Payload, EncodeError> {
        Ok(named(Self::TRIGGER.name(), &self.encode(limit)?))
    }
}

#[diagnostic::do_not_recommend]
impl<E: Event> Cause for E {
    const TRIGGER: Trigger = Trigger::Event(E::NAME);

    fn decode(data: &TriggerData) -> Result<Self, Undecodable> {
        data.data.decode()
    }

    fn encode(&self, limit: usize) -> Result<Payload, EncodeError> {
        Payload::encode(self, limit)
    }
}

#[diagnostic::do_not_recommend]
impl<E: Event> Cause for Received<E> {
    const TRIGGER: Trigger = Trigger::Event(E::NAME);

    fn decode(data: &TriggerData) -> Result<Self, Undecodable> {
        Ok(Self {
            id: data.event.unwrap_or_else(|| data.run.as_uuid().into()),
            accepted_at: data.accepted_at,
            data: data.data.decode()?,
        })
    }

    /// Id and time are the run's own where no event has started it.
    fn encode(&self, limit: usize) -> Result<Payload, EncodeError> {
        Payload::encode(&self.data, limit)
    }
}

/// Data under the name of its trigger.
fn named(trigger: &str, data: &Payload) -> Payload {
    // The name of a trigger has no character that JSON would escape.
    Payload::stored(format!(r#"{{"{trigger}":{}}}"#, data.as_str()))
}

/// The trigger's name, and its data without it.
pub(crate) fn unnamed(data: &TriggerData) -> Result<(String, TriggerData), Undecodable> {
    let found: BTreeMap<String, Box<RawValue>> = data.data.decode()?;
    let mut found = found.into_iter();
    let (Some((name, content)), None) = (found.next(), found.next()) else {
        return Err(misfit("one trigger by its name is expected".to_owned()));
    };
    let content = Payload::stored(String::from(Box::<str>::from(content)));
    Ok((name, TriggerData { data: content, ..data.clone() }))
}

/// Data that no variant holds.
pub(crate) fn misfit(reason: String) -> Undecodable {
    let path = serde_path_to_error::Track::new().path();
    Undecodable::new(path, serde_json::Error::custom(reason))
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
    /// The event's data, or the input. If the workflow has several triggers, the data stands under the
    /// trigger's name: `{"ticket/created": {..}}`.
    pub data: Payload,
    /// The trace that the run belongs to.
    pub trace: Option<TraceContext>,
}

/// The events of one batch as a list.
pub fn listed<'a>(events: impl IntoIterator<Item = &'a Payload>) -> Payload {
    let events: Vec<&str> = events.into_iter().map(Payload::as_str).collect();
    Payload::stored(format!("[{}]", events.join(",")))
}
