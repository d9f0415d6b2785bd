use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::Event;
use super::name::{flaw, is_reserved};
use crate::given::closest;
use crate::payload::{EncodeError, Payload};

/// One event type of an app, without its Rust type.
#[derive(Debug, Clone, Copy)]
pub struct EventDef {
    /// The event's name.
    pub name: &'static str,
    /// The path of its Rust type.
    pub rust_type: &'static str,
    schema: fn() -> schemars::Schema,
    schema_in: fn(&mut schemars::SchemaGenerator) -> schemars::Schema,
    check: fn(&str) -> Result<(), Mismatch>,
}

/// Where and why data does not fit a type.
struct Mismatch {
    pointer: String,
    reason: String,
}

impl EventDef {
    /// Describes an event type.
    pub const fn of<E: Event>() -> Self {
        Self {
            name: E::NAME,
            rust_type: E::TYPE,
            schema: || schemars::schema_for!(E),
            schema_in: |generator| generator.subschema_for::<E>(),
            check: |data| {
                let reader = &mut serde_json::Deserializer::from_str(data);
                serde_path_to_error::deserialize::<_, E>(reader).map(drop).map_err(|error| {
                    Mismatch { pointer: pointer(error.path()), reason: error.inner().to_string() }
                })
            },
        }
    }

    /// The JSON Schema of the event's data.
    pub fn schema(&self) -> schemars::Schema {
        (self.schema)()
    }

    /// The schema as one of several that share their definitions.
    #[doc(hidden)]
    pub fn schema_in(&self, generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        (self.schema_in)(generator)
    }

    /// The schema as a text that is the same for equal schemas: its keys are in order.
    #[doc(hidden)]
    pub fn schema_text(&self) -> String {
        let mut schema = self.schema().to_value();
        // In a program in which JSON keeps the order of its keys.
        schema.sort_all_objects();
        schema.to_string()
    }
}

/// Writes a path as a JSON pointer (RFC 6901).
pub(crate) fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter().fold(String::new(), |mut pointer, segment| {
        pointer.push('/');
        match segment {
            Segment::Seq { index } => pointer.push_str(&index.to_string()),
            Segment::Map { key } => {
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            Segment::Enum { variant } => pointer.push_str(variant),
            Segment::Unknown => pointer.push('?'),
        }
        pointer
    })
}

/// The event types that an app declares, by name.
#[derive(Debug, Clone, Default)]
pub struct Catalog(BTreeMap<&'static str, EventDef>);

/// An event that was made of a name and JSON, and fits the catalog.
#[derive(Debug, Clone)]
pub struct UntypedEvent {
    name: &'static str,
    data: Payload,
}

impl UntypedEvent {
    /// The event's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its name and its data.
    #[doc(hidden)]
    pub fn into_parts(self) -> (&'static str, Payload) {
        (self.name, self.data)
    }
}

/// Why a name and JSON do not fit the catalog.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidEvent {
    /// No event of the app has this name.
    #[error("no event is named `{name}`{}", suggestion.map(|s| format!("; did you mean `{s}`?")).unwrap_or_default())]
    UnknownName {
        /// The name that was given.
        name: String,
        /// The declared name that it resembles most, if one does.
        suggestion: Option<&'static str>,
    },
    /// No event can have this name.
    #[error("no event can be named `{name}`: {flaw}")]
    MalformedName {
        /// The name that was given.
        name: String,
        /// What is wrong with it.
        flaw: &'static str,
    },
    /// Only Indelible itself sends events of this name.
    #[error(
        "the name `{name}` is reserved: events named `indelible/..` are sent by Indelible alone"
    )]
    Reserved {
        /// The name that was given.
        name: String,
    },
    /// The data does not fit the event's type.
    #[error("at `{pointer}`: {reason}")]
    Mismatch {
        /// Where, as a JSON pointer (RFC 6901) into the data; empty for its root.
        pointer: String,
        /// What is wrong there.
        reason: String,
    },
    /// The data is too large.
    #[error("the event `{name}` is not accepted: {source}")]
    Data {
        /// The event's name.
        name: &'static str,
        /// What is wrong with it.
        source: EncodeError,
    },
}

/// Checks that an event can have a name that comes as text. `#[derive(Event)]` keeps to the same rules.
///
/// # Errors
///
/// [`InvalidEvent::MalformedName`], with the rule that it breaks.
pub fn check_name(name: &str) -> Result<(), InvalidEvent> {
    flaw(name)
        .map_or(Ok(()), |flaw| Err(InvalidEvent::MalformedName { name: name.to_owned(), flaw }))
}

impl Catalog {
    /// Gathers event types; `app!` has seen to it that no two have one name.
    pub(crate) fn new(events: impl IntoIterator<Item = EventDef>) -> Self {
        Self(events.into_iter().map(|event| (event.name, event)).collect())
    }

