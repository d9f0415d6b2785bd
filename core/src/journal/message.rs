use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::ErrorRecord;
use crate::event::EventId;
pub use crate::id::MessageId;
use crate::id::RunId;
use crate::payload::Payload;
use crate::workflow::CancelOn;

/// Something that the world tells a run. It stays in the run's inbox until the commit that says what
/// became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Its id: of an event the event's, of a child's end the child's.
    pub id: MessageId,
    /// What it says.
    pub content: Content,
}

/// What a [`Message`] says.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// An event was accepted that one of the run's waits may be for.
    Event {
        /// Its name.
        name: String,
        /// The event's id.
        id: EventId,
        /// When it was accepted.
        accepted_at: Timestamp,
        /// Its data.
        data: Payload,
    },
    /// A run that this one has invoked is over.
    ChildEnded {
        /// That run.
        child: RunId,
        /// What it gave, or why it did not.
        result: Result<Payload, ErrorRecord>,
    },
    /// Somebody asks the run to stop.
    Cancel {
        /// Why.
        reason: String,
    },
}

impl Message {
    /// Why the run is asked to stop, if that is what this says.
    #[doc(hidden)]
    pub fn cancellation(&self) -> Option<&str> {
        match &self.content {
            Content::Cancel { reason } => Some(reason),
            _ => None,
        }
    }
}

/// What a wait is for, as the run that waits knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Awaited {
    /// The event's name.
    pub(crate) event: &'static str,
    /// The wire names of the fields that tell which.
    pub(crate) fields: Vec<&'static str>,
    /// What they are to hash to.
    pub(crate) key: MatchKey,
}

impl Awaited {
    /// Whether it is for an event with these data.
    pub(crate) fn is_for(&self, event: &str, data: &Value) -> bool {
        self.event == event && MatchKey::of(event, data, &self.fields) == self.key
    }
}

/// Why an event cancels a run: the run's workflow has said so, with `cancel_on`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelKey {
    /// The event's name.
    pub event: &'static str,
    /// Which event of that name.
    pub awaited: MatchKey,
}

impl CancelKey {
    /// Those of a run with this input. An input that cannot be read holds the run in any case.
    #[doc(hidden)]
    pub fn all(cancels: &'static [CancelOn], input: &Payload) -> Vec<Self> {
        let keys = cancels.iter().filter_map(|CancelOn { event, fields, values }| {
            let values = values(input)?;
            let fields: Vec<_> = fields.iter().copied().zip(values).collect();
            Some(Self { event, awaited: MatchKey::new(event, &fields) })
        });
        keys.collect()
    }

    /// What the run is told.
    #[doc(hidden)]
    pub fn reason(&self) -> String {
        format!("the event `{}` cancels it", self.event)
    }
}

/// What a wait is for: an event's name and the values of some of its fields, hashed, so that one
/// look-up in an index finds an event's waits among millions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MatchKey(Uuid);

impl MatchKey {
    /// The hash of an event's name and some of its fields, by wire name.
    ///
    /// Values are compared as JSON; a field that is not there counts as `null`.
    pub fn new(event: &str, fields: &[(&str, Value)]) -> Self {
        let mut fields: Vec<_> = fields.iter().collect();
        fields.sort_by_key(|(name, _)| *name);
        // JSON strings have no bare newline in them, so no two texts can run into one another.
        let text = fields.iter().fold(event.to_owned(), |text, (name, value)| {
            format!("{text}\n{}={value}", Value::from(*name))
        });
        Self(Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes()))
    }

    /// The hash of an event that has come, for a set of fields that some workflow waits on.
    pub fn of(event: &str, data: &Value, fields: &[&str]) -> Self {
        let value = |name: &str| data.get(name).cloned().unwrap_or(Value::Null);
        let fields: Vec<_> = fields.iter().map(|name| (*name, value(name))).collect();
        Self::new(event, &fields)
    }

    /// The hash as it is stored.
    pub fn as_uuid(self) -> Uuid {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_wait_and_its_event_have_one_key() {
        let event = json!({"order_id": 7, "shop": "north", "note": "x"});
        let wait = MatchKey::new("order/paid", &[("shop", json!("north")), ("order_id", json!(7))]);
        assert_eq!(MatchKey::of("order/paid", &event, &["order_id", "shop"]), wait);
        assert_ne!(MatchKey::of("order/lost", &event, &["order_id", "shop"]), wait);
        assert_ne!(MatchKey::of("order/paid", &event, &["order_id"]), wait);
    }

    #[test]
    fn values_cannot_pass_for_other_fields() {
        let one = MatchKey::new("a/b", &[("x", json!("1\n\"y\"=2"))]);
        let two = MatchKey::new("a/b", &[("x", json!("1")), ("y", json!(2))]);
        assert_ne!(one, two);
    }

    #[test]
    fn an_absent_field_counts_as_null() {
        let wait = MatchKey::new("a/b", &[("x", Value::Null)]);
        assert_eq!(MatchKey::of("a/b", &json!({}), &["x"]), wait);
    }
}
