use std::error::Error;
use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::key::StateKey;

/// An error as it is stored. A resumed run sees the same one again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorRecord {
    /// What kind of failure it was.
    pub kind: ErrorKind,
    /// The error's own message.
    pub message: String,
    /// The messages of its causes, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// The step that failed, if a run failed because of a step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<StateKey>,
    /// Where a panic happened: file, line and column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// The error itself as JSON, if the step keeps it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<String>,
    /// What became of the undos of a failed run, in the order in which they ran. At most 100 are kept, and
    /// failed ones before others. The journal has all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undone: Vec<Undone>,
}

/// An attempt of a step that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Attempt {
    /// Its number, from 1.
    pub number: u32,
    /// When it began, by the worker's estimate of the database's clock. The estimate is never ahead of that
    /// clock.
    pub started_at: Option<Timestamp>,
    /// When its failure was committed, by the database's clock.
    pub failed_at: Timestamp,
    /// Why it failed.
    pub error: ErrorRecord,
}

impl Attempt {
    #[doc(hidden)]
    pub fn new(
        number: u32,
        started_at: Option<Timestamp>,
        failed_at: Timestamp,
        error: ErrorRecord,
    ) -> Self {
        Self { number, started_at, failed_at, error }
    }
}

/// What became of the undo of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Undone {
    /// The step.
    pub step: StateKey,
    /// Why it was not undone; `None` if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorRecord>,
}

/// The kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// Your code returned an `Err`.
    Error,
    /// Your code returned a [`Permanent`](crate::step::Permanent) error.
    Permanent,
    /// Your code panicked.
    Panic,
    /// An attempt took longer than its timeout.
    Timeout,
    /// An outcome or an event could not be stored, because it is too large or cannot be written as JSON.
    Unstorable,
    /// The run was cancelled before its end.
    Cancelled,
    /// Ten workers in a row went down while they drove the run, and the run committed nothing in between.
    CrashLoop,
    /// The run's journal has more than 50,000 entries. Every resume would have to read all of them.
    JournalTooLong,
}

impl ErrorRecord {
    /// An error with a message and no causes. A longer message is cut after 16 KiB.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let message = bounded(message.into());
        Self {
            kind,
            message,
            causes: Vec::new(),
            step: None,
            location: None,
            value: None,
            undone: Vec::new(),
        }
    }

    /// Records an error with its chain of causes.
    pub fn of(kind: ErrorKind, error: &(dyn Error + 'static)) -> Self {
        let causes = std::iter::successors(error.source(), |cause| (**cause).source())
            .take(MAX_CAUSES)
            .map(|cause| bounded(cause.to_string()))
            .collect();
        Self { causes, ..Self::new(kind, error.to_string()) }
    }

    /// Says what became of the undos, as far as there is room.
    pub(crate) fn with_undone(self, mut undone: Vec<Undone>) -> Self {
        let failed = undone.iter().filter(|undone| undone.error.is_some()).count();
        let mut failures = failed.min(MAX_UNDONE);
        let (mut successes, mut text) = (MAX_UNDONE - failures, 0);
        undone.retain(|undone| {
            let room = if undone.error.is_some() { &mut failures } else { &mut successes };
            let has_room = *room > 0 && text < MAX_UNDONE_TEXT;
            if has_room {
                *room -= 1;
                text += undone.error.as_ref().map_or(0, Self::size);
            }
            has_room
        });
        Self { undone, ..self }
    }
}

impl ErrorRecord {
    /// The error itself with its type, if the step [keeps](crate::step::Run::keep_error) it. `None` if the
    /// step does not keep its error, or if the stored error does not fit `E`.
    pub fn downcast<E: DeserializeOwned>(&self) -> Option<E> {
        serde_json::from_str(self.value.as_deref()?).ok()
    }

    /// How much text it holds, in bytes.
    #[doc(hidden)]
    pub fn size(&self) -> usize {
        let undone = self.undone.iter().filter_map(|undone| undone.error.as_ref());
        self.message.len()
            + self.causes.iter().map(String::len).sum::<usize>()
            + self.value.as_ref().map_or(0, String::len)
            + undone.map(Self::size).sum::<usize>()
    }
}

const MAX_MESSAGE: usize = 16 * 1024;
const MAX_CAUSES: usize = 32;
const MAX_UNDONE: usize = 100;
/// With so many bytes of errors there is room for no further undo.
const MAX_UNDONE_TEXT: usize = MAX_CAUSES * MAX_MESSAGE;

/// Cuts a message that is too long to keep.
fn bounded(mut message: String) -> String {
    if message.len() > MAX_MESSAGE {
        message.truncate(message.floor_char_boundary(MAX_MESSAGE));
        message.push('…');
    }
    message
}

/// The message, then its causes: `cannot assign: no moderator: pool timed out`. Of undos only what
/// was not undone.
impl fmt::Display for ErrorRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.causes.iter().try_for_each(|cause| write!(f, ": {cause}"))?;
        self.location.iter().try_for_each(|location| write!(f, " (at {location})"))?;
        self.undone.iter().try_for_each(|Undone { step, error }| match error {
            Some(error) => write!(f, "; `{step}` was not undone: {error}"),
            None => Ok(()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_errors_of_undos_have_a_bound() {
        let error = ErrorRecord {
            causes: vec!["x".repeat(MAX_MESSAGE); MAX_CAUSES],
            ..ErrorRecord::new(ErrorKind::Error, "it cannot be taken back")
        };
        let undone = Undone { step: "refuse".into(), error: Some(error) };
        let failed = ErrorRecord::new(ErrorKind::Error, "no").with_undone(vec![undone; 50]);
        assert_eq!(failed.undone.len(), 1);
        let small = |step: usize| Undone {
            step: step.to_string().as_str().into(),
            error: Some(ErrorRecord::new(ErrorKind::Error, "no")),
        };
        let failed = failed.with_undone((0..200).map(small).collect());
        assert_eq!(failed.undone.len(), MAX_UNDONE);
        assert_eq!(failed.undone[0].step.as_str(), "0");
    }
}
