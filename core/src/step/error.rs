use std::error::Error;
use std::fmt;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::journal::{Attempt, ErrorKind, ErrorRecord, StateKey};
use crate::payload::EncodeError;

/// Any error that a step can give.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// An error that is not worth another attempt. A step that gives it fails at once.
///
/// It may be the step's error itself, or any error in its chain of causes.
///
/// ```
/// # extern crate indelible_core as indelible;
/// use indelible::prelude::*;
///
/// fn find(id: u32) -> Result<String, Failure> {
///     Err(Permanent(format!("there is no ticket {id}").into()).into())
/// }
/// assert_eq!(find(7).unwrap_err().to_string(), "there is no ticket 7");
/// ```
#[derive(Debug)]
pub struct Permanent(pub BoxError);

/// An error that says how long to wait before the next attempt, like the `Retry-After` header in HTTP.
///
/// It may be the step's error itself, or any error in its chain of causes. It does not add attempts.
///
/// ```
/// # extern crate indelible_core as indelible;
/// use std::time::Duration;
///
/// use indelible::prelude::*;
///
/// fn answer(status: u16) -> Result<(), Failure> {
///     match status {
///         429 => Err(RetryAfter("too many requests".into(), Duration::from_secs(30)).into()),
///         _ => Ok(()),
///     }
/// }
/// assert!(answer(429).is_err());
/// ```
#[derive(Debug)]
pub struct RetryAfter(pub BoxError, pub Duration);

/// Both are transparent: message and causes are those of the error inside.
macro_rules! transparent {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl Error for $name {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                self.0.source()
            }
        }
    )*};
}
transparent!(Permanent, RetryAfter);

/// Finds an error of type `T` in a chain of causes, its head included.
pub(crate) fn find<T: Error + 'static>(error: &BoxError) -> Option<&T> {
    chain(error).find_map(|error| error.downcast_ref())
}

/// An error and its causes.
pub(super) fn chain(error: &BoxError) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(Some(&**error as &(dyn Error + 'static)), |error| (**error).source())
}

/// How a step failed for good. The step's `.await` gives it to the body, and gives the same one on every
/// resume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepError {
    pub(crate) key: StateKey,
    pub(crate) attempts: u32,
    pub(crate) record: ErrorRecord,
    pub(crate) failures: Vec<Attempt>,
}

impl StepError {
    /// The step that failed.
    pub fn step(&self) -> &StateKey {
        &self.key
    }

    /// How many attempts were made.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The attempts that failed, with their times and errors. They are the same on every resume.
    pub fn history(&self) -> &[Attempt] {
        &self.failures
    }

    /// The error itself with its type, if the step [keeps](super::Run::keep_error) it.
    ///
    /// `None` if the step does not keep its error, after a panic or a timeout, and if the stored error does
    /// not fit `E`.
    pub fn downcast<E: DeserializeOwned>(&self) -> Option<E> {
        self.record.downcast()
    }

    /// What kind of failure it was.
    pub fn kind(&self) -> ErrorKind {
        self.record.kind
    }

    /// The message of the last attempt's error, without its causes.
    pub fn message(&self) -> &str {
        &self.record.message
    }

    /// The messages of the error's causes, outermost first.
    pub fn causes(&self) -> &[String] {
        &self.record.causes
    }
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step `{}` failed", self.key)?;
        if self.attempts > 1 {
            write!(f, " after {} attempts", self.attempts)?;
        }
        write!(f, ": {}", self.record)
    }
}

impl Error for StepError {}

/// A body has given something that cannot be stored.
#[derive(Debug, thiserror::Error)]
#[error("{what} cannot be stored: {cause}")]
pub(crate) struct Unstorable {
    pub(crate) what: &'static str,
    pub(crate) cause: EncodeError,
}

/// Why a run fails. `?` converts every [`Error`] into a `Failure`.
///
/// For that reason `Failure` does not implement [`Error`] itself. `?` does not convert `anyhow::Error`; see
/// [`Failure::new`].
pub struct Failure(BoxError);

impl Failure {
    /// Makes a failure of an error that does not implement [`Error`], such as `anyhow::Error` or
    /// `Box<dyn Error + Send + Sync>`. `?` does not convert these.
    ///
    /// ```
    /// # extern crate indelible_core as indelible;
    /// use indelible::prelude::*;
    ///
    /// fn price(text: &str) -> Result<u32, Failure> {
    ///     let price = parse(text).map_err(Failure::new)?;
    ///     Ok(price)
    /// }
    ///
    /// fn parse(text: &str) -> Result<u32, Box<dyn std::error::Error + Send + Sync>> {
    ///     Ok(text.parse()?)
    /// }
    /// # assert!(price("a lot").is_err());
    /// ```
    pub fn new(error: impl Into<BoxError>) -> Self {
        Self(error.into())
    }

    /// Makes a failure with a message only.
    pub fn msg(message: impl Into<String>) -> Self {
        Self(message.into().into())
    }

    /// The error as it is committed.
    pub(crate) fn record(&self) -> ErrorRecord {
        match find::<StepError>(&self.0) {
            Some(step) => ErrorRecord { step: Some(step.key.clone()), ..step.record.clone() },
            None => {
                let is_unstorable = find::<Unstorable>(&self.0).is_some();
                let kind = if is_unstorable { ErrorKind::Unstorable } else { ErrorKind::Error };
                ErrorRecord::of(kind, &*self.0)
            }
        }
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl From<Failure> for BoxError {
    fn from(failure: Failure) -> Self {
        failure.0
    }
}

/// What `?` makes of an error in a step whose author names no error type: any that `run` takes.
///
/// [`Failure`] cannot take as many: it becomes a [`BoxError`] itself, and whatever does is taken here. So
/// the outcome's error is this, and becomes a failure behind the step.
#[doc(hidden)]
pub struct Caught(BoxError);

impl<E: Into<BoxError>> From<E> for Caught {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

/// An outcome with the error that the step has.
#[doc(hidden)]
pub fn caught<T>(outcome: Result<T, Caught>) -> Result<T, Failure> {
    outcome.map_err(|Caught(error)| Failure(error))
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
