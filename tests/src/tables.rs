//! Questions to the tables of either kind of database, in one dialect.

use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::sqlite::{SqlitePool, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, Result};

use crate::databases::Fresh;

/// Connections to a database that others write.
pub enum Tables {
    /// On the test server.
    Postgres(PgPool),
    /// In a file.
    Sqlite(SqlitePool),
}

impl Tables {
    /// Those of a database; there may be none yet.
    ///
    /// # Panics
    ///
    /// When the database's URL is not one.
    pub fn of(database: &Fresh) -> Self {
        match database {
            Fresh::Postgres(database) => {
                let pool = PgPoolOptions::new().max_connections(2);
                Self::Postgres(pool.connect_lazy(database.direct_url()).expect("a URL"))
            }
            Fresh::Sqlite(_) => {
                let pool = SqlitePoolOptions::new().max_connections(2);
                let url = format!("{}?mode=ro", database.url());
                Self::Sqlite(pool.connect_lazy(&url).expect("a URL"))
            }
        }
    }

    /// Asks for a number. In the question `{runs}`, `{slots}` and the like are the runtime's tables,
    /// `{users}` and the like the application's, `{field}` takes a field of a JSON text, and
    /// `{micros of column}` is a time as microseconds.
    ///
    /// # Errors
    ///
    /// When there is no such table yet, or the database is busy.
    pub async fn count(&self, question: &str) -> Result<i64> {
        match self {
            Self::Postgres(pool) => {
                let question = tables(question, &RUNTIME, "indelible.")
                    .replace("{field}", "->>")
                    .replace("{micros of ", "(EXTRACT(EPOCH FROM ");
                let question =
                    tables(&question, &APPLICATION, "help_desk.").replace('}', ") * 1e6)");
                sqlx::query_scalar(AssertSqlSafe(question)).fetch_one(pool).await
            }
            Self::Sqlite(pool) => {
                let question = tables(question, &RUNTIME, "indelible_")
                    .replace("{field}", "->>")
                    .replace("{micros of line.at}", "line.at")
                    .replace("{micros of ", "(unixepoch(");
                let question =
                    tables(&question, &APPLICATION, "").replace('}', ", 'subsec') * 1000000)");
                sqlx::query_scalar(AssertSqlSafe(question)).fetch_one(pool).await
            }
        }
    }
}

const RUNTIME: [&str; 15] = [
    "runs",
    "journal",
    "workers",
    "events",
    "blocked",
    "skipped",
    "slots",
    "openings",
    "ready",
    "waits",
    "timers",
    "batches",
    "batched",
    "inbox",
    "deliveries",
];
const APPLICATION: [&str; 9] = [
    "tickets",
    "users",
    "outbox",
    "audit",
    "executions",
    "account_log",
    "resets",
    "notifications",
    "chat",
];

/// Puts a prefix before the names of tables.
fn tables(question: &str, tables: &[&str], prefix: &str) -> String {
    tables.iter().fold(question.to_owned(), |question, table| {
        question.replace(&format!("{{{table}}}"), &format!("{prefix}{table}"))
    })
}