    /// The event types, in order of name.
    pub fn iter(&self) -> impl Iterator<Item = &EventDef> {
        self.0.values()
    }

    /// Checks data that came as JSON against the event type of that name.
    ///
    /// # Errors
    ///
    /// When no event has the name, the name is reserved, the data does not fit its type, or it is longer than `limit`
    /// bytes.
    pub fn check(
        &self,
        name: &str,
        data: &RawValue,
        limit: usize,
    ) -> Result<UntypedEvent, InvalidEvent> {
        let Some(event) = self.0.get(name) else {
            let name = name.to_owned();
            return Err(match is_reserved(&name) {
                true => InvalidEvent::Reserved { name },
                false => {
                    let suggestion = closest(&name, self.0.keys().copied());
                    InvalidEvent::UnknownName { name, suggestion }
                }
            });
        };
        let text = data.get();
        // What is too large is not read first.
        let data = Payload::from_text(text.to_owned(), limit)
            .map_err(|source| InvalidEvent::Data { name: event.name, source })?;
        (event.check)(text)
            .map_err(|Mismatch { pointer, reason }| InvalidEvent::Mismatch { pointer, reason })?;
        Ok(UntypedEvent { name: event.name, data })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::prelude::*;

    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Item {
        cents: u32,
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    enum Payment {
        Card { number: String },
        Cash,
    }

    #[derive(Event, Serialize, Deserialize, JsonSchema)]
    #[event(name = "order/placed")]
    struct Placed {
        items: Vec<Item>,
        #[serde(default)]
        notes: BTreeMap<String, u32>,
        payment: Payment,
    }

    const LIMIT: usize = 512 * 1024;

    fn check(name: &str, data: &str) -> Result<UntypedEvent, InvalidEvent> {
        let data = RawValue::from_string(data.to_owned()).expect("it is JSON");
        Catalog::new([EventDef::of::<Placed>()]).check(name, &data, LIMIT)
    }

    fn mismatch(data: &str) -> (String, String) {
        match check("order/placed", data) {
            Err(InvalidEvent::Mismatch { pointer, reason }) => (pointer, reason),
            other => panic!("no mismatch: {other:?}"),
        }
    }

    #[test]
    fn what_fits_is_taken_as_it_is() {
        let data = r#"{ "items": [{"cents": 1}], "payment": "Cash", "more": true }"#;
        let (name, payload) = check("order/placed", data).expect("it fits").into_parts();
        assert_eq!((name, payload.as_str()), ("order/placed", data));
    }

    #[test]
    fn a_mismatch_is_told_with_its_place() {
        let (pointer, reason) = mismatch(r#"{"items": [{"cents": 1}, {"cents": "2"}]}"#);
        assert_eq!(pointer, "/items/1/cents");
        assert!(reason.starts_with(r#"invalid type: string "2", expected u32"#), "{reason}");
        let (pointer, _) = mismatch(r#"{"items": [], "notes": {"a/b~c": true}}"#);
        assert_eq!(pointer, "/notes/a~1b~0c");
        let (pointer, reason) = mismatch(r#"{"items": [], "payment": {"Card": {"number": 7}}}"#);
        assert_eq!(pointer, "/payment/Card/number", "{reason}");
        let (pointer, reason) = mismatch(r#"{"items": []}"#);
        assert_eq!(pointer, "");
        assert!(reason.starts_with("missing field `payment`"), "{reason}");
        let (pointer, _) = mismatch("7");
        assert_eq!(pointer, "");
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest() {
        let error = check("order/place", "{}").expect_err("there is none").to_string();
        assert_eq!(error, "no event is named `order/place`; did you mean `order/placed`?");
        let error = check("ticket/created", "{}").expect_err("there is none").to_string();
        assert_eq!(error, "no event is named `ticket/created`");
    }

    #[test]
    fn data_over_the_limit_is_refused_with_both_sizes() {
        let note = "x".repeat(LIMIT);
        // It would not fit either, but nobody reads that far.
        let error = check("order/placed", &format!("\"{note}\"")).expect_err("it is too large");
        let size = LIMIT + 2;
        let expected = format!(
            "the event `order/placed` is not accepted: it is {size} bytes as JSON, over the limit of \
             {LIMIT} bytes"
        );
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn equal_schemas_have_equal_texts() {
        let event = EventDef::of::<Placed>();
        assert_eq!(event.schema_text(), event.schema_text());
        let text = event.schema_text();
        let place = |key: &str| text.find(key).unwrap_or_else(|| panic!("{key}: {text}"));
        assert!(place("\"$defs\"") < place("\"$schema\""), "{text}");
        assert!(place("\"$schema\"") < place("\"title\":\"Placed\""), "{text}");
    }
}
