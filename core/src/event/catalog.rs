use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::{Event, is_reserved};
use crate::payload::{EncodeError, Payload};

/// One event type of an app, without its Rust type.
#[derive(Debug, Clone, Copy)]
pub struct EventDef {
    /// The event's name.
    pub name: &'static str,
    /// The path of its Rust type.
    pub rust_type: &'static str,
    schema: fn() -> schemars::Schema,
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
}

/// Writes a path as a JSON pointer (RFC 6901).
fn pointer(path: &serde_path_to_error::Path) -> String {
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
pub enum InvalidEvent {
    /// No event of the app has this name.
    #[error("no event is named `{name}`{}", suggestion.map(|s| format!("; did you mean `{s}`?")).unwrap_or_default())]
    UnknownName {
        /// The name that was given.
        name: String,
        /// The declared name that it resembles most, if one does.
        suggestion: Option<&'static str>,
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
        if is_reserved(name) {
            return Err(InvalidEvent::Reserved { name: name.to_owned() });
        }
        let Some(event) = self.0.get(name) else {
            return Err(InvalidEvent::UnknownName {
                name: name.to_owned(),
                suggestion: self.closest(name),
            });
        };
        (event.check)(data.get())
            .map_err(|Mismatch { pointer, reason }| InvalidEvent::Mismatch { pointer, reason })?;
        let data = Payload::from_text(data.get().to_owned(), limit)
            .map_err(|source| InvalidEvent::Data { name: event.name, source })?;
        Ok(UntypedEvent { name: event.name, data })
    }

    fn closest(&self, name: &str) -> Option<&'static str> {
        self.0
            .keys()
            .map(|known| (strsim::jaro_winkler(known, name), *known))
            .filter(|(likeness, _)| *likeness > 0.8)
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, known)| known)
    }
}
