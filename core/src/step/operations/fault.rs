use std::fmt;

use super::contradiction::Nondeterminism;
use crate::journal::StateKey;
use crate::payload::{EncodeError, Payload};

/// Why a run can go no further with this program: body and journal contradict one another, or
/// something stored does not fit the type that the code has now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Body and journal contradict one another.
    Nondeterminism(Box<Nondeterminism>),
    /// The body waits, but for no step.
    Stalled,
    /// Something stored does not fit.
    Undecodable {
        /// What does not.
        what: Stored,
        /// The type that the code gives it.
        type_name: &'static str,
        /// Why it does not fit.
        reason: String,
        /// What is stored.
        data: Payload,
    },
    /// The variables of a loop cannot be stored.
    Unstorable {
        /// The loop.
        key: StateKey,
        /// Why not.
        reason: String,
    },
    /// The program has lost a step's undo.
    NoUndo {
        /// The step.
        key: StateKey,
    },
}

/// What is stored of a run and given to its code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    Input,
    /// The outcome of a step.
    Outcome(StateKey),
    /// The error of a step.
    Error(StateKey),
    /// An event that a step waits for.
    Event(StateKey),
}

impl Fault {
    pub(crate) fn undecodable(
        what: Stored,
        type_name: &'static str,
        error: &dyn fmt::Display,
        data: &Payload,
    ) -> Self {
        Self::Undecodable { what, type_name, reason: error.to_string(), data: data.clone() }
    }

    pub(crate) fn unstorable(key: &StateKey, error: &EncodeError) -> Self {
        Self::Unstorable { key: key.clone(), reason: error.to_string() }
    }

    pub(crate) fn no_undo(key: &StateKey) -> Self {
        Self::NoUndo { key: key.clone() }
    }

    /// The step that it is about, if it is about one.
    pub fn step(&self) -> Option<&StateKey> {
        match self {
            Self::Nondeterminism(contradiction) => Some(&contradiction.expected.key),
            Self::Undecodable { what, .. } => what.step(),
            Self::Unstorable { key, .. } | Self::NoUndo { key } => Some(key),
            Self::Stalled => None,
        }
    }
}

impl Stored {
    fn step(&self) -> Option<&StateKey> {
        match self {
            Self::Input => None,
            Self::Outcome(key) | Self::Error(key) | Self::Event(key) => Some(key),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nondeterminism(contradiction) => contradiction.fmt(f),
            Self::Stalled => {
                f.write_str("the body waits, but for no step: it awaits something that never comes")
            }
            Self::Undecodable { what, type_name, reason, data } => {
                const SHOWN: usize = 200;
                let text = data.as_str();
                let shown: String = text.chars().take(SHOWN).collect();
                let more = if shown.len() < text.len() { " …" } else { "" };
                write!(
                    f,
                    "{what} no longer fits the type that the code gives it\n  type:    {type_name}\n  \
                     reason:  {reason}\n  stored:  {shown}{more}"
                )
            }
            Self::Unstorable { key, reason } => {
                write!(f, "the variables of the loop `{key}` cannot be stored: {reason}")
            }
            Self::NoUndo { key } => write!(
                f,
                "step `{key}` was committed with an undo, but the program has no undo for it\n  keep \
                 `.undo(function)` on the step until all runs that have passed it are over"
            ),
        }
    }
}

impl fmt::Display for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input => f.write_str("the run's input"),
            Self::Outcome(key) => write!(f, "the committed outcome of step `{key}`"),
            Self::Error(key) => write!(f, "the error of step `{key}`"),
            Self::Event(key) => write!(f, "an event that step `{key}` waits for"),
        }
    }
}
