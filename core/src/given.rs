//! Texts that a program gives and that stand in columns of their own, as they are: names, keys, reasons.
//! What is inside of JSON is escaped there and may be anything.

/// The longest key or value of an attribute, in bytes: it stands in an index, and an index has bounds.
pub const LONGEST_KEY: usize = 1024;

/// The longest key of an attribute, in bytes.
pub(crate) const LONGEST_ATTRIBUTE: usize = 128;

/// The longest reason, in bytes.
pub const LONGEST_REASON: usize = 16 * 1024;

/// Why the store does not accept a text from the program, such as a key, an attribute or a reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// It has a NUL character, which Postgres cannot store.
    #[error("it has a NUL character (U+0000), which no text in the database may have")]
    Nul,
    /// It is longer than the limit allows.
    #[error("it has {size} bytes, over the limit of {limit} bytes")]
    TooLong {
        /// Its size, in bytes.
        size: usize,
        /// The most that is accepted, in bytes.
        limit: usize,
    },
}

/// Checks that every database takes a text, and that it has at most so many bytes.
pub fn check(text: &str, limit: usize) -> Result<(), TextError> {
    match text.len() {
        size if size > limit => Err(TextError::TooLong { size, limit }),
        _ if text.contains('\0') => Err(TextError::Nul),
        _ => Ok(()),
    }
}

/// The same in a workflow's body, which has no other way to refuse it.
#[track_caller]
pub(crate) fn must_be_fit(text: &str, limit: usize, what: std::fmt::Arguments<'_>) {
    if let Err(cause) = check(text, limit) {
        panic!("{what} is not accepted: {cause}");
    }
}

/// The name that resembles a given one most, if one does.
pub fn closest<'k>(given: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let known = known.into_iter().map(|known| (strsim::jaro_winkler(known, given), known));
    let alike = known.filter(|(likeness, _)| *likeness > 0.8);
    alike.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, known)| known)
}
