use std::fmt;
use std::time::Duration;

use super::migration::TooOld;

/// Opening a database gives up after this.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// An [`OpenError`] that does not know its URL yet.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) cause: String,
    pub(super) remedy: String,
}

impl Problem {
    pub(super) fn new(cause: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { cause: cause.into(), remedy: remedy.into() }
    }

    /// Something that has no remedy of its own.
    pub(super) fn other(cause: impl fmt::Display) -> Self {
        Self::new(cause.to_string(), "see the database's log for more")
    }
}

impl From<TooOld> for Problem {
    fn from(TooOld { schema, needs, program }: TooOld) -> Self {
        Self::new(
            format!(
                "its schema (version {schema}) needs a program of schema version {needs} or newer, \
                 and this program has {program}"
            ),
            "build this program with a newer version of indelible",
        )
    }
}
