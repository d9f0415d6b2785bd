use std::fmt;

use sqlx::postgres::PgDatabaseError;

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

impl StoreError {
    /// Whether a row with this key is there already.
    pub(super) fn is_duplicate(&self) -> bool {
        matches!(self, Self::Refused(sqlx::Error::Database(error)) if error.is_unique_violation())
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error::*;
        match error {
            Database(ref cause) => {
                let passes = match cause.try_downcast_ref::<PgDatabaseError>() {
                    Some(cause) => postgres_passes(cause.code()),
                    None => sqlite_passes(cause.code().as_deref()),
                };
                if passes { Self::Unavailable(error) } else { Self::Refused(error) }
            }
            Encode(_) | InvalidArgument(_) => Self::Refused(error),
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

/// Whether what Postgres complains of may be over at the next attempt; see its appendix "Error
/// Codes" for the classes.
fn postgres_passes(code: &str) -> bool {
    match code {
        // Within "operator intervention" this one speaks of the statement: it took too long. Under
        // load that passes as well.
        "57014" => true,
        // A read-only transaction: a standby that is being promoted.
        "25006" => true,
        // Lock not available.
        "55P03" => true,
        // Too complex, too many: the statement itself is at fault.
        _ if code.starts_with("54") => false,
        // Connection, transaction rollback, resources, intervention, system, internal.
        _ => ["08", "40", "53", "57", "58", "XX"].iter().any(|class| code.starts_with(class)),
    }
}

/// Whether what SQLite complains of may be over at the next attempt; see its "Result and Error
/// Codes".
fn sqlite_passes(code: Option<&str>) -> bool {
    const BUSY: i32 = 5;
    const LOCKED: i32 = 6;
    const NOMEM: i32 = 7;
    const IOERR: i32 = 10;
    const FULL: i32 = 13;
    const CANTOPEN: i32 = 14;
    const PROTOCOL: i32 = 15;
    let primary = code.and_then(|code| code.parse::<i32>().ok()).map(|code| code & 0xff);
    matches!(primary, Some(BUSY | LOCKED | NOMEM | IOERR | FULL | CANTOPEN | PROTOCOL))
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
