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
        let url = database.url();
        match database {
            Fresh::Postgres(_) => {
                let pool = PgPoolOptions::new().max_connections(2);
                Self::Postgres(pool.connect_lazy(&url).expect("a URL"))
            }
            Fresh::Sqlite(_) => {
                let pool = SqlitePoolOptions::new().max_connections(2);
                Self::Sqlite(pool.connect_lazy(&format!("{url}?mode=ro")).expect("a URL"))
            }
        }
    }

    /// Asks for a number. In the question `{runs}`, `{journal}`, `{workers}` are the runtime's tables,
    /// `{users}` and the like the application's, `{field}` takes a field of a JSON text, and
    /// `{micros of column}` is a time as microseconds.
    ///
    /// # Errors
    ///
    /// When there is no such table yet, or the database is busy.
    pub async fn count(&self, question: &str) -> Result<i64> {
        match self {
            Self::Postgres(pool) => {
                let question = question
                    .replace("{runs}", "indelible.runs")
                    .replace("{journal}", "indelible.journal")
                    .replace("{workers}", "indelible.workers")
                    .replace("{field}", "->>")
                    .replace("{micros of ", "(EXTRACT(EPOCH FROM ");
                let question = application_tables(&question, "help_desk.").replace('}', ") * 1e6)");
                sqlx::query_scalar(AssertSqlSafe(question)).fetch_one(pool).await
            }
            Self::Sqlite(pool) => {
                let question = question
                    .replace("{runs}", "indelible_runs")
                    .replace("{journal}", "indelible_journal")
                    .replace("{workers}", "indelible_workers")
                    .replace("{field}", "->>")
                    .replace("{micros of line.at}", "line.at")
                    .replace("{micros of ", "(unixepoch(");
                let question =
                    application_tables(&question, "").replace('}', ", 'subsec') * 1000000)");
                sqlx::query_scalar(AssertSqlSafe(question)).fetch_one(pool).await
            }
        }
    }
}

fn application_tables(question: &str, schema: &str) -> String {
    ["tickets", "users", "outbox", "audit", "executions"]
        .iter()
        .fold(question.to_owned(), |question, table| {
            question.replace(&format!("{{{table}}}"), &format!("{schema}{table}"))
        })
}
