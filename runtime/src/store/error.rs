use std::fmt;

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, is overloaded or gave up on a conflict. Trying again may help.
    #[error("the database is not available: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// The database does not accept what it was given. Trying again is of no use.
    #[error("the database refused: {0}")]
    Refused(#[source] sqlx::Error),
    /// This worker's lease has run out and another has taken over.
    #[error("this worker's lease has run out and its runs were taken over")]
    LeaseLost,
    /// What was read is not what this program writes.
    #[error("the store holds something that this program does not understand: {0}")]
    Corrupt(String),
}

/// Why a database could not be opened.
#[derive(Debug)]
pub struct OpenError {
    /// The URL, without its password.
    pub url: String,
    /// What went wrong.
    pub cause: String,
    /// What to try.
    pub remedy: String,
}

/// One sentence: what, why, what to try.
impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot open the database {}: {}; {}", self.url, self.cause, self.remedy)
    }
}

impl std::error::Error for OpenError {}
