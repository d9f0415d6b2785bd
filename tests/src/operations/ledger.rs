use std::time::Duration;

use indelible::Tx;
use indelible::prelude::*;
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::sqlite::{SqlitePool, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, Result as SqlResult};

/// What the steps leave behind: tables of the tests' own, in the database that keeps the runs.
///
/// `story` tells what happened in the order in which it did, `payments` what transactions have
/// written, and `tripwire` at which line of the story a process is to be stopped.
pub enum Ledger {
    /// Beside the runtime's tables.
    Postgres(PgPool),
    /// In the runtime's file.
    Sqlite(SqlitePool),
}

/// Sends the same statement to whichever database it is.
macro_rules! on {
    ($ledger:expr, $pool:ident => $query:expr) => {
        match $ledger {
            Ledger::Postgres($pool) => $query,
            Ledger::Sqlite($pool) => $query,
        }
    };
}

impl Ledger {
    /// Connects to the tables.
    ///
    /// # Panics
    ///
    /// When it is no URL of either kind of database.
    pub fn at(url: &str) -> Self {
        if url.starts_with("sqlite:") {
            let pool = SqlitePoolOptions::new().max_connections(2);
            Self::Sqlite(pool.connect_lazy(url).expect("a URL"))
        } else {
            let pool = PgPoolOptions::new().max_connections(2);
            Self::Postgres(pool.connect_lazy(url).expect("a URL"))
        }
    }

    /// Runs statements without parameters.
    ///
    /// # Errors
    ///
    /// When the database refuses them or is busy; so it is below.
    pub async fn execute(&self, statements: impl Into<String>) -> SqlResult<()> {
        let statements = AssertSqlSafe(statements.into());
        on!(self, pool => sqlx::raw_sql(statements).execute(pool).await.map(drop))
    }

    /// Asks for a number.
    pub async fn count(&self, question: impl Into<String>) -> SqlResult<i64> {
        let question = AssertSqlSafe(question.into());
        on!(self, pool => sqlx::query_scalar(question).fetch_one(pool).await)
    }

    /// What has happened so far, in order.
    pub async fn story(&self) -> SqlResult<Vec<String>> {
        const STORY: &str = "SELECT line FROM story ORDER BY place";
        on!(self, pool => sqlx::query_scalar(STORY).fetch_all(pool).await)
    }

    /// How often something has happened.
    pub async fn times(&self, line: &str) -> SqlResult<i64> {
        const TIMES: &str = "SELECT count(*) FROM story WHERE line = $1";
        on!(self, pool => sqlx::query_scalar(TIMES).bind(line).fetch_one(pool).await)
    }

    /// Tells that a step has begun. It comes no further where the wire is stretched for it, or where
    /// the process has come to the wire elsewhere.
    pub(super) async fn note(&self, step: &str) -> Result<String, Failure> {
        const TELL: &str = "INSERT INTO story (line) VALUES ($1)";
        const HELD: &str = "
            SELECT count(*) FROM tripwire wire
            WHERE wire.line = $1 AND wire.moment = 'begun' OR wire.moment = 'landed'
              AND wire.before < (SELECT count(*) FROM story WHERE story.line = wire.line)";
        let line = format!("{step} begins");
        on!(self, pool => sqlx::query(TELL).bind(&line).execute(pool).await.map(drop))?;
        while on!(self, pool => {
            sqlx::query_scalar::<_, i64>(HELD).bind(&line).fetch_one(pool).await
        })? > 0
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(step.to_owned())
    }

    /// The same, but fails until it is on record that it has.
    pub(super) async fn note_at_second_attempt(&self, step: &str) -> Result<String, Failure> {
        let noted = self.note(step).await?;
        match self.count("SELECT count(*) FROM story WHERE line LIKE '% retrying'").await? {
            0 => Err(Failure::msg("not yet")),
            _ => Ok(noted),
        }
    }

    /// Writes a payment within a transaction.
    pub(super) async fn pay(&self, tx: &mut Tx, order: u32) -> Result<String, Failure> {
        const PAY: &str = "INSERT INTO payments (paid) VALUES ($1)";
        let order = i64::from(order);
        match self {
            Self::Postgres(_) => {
                sqlx::query(PAY).bind(order).execute(tx.postgres()?).await?;
            }
            Self::Sqlite(_) => {
                sqlx::query(PAY).bind(order).execute(tx.sqlite()?).await?;
            }
        }
        Ok("pay".to_owned())
    }
}
