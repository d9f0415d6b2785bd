use std::fmt;
use std::time::Duration;

use super::migration::{TooOld, Unready};

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

impl From<Unready> for Problem {
    fn from(unready: Unready) -> Self {
        let cause = match unready {
            Unready::Missing => "there are no tables of Indelible in it, and a client makes none",
            Unready::Older => {
                "its tables are from an older version, and a client does not change them"
            }
            Unready::Uncounted => {
                "its rows were copied without their sequences, and a client does not set those"
            }
        };
        Self::new(cause, "start a program with workers on it first, which does so")
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
