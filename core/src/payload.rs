//! JSON texts, as they are stored.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Serialize, Serializer, ser};
use serde_json::value::RawValue;

/// A JSON text as it is stored: an event's data, a run's input, a step's outcome.
///
/// It stays a text, so that reading it back gives the same bytes that were committed.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload(Arc<str>);

/// What a step or a run gives. The runtime writes it to the journal as JSON and reads it back, even the first
/// time. Every type that implements `Serialize` and `DeserializeOwned` is one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored in the journal",
    label = "the run has to store this, and read it back when it resumes",
    note = "give owned data that derives `Serialize` and `Deserialize`, not a reference, a connection or a handle"
)]
pub trait Outcome: Serialize + DeserializeOwned + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> Outcome for T {}

/// Why a value could not become a [`Payload`].
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// The value's `Serialize` failed, or JSON cannot represent it, such as a map with keys that are not
    /// strings.
    #[error("it cannot be written as JSON: {0}")]
    Json(serde_json::Error),
    /// Its own `Deserialize` does not read the JSON that its `Serialize` wrote.
    #[error("as JSON it cannot be read back{}: {reason}{}", at(.path), hint(.reason))]
    Unreadable {
        /// The place in it: `order.items[2].price`.
        path: String,
        /// Why not.
        reason: String,
    },
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

fn at(path: &str) -> String {
    if path == "." { String::new() } else { format!(" at `{path}`") }
}

fn hint(reason: &str) -> &'static str {
    let is_number = reason.contains("null, expected f");
    if is_number { "; JSON has no NaN and no infinity, both are written as `null`" } else { "" }
}

impl Payload {
    /// Writes a value as JSON of at most `limit` bytes. It also reads the value back once, so that nothing is
    /// stored that cannot be read.
    ///
    /// # Errors
    ///
    /// When the value cannot be written as JSON, the text is longer than `limit`, or the type does not read
    /// its own JSON.
    pub fn encode<T: Serialize + DeserializeOwned>(
        value: &T,
        limit: usize,
    ) -> Result<Self, EncodeError> {
        Self::round_trip(value, limit).map(|(payload, _)| payload)
    }

    /// The same, with the value as it was read back.
    pub(crate) fn round_trip<T: Serialize + DeserializeOwned>(
        value: &T,
        limit: usize,
    ) -> Result<(Self, T), EncodeError> {
        let payload = Self::from_text(serde_json::to_string(value)?, limit)?;
        match payload.decode() {
            Ok(value) => Ok((payload, value)),
            Err(error) => {
                let (path, reason) = (error.path().to_string(), error.inner().to_string());
                Err(EncodeError::Unreadable { path, reason })
            }
        }
    }

    /// Whether this is the other one, and not only one that says the same.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Takes a text that is known to be JSON, up to `limit` bytes.
    pub(crate) fn from_text(text: String, limit: usize) -> Result<Self, EncodeError> {
        if text.len() > limit {
            return Err(EncodeError::TooLarge { size: text.len(), limit });
        }
        Ok(Self(text.into()))
    }

    /// Takes a text that the store gave back.
    #[doc(hidden)]
    pub fn stored(text: impl Into<Arc<str>>) -> Self {
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
    /// When the text does not fit `T`. The error names the path to the place that does not fit.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, Undecodable> {
        // To keep the path costs time, so it is only looked for when it is needed.
        serde_json::from_str(&self.0).or_else(|_| {
            serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(&self.0))
        })
    }

    /// The JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why stored data does not fit a type, and at which place in it.
#[doc(hidden)]
pub type Undecodable = serde_path_to_error::Error<serde_json::Error>;

/// As the JSON that it is, not as a string.
impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let json: &RawValue = serde_json::from_str(&self.0).map_err(ser::Error::custom)?;
        json.serialize(serializer)
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Serialize};

    use super::*;

    /// SplitMix64, from a seed that says what came.
    fn random_bits(seed: u64) -> impl Iterator<Item = u64> {
        (1..).map(move |nth: u64| {
            let mut bits = seed.wrapping_add(nth.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            bits ^ (bits >> 31)
        })
    }

    #[test]
    fn numbers_come_back_to_the_bit() {
        let any = random_bits(7).map(f64::from_bits).filter(|number| number.is_finite());
        let subnormal = random_bits(8).map(|bits| f64::from_bits(bits & ((1 << 52) - 1)));
        let quotients = (1..=2_006).map(|n| f64::from(n) / 9.0);
        let some = [0.0, -0.0, f64::MIN, f64::MAX, f64::MIN_POSITIVE, 245.44444444444446];
        for number in any.take(80_000).chain(subnormal.take(20_000)).chain(quotients).chain(some) {
            let payload = Payload::encode(&number, 100).expect("it has a form in JSON");
            let back: f64 = payload.decode().expect("it is a number");
            assert_eq!(back.to_bits(), number.to_bits(), "{number:e} as {}", payload.as_str());
        }
        for bits in random_bits(9).take(20_000) {
            let number = f32::from_bits(bits as u32);
            if number.is_finite() {
                let payload = Payload::encode(&number, 100).expect("it has a form in JSON");
                let back: f32 = payload.decode().expect("it is a number");
                assert_eq!(back.to_bits(), number.to_bits(), "{number:e}");
            }
        }
    }

    #[derive(Serialize, Deserialize)]
    struct Price {
        price: f64,
    }

    #[derive(Serialize, Deserialize)]
    struct Deep {
        list: Vec<Deep>,
    }

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Size {
        Big(u128),
    }

    #[derive(Serialize, Deserialize)]
    struct Flat {
        #[serde(flatten)]
        all: BTreeMap<String, i128>,
    }

    fn refusal<T: Serialize + DeserializeOwned>(value: &T) -> String {
        Payload::encode(value, 1_000_000).expect_err("it does not come back").to_string()
    }

    #[test]
    fn what_cannot_be_read_back_is_refused_with_the_place() {
        let nan = refusal(&f64::NAN);
        assert!(nan.starts_with("as JSON it cannot be read back: invalid type: null"), "{nan}");
        assert!(
            nan.ends_with("JSON has no NaN and no infinity, both are written as `null`"),
            "{nan}"
        );
        let prices = refusal(&vec![Price { price: 1.0 }, Price { price: f64::INFINITY }]);
        assert!(prices.contains(" at `[1].price`: invalid type: null"), "{prices}");
        let deep = (0..200).fold(Deep { list: Vec::new() }, |inner, _| Deep { list: vec![inner] });
        assert!(refusal(&deep).contains("recursion limit"), "{}", refusal(&deep));
        let big = refusal(&Size::Big(u128::from(u64::MAX) + 1));
        assert!(big.contains("as JSON it cannot be read back"), "{big}");
        let flat = Flat { all: [("n".to_owned(), i128::from(u64::MAX) + 1)].into() };
        assert!(refusal(&flat).contains("as JSON it cannot be read back"), "{}", refusal(&flat));
    }

    #[test]
    fn a_large_number_is_stored_where_it_can_be_read_back() {
        let payload = Payload::encode(&u128::MAX, 100).expect("it fits");
        assert_eq!(payload.decode::<u128>().expect("it is a number"), u128::MAX);
    }
}
