use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a wait is for, as it is shown: an event, and the fields that tell it from others of its name.
///
/// Its text has some 10 KiB at most. It shows the first 8 fields, and the beginning of a long value.
///
/// ```
/// # extern crate indelible_core as indelible;
/// # use indelible::journal::AwaitedEvent;
/// let awaited = AwaitedEvent::of("order/paid", &[("order", 7.into())]);
/// assert_eq!(awaited.to_string(), "`order/paid` with order = 7");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AwaitedEvent {
    /// The event's name.
    pub event: String,
    /// The names of fields, and the values that they have to have.
    pub fields: Vec<(String, Value)>,
    /// How many further fields there are.
    pub more: usize,
}

impl AwaitedEvent {
    const FIELDS: usize = 8;
    /// How many characters are shown of a value.
    const LONGEST: usize = 200;

    #[doc(hidden)]
    pub fn of(event: &str, fields: &[(&str, Value)]) -> Self {
        let shown = fields.iter().take(Self::FIELDS);
        let shown = shown.map(|(name, value)| ((*name).to_owned(), Self::shown(value)));
        let more = fields.len().saturating_sub(Self::FIELDS);
        Self { event: event.to_owned(), fields: shown.collect(), more }
    }

    fn shown(value: &Value) -> Value {
        let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        match text.char_indices().nth(Self::LONGEST) {
            Some((end, _)) => Value::String(format!("{}…", &text[..end])),
            None => value.clone(),
        }
    }

    /// The text that is stored.
    #[doc(hidden)]
    pub fn text(&self) -> String {
        serde_json::to_string(self).expect("it is made of JSON")
    }

    /// Reads what was stored.
    #[doc(hidden)]
    pub fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

impl fmt::Display for AwaitedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.event)?;
        for (place, (name, value)) in self.fields.iter().enumerate() {
            let before = if place == 0 { " with" } else { "," };
            write!(f, "{before} {name} = {value}")?;
        }
        if self.more > 0 {
            write!(f, ", and {} more fields", self.more)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_awaited_is_shown_with_its_fields() {
        let awaited = AwaitedEvent::of("a/b", &[("x", json!("one")), ("y", json!(null))]);
        assert_eq!(awaited.to_string(), r#"`a/b` with x = "one", y = null"#);
        assert_eq!(AwaitedEvent::read(&awaited.text()), Some(awaited));
        assert_eq!(AwaitedEvent::of("a/b", &[]).to_string(), "`a/b`");
    }

    #[test]
    fn its_text_is_short_whatever_is_awaited() {
        let long = json!({ "list": vec!["\u{1}é"; 10_000] });
        let fields: Vec<_> = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]
            .iter()
            .map(|name| (*name, long.clone()))
            .collect();
        let awaited = AwaitedEvent::of("a/b", &fields);
        assert!(awaited.text().len() < 10 * 1024 + 512, "{}", awaited.text().len());
        assert!(awaited.to_string().ends_with("…\", and 2 more fields"), "{awaited}");
    }
}
