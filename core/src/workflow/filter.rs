use std::fmt;

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

/// The key of a workflow's batches: `batch(.., key = expression)`.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct Key {
    /// As it stands in the source.
    expression: &'static str,
    of: fn(&Payload) -> Result<String, Undecodable>,
}

impl Key {
    /// An expression over the data of an event.
    pub const fn new(
        expression: &'static str,
        of: fn(&Payload) -> Result<String, Undecodable>,
    ) -> Self {
        Self { expression, of }
    }

    /// The key of an event.
    ///
    /// # Errors
    ///
    /// When the expression panics, or the data is not of the event's type.
    pub(crate) fn of(&self, data: &Payload) -> Result<String, String> {
        asked(self.of, data, &format_args!("the key `{}`", self.expression))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key = {}", self.expression)
    }
}

/// Asks the user's code about an event's data; says why there is no answer.
fn asked<T>(
    question: fn(&Payload) -> Result<T, Undecodable>,
    data: &Payload,
    what: &dyn fmt::Display,
) -> Result<T, String> {
    match panic::catch(|| question(data)) {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(format!("{what} cannot read the event: {error}")),
        Err(panic) => Err(format!("{what} panicked: {panic}")),
    }
}

/// Reads an event's data for a question about it.
pub fn read<E: Event, T>(data: &Payload, question: fn(&E) -> T) -> Result<T, Undecodable> {
    Ok(question(&data.decode()?))
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
        assert!(unread.contains("cannot read the event: cents"), "{unread}");
    }
}
