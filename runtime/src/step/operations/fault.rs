use std::fmt;

use crate::journal::StateKey;
use crate::payload::{EncodeError, Payload};
use crate::workflow::StepKind;

/// Why a run can go no further with this program: body and journal contradict one another, or
/// something stored does not fit the type that the code has now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The step that it is about, if it is about one.
    pub(crate) step: Option<StateKey>,
    message: String,
}

impl Fault {
    /// Body and journal contradict one another.
    pub(crate) fn nondeterminism(step: Option<&StateKey>, message: impl Into<String>) -> Self {
        Self { step: step.cloned(), message: message.into() }
    }

    pub(crate) fn undecodable_input(
        type_name: &str,
        error: &dyn fmt::Display,
        data: &Payload,
    ) -> Self {
        Self::undecodable(None, "the run's input", type_name, error, data)
    }

    pub(crate) fn undecodable_outcome(
        key: &StateKey,
        type_name: &str,
        error: &dyn fmt::Display,
        data: &Payload,
    ) -> Self {
        let what = format!("the committed outcome of step `{key}`");
        Self::undecodable(Some(key), &what, type_name, error, data)
    }

    pub(crate) fn undecodable_error(
        key: &StateKey,
        type_name: &str,
        error: &dyn fmt::Display,
        data: &Payload,
    ) -> Self {
        let what = format!("the error of step `{key}`");
        Self::undecodable(Some(key), &what, type_name, error, data)
    }

    pub(crate) fn undecodable_event(
        key: &StateKey,
        type_name: &str,
        error: &dyn fmt::Display,
        data: &Payload,
    ) -> Self {
        let what = format!("an event that step `{key}` waits for");
        Self::undecodable(Some(key), &what, type_name, error, data)
    }

    pub(crate) fn unstorable(key: &StateKey, error: &EncodeError) -> Self {
        let message = format!("the variables of the loop `{key}` cannot be stored: {error}");
        Self { step: Some(key.clone()), message }
    }

    pub(crate) fn no_undo(key: &StateKey) -> Self {
        let message = format!(
            "step `{key}` was committed with an undo, but the program has no undo for it\n  keep \
             `.undo(function)` on the step until all runs that have passed it are over"
        );
        Self { step: Some(key.clone()), message }
    }

    fn undecodable(
        step: Option<&StateKey>,
        what: &str,
        type_name: &str,
        error: &dyn fmt::Display,
        data: &Payload,
    ) -> Self {
        const SHOWN: usize = 200;
        let text = data.as_str();
        let shown: String = text.chars().take(SHOWN).collect();
        let more = if shown.len() < text.len() { " …" } else { "" };
        let message = format!(
            "{what} no longer fits the type that the code gives it\n  type:    {type_name}\n  \
             reason:  {error}\n  stored:  {shown}{more}"
        );
        Self { step: step.cloned(), message }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
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
