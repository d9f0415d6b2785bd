use std::fmt;

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::{Input, TriggerData, Workflow};
use crate::event::Event;
use crate::panic;
use crate::payload::{Payload, Undecodable};

/// Which events of a name start a workflow: `on(E, if = condition)`.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct Filter {
    pub(crate) event: &'static str,
    /// As it stands in the source.
    pub(crate) condition: &'static str,
    passes: fn(&Payload) -> Result<bool, Undecodable>,
}

impl Filter {
    /// A condition over the data of the events of a name.
    pub const fn new(
        event: &'static str,
        condition: &'static str,
        passes: fn(&Payload) -> Result<bool, Undecodable>,
    ) -> Self {
        Self { event, condition, passes }
    }

    /// Whether an event starts the workflow.
    ///
    /// # Errors
    ///
    /// When the condition panics, or the data is not of the event's type.
    pub(crate) fn passes(&self, data: &Payload) -> Result<bool, String> {
        asked(self.passes, data, &format_args!("the condition `{}`", self.condition))
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "on({:?}, if = {})", self.event, self.condition)
    }
}

/// What tells the batches or the limits of a workflow apart: `key = expression`.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct Key {
    /// As it stands in the source.
    expression: &'static str,
    of: fn(&Payload) -> Result<String, Undecodable>,
}

/// The longest key, in bytes of JSON. It stands in indexes, and an index has bounds.
const LONGEST_KEY: usize = 512;

impl Key {
    /// An expression over the data of an event, or over the input of a run.
    pub const fn new(
        expression: &'static str,
        of: fn(&Payload) -> Result<String, Undecodable>,
    ) -> Self {
        Self { expression, of }
    }

    /// The expression as it stands in the source.
    pub(crate) const fn expression(&self) -> &'static str {
        self.expression
    }

    /// The key of an event or an input, as JSON.
    ///
    /// # Errors
    ///
    /// When the expression panics, the data is not of its type, or the key is too long.
    pub(crate) fn of(&self, data: &Payload) -> Result<String, String> {
        let what = format_args!("the key `{}`", self.expression);
        let key = asked(self.of, data, &what)?;
        match key.len() {
            size if size > LONGEST_KEY => Err(format!(
                "{what} has {size} bytes as JSON, over the limit of {LONGEST_KEY} bytes"
            )),
            _ => Ok(key),
        }
    }

    /// The same; `None` if the key is `null`, so that nothing is counted.
    ///
    /// # Errors
    ///
    /// As [`of`](Self::of).
    pub(crate) fn counted(&self, data: &Payload) -> Result<Option<String>, String> {
        Ok(Some(self.of(data)?).filter(|key| key != "null"))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key = {}", self.expression)
    }
}

/// What a key may be.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a key",
    label = "a key is compared as JSON",
    note = "give a value that derives `Serialize`: a field such as `event.user_id`, or a tuple of several; `None` means that nothing is counted"
)]
pub trait Keyed {
    /// As JSON.
    fn key_text(&self) -> String;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + ?Sized> Keyed for T {
    /// # Panics
    ///
    /// When it has no form in JSON.
    fn key_text(&self) -> String {
        serde_json::to_string(self).expect("a key has a form in JSON")
    }
}

/// A key as text.
pub fn key_text<K: Keyed + ?Sized>(key: &K) -> String {
    key.key_text()
}

/// Asks the user's code about an event's data or a run's input; says why there is no answer.
pub(super) fn asked<T>(
    question: fn(&Payload) -> Result<T, Undecodable>,
    data: &Payload,
    what: &dyn fmt::Display,
) -> Result<T, String> {
    match panic::catch(|| question(data)) {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(format!("{what} cannot read its data: {error}")),
        Err(panic) => Err(format!("{what} panicked: {panic}")),
    }
}

/// Reads an event's data for a question about it.
pub fn read<E: Event, T>(data: &Payload, question: fn(&E) -> T) -> Result<T, Undecodable> {
    Ok(question(&data.decode()?))
}

/// What keys and priorities see of the input of a workflow.
pub type Subject<W> = <<W as Workflow>::Input as Input>::Subject;

/// Reads a run's input for a question about it. When and for which event the run starts is not part of
/// its input, so the answer is the same for an event, a call of `start` and a replay.
pub fn read_input<W: Workflow, T>(
    input: &Payload,
    question: fn(&Subject<W>) -> T,
) -> Result<T, Undecodable> {
    let data = TriggerData {
        run: Uuid::nil().into(),
        event: None,
        accepted_at: Timestamp::UNIX_EPOCH,
        data: input.clone(),
        trace: None,
    };
    Ok(question(<W::Input as Input>::decode(&data)?.subject()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    #[derive(Event, Serialize, Deserialize, JsonSchema)]
    #[event(name = "order/paid")]
    struct Paid {
        cents: u32,
    }

    const ROUND: Filter = Filter::new(Paid::NAME, "100 % event.cents == 0", |data| {
        read(data, |event: &Paid| 100 % event.cents == 0)
    });

    #[test]
    fn a_condition_that_fails_says_why() {
        let passes = |text: &str| ROUND.passes(&Payload::stored(text));
        assert_eq!(passes(r#"{"cents":50}"#), Ok(true));
        assert_eq!(passes(r#"{"cents":30}"#), Ok(false));
        let panicked = passes(r#"{"cents":0}"#).expect_err("it divides by zero");
        assert!(panicked.contains("the condition `100 % event.cents == 0` panicked"), "{panicked}");
        let unread = passes(r#"{"cents":"50"}"#).expect_err("it is no number");
        assert!(unread.contains("cannot read its data: cents"), "{unread}");
    }

    const BY_CENTS: Key = Key::new("vec![event.cents; 100]", |data| {
        read(data, |event: &Paid| key_text(&vec![event.cents; 100]))
    });

    #[test]
    fn keys_are_told_apart_and_never_too_long() {
        assert_eq!(key_text("a"), r#""a""#);
        assert_ne!(key_text(&1), key_text("1"));
        assert!(BY_CENTS.of(&Payload::stored(r#"{"cents":100}"#)).is_ok());
        let long = BY_CENTS.of(&Payload::stored(r#"{"cents":100000}"#)).expect_err("it is long");
        assert_eq!(
            long,
            "the key `vec![event.cents; 100]` has 701 bytes as JSON, over the limit of 512 bytes"
        );
    }

    #[test]
    fn what_has_no_key_is_not_counted() {
        const KEY: Key = Key::new("event.cents.checked_sub(1)", |data| {
            read(data, |event: &Paid| key_text(&event.cents.checked_sub(1)))
        });
        let counted = |text: &str| KEY.counted(&Payload::stored(text));
        assert_eq!(counted(r#"{"cents":0}"#), Ok(None));
        assert_eq!(counted(r#"{"cents":3}"#), Ok(Some("2".to_owned())));
    }
}
