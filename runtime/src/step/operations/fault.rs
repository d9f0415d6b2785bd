use std::fmt;

use crate::journal::StateKey;
use crate::payload::{EncodeError, Payload};
use crate::workflow::StepKind;

/// Why a run can go no further with this program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Body and journal contradict one another.
    Nondeterminism(String),
    /// Something stored does not fit the type that the code has now.
    Undecodable(String),
}

impl Fault {
    pub(crate) fn undecodable_input(
        type_name: &str,
        error: &dyn fmt::Display,
        data: &Payload,
    ) -> Self {
        Self::undecodable("the run's input", type_name, error, data)
    }

    pub(crate) fn undecodable_outcome(
        key: &StateKey,
        type_name: &str,
        error: &dyn fmt::Display,
        data: &Payload,
    ) -> Self {
        Self::undecodable(&format!("the committed outcome of step `{key}`"), type_name, error, data)
    }

    pub(crate) fn undecodable_error(
        key: &StateKey,
        type_name: &str,
        error: &dyn fmt::Display,
        data: &Payload,
    ) -> Self {
        Self::undecodable(&format!("the error of step `{key}`"), type_name, error, data)
    }

    pub(crate) fn undecodable_event(
        key: &StateKey,
        type_name: &str,
        error: &dyn fmt::Display,
        data: &Payload,
    ) -> Self {
        Self::undecodable(&format!("an event that step `{key}` waits for"), type_name, error, data)
    }

    pub(crate) fn unstorable(key: &StateKey, error: &EncodeError) -> Self {
        Self::Undecodable(format!("the variables of the loop `{key}` cannot be stored: {error}"))
    }

    pub(crate) fn no_undo(key: &StateKey) -> Self {
        Self::Nondeterminism(format!(
            "step `{key}` was committed with an undo, and the program has none for it\n  keep \
             `.undo(function)` in the expression that makes the step, as long as there are \
             unfinished runs"
        ))
    }

    fn undecodable(what: &str, type_name: &str, error: &dyn fmt::Display, data: &Payload) -> Self {
        const SHOWN: usize = 200;
        let text = data.as_str();
        let shown: String = text.chars().take(SHOWN).collect();
        let more = if shown.len() < text.len() { " …" } else { "" };
        Self::Undecodable(format!(
            "{what} no longer fits the type that the code gives it\n  type:    {type_name}\n  \
             reason:  {error}\n  stored:  {shown}{more}"
        ))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nondeterminism(message) | Self::Undecodable(message) => f.write_str(message),
        }
    }
}

/// How a committed line contradicts the body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Mismatch {
    /// The body never came to this step.
    NotEntered,
    /// It came to it, and it is another kind of step now.
    OtherKind(StepKind),
    /// It no longer lets go of it.
    NotAbandoned,
}
