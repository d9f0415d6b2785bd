use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A JSON text as it is stored: an event's data, a run's input, a step's outcome.
///
/// It is kept as text, never as a tree, so that what is read back is byte for byte what was
/// committed.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload(Arc<str>);

/// What a step gives, and a run: it is written to the journal as JSON and read back, the first time
/// too.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored in the journal",
    label = "this has to be written down and read back when the run resumes",
    note = "give owned data that derives `Serialize` and `Deserialize`, not a reference, a connection or a handle"
)]
pub trait Outcome: Serialize + DeserializeOwned + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> Outcome for T {}

/// Why a value could not become a [`Payload`].
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// The value's `Serialize` refused, or it has no form in JSON (a map with keys that are not
    /// strings).
    #[error("it cannot be written as JSON: {0}")]
    Json(serde_json::Error),
    /// The text is longer than the limit allows.
    #[error("it is {size} bytes as JSON, over the limit of {limit} bytes")]
    TooLarge {
        /// The size of the text, in bytes.
        size: usize,
        /// The most that is accepted, in bytes.
        limit: usize,
    },
}

impl From<serde_json::Error> for EncodeError {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error)
    }
}

impl Payload {
    /// Writes a value as JSON, up to `limit` bytes.
    ///
    /// # Errors
    ///
    /// When the value has no form in JSON or its text is longer than `limit`.
    pub fn encode<T: Serialize + ?Sized>(value: &T, limit: usize) -> Result<Self, EncodeError> {
        Self::from_text(serde_json::to_string(value)?, limit)
    }

    /// Takes a text that is known to be JSON, up to `limit` bytes.
    pub(crate) fn from_text(text: String, limit: usize) -> Result<Self, EncodeError> {
        if text.len() > limit {
            return Err(EncodeError::TooLarge { size: text.len(), limit });
        }
        Ok(Self(text.into()))
    }

    /// Takes a text that the store gave back.
    pub(crate) fn stored(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The JSON value `null`.
    pub(crate) fn null() -> Self {
        Self::stored("null")
    }

    /// Reads the value back.
    ///
    /// # Errors
    ///
    /// When the text does not fit `T`; the error names the path to the place that does not.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, Undecodable> {
        serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(&self.0))
    }

    /// The JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why stored data does not fit a type, and at which place in it.
#[doc(hidden)]
pub type Undecodable = serde_path_to_error::Error<serde_json::Error>;

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.0.len())
    }
}
