use std::fmt;

use crate::transaction::conflicts;

/// Why the store did not do what it was asked. The message contains the causes, so there is no `source`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database cannot be reached or is overloaded. Trying again may help.
    #[error("the database is not available: {0}")]
    Unavailable(sqlx::Error),
    /// The database aborted the transaction several times in a row, because others changed the same rows at
    /// the same time. Nothing of it was done. Trying again helps.
    #[error(
        "the database aborted the transaction, because other transactions were in its way: {0}"
    )]
    Conflict(sqlx::Error),
    /// The database does not accept what it was given. Trying again does not help.
    #[error("the database refused: {0}")]
    Refused(sqlx::Error),
    /// This worker's lease has run out and another has taken over.
    #[error("this worker's lease has run out and its runs were taken over")]
    LeaseLost,
    /// This program has closed its connections: its runtime was shut down.
    #[error("the runtime has been shut down")]
    Closed,
    /// The file of a SQLite database was deleted, moved or replaced while the program used it. The program
    /// reads and writes nothing more until it is started again. The message says what to do.
    #[error("{0}")]
    Gone(String),
    /// An event was to be sent in a transaction on another database than the one that stores the runs.
    /// Nothing was sent, and the transaction can go on.
    #[error("no event can be sent in this transaction: {0}")]
    OtherDatabase(String),
    /// The store holds something that no program of this version writes.
    #[error("the store holds something that this program does not understand: {0}")]
    Corrupt(String),
}

impl StoreError {
    /// Whether a row with this key is there already.
    pub(super) fn is_duplicate(&self) -> bool {
        matches!(self, Self::Refused(sqlx::Error::Database(error)) if error.is_unique_violation())
    }
}

impl StoreError {
    /// The transaction is on a database of another kind.
    pub(super) fn other_kind(ours: &str) -> Self {
        Self::OtherDatabase(format!(
            "it is over, or on a database of another kind, but the program stores its runs on {ours}"
        ))
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error::*;
        match error {
            error if conflicts(&error) => Self::Conflict(error),
            Database(ref cause) => match refuses(&**cause) {
                true => Self::Refused(error),
                false => Self::Unavailable(error),
            },
            Encode(_) | InvalidArgument(_) => Self::Refused(error),
            PoolClosed => Self::Closed,
            Decode(_)
            | ColumnDecode { .. }
            | ColumnNotFound(_)
            | ColumnIndexOutOfBounds { .. }
            | RowNotFound
            | TypeNotFound { .. } => Self::Corrupt(error.to_string()),
            _ => Self::Unavailable(error),
        }
    }
}

/// Whether the database complains of what it was given.
fn refuses(error: &dyn sqlx::error::DatabaseError) -> bool {
    #[cfg(feature = "postgres")]
    if let Some(error) = error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
        return postgres_refuses(error.code());
    }
    #[cfg(feature = "sqlite")]
    if let Some(error) = error.try_downcast_ref::<sqlx::sqlite::SqliteError>() {
        return sqlite_refuses(sqlx::error::DatabaseError::code(error).as_deref());
    }
    false
}

/// Whether Postgres complains of what it was given: by its appendix "Error Codes", the classes of
/// data exceptions, violated constraints and exceeded limits. Anything else (it is away, overloaded,
/// being restored, not to be logged in to) is no row's fault and may be over at the next attempt.
#[cfg(feature = "postgres")]
fn postgres_refuses(code: &str) -> bool {
    ["22", "23", "54"].iter().any(|class| code.starts_with(class))
}

/// The same for SQLite, by its "Result and Error Codes".
#[cfg(feature = "sqlite")]
fn sqlite_refuses(code: Option<&str>) -> bool {
    const TOOBIG: i32 = 18;
    const CONSTRAINT: i32 = 19;
    const MISMATCH: i32 = 20;
    let primary = code.and_then(|code| code.parse::<i32>().ok()).map(|code| code & 0xff);
    matches!(primary, Some(TOOBIG | CONSTRAINT | MISMATCH))
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
