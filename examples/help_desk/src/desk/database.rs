//! The application's own tables, on either database. The statements are the same on both: on
//! Postgres the schema `help_desk` is on the search path, and `$1` is understood by both.

use std::future::Future;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteSynchronous};

/// A pool of connections; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) enum Database {
    Postgres(PgPool),
    Sqlite(SqlitePool),
}

/// Runs statements on whichever database it is, as `$pool`, and again while it is away.
macro_rules! on {
    ($database:expr, $pool:ident => $statements:expr) => {{
        use $crate::desk::Database;
        let database: &Database = &$database;
        database
            .patiently(|| async {
                match database {
                    Database::Postgres($pool) => $statements,
                    Database::Sqlite($pool) => $statements,
                }
            })
            .await
    }};
}
pub(crate) use on;

impl Database {
    /// Prepares connections to a database, without making one yet.
    pub(crate) fn lazy(url: &str) -> sqlx::Result<Self> {
        if url.starts_with("sqlite:") {
            // The steps' own writes need no sync of their own: the checkpoint that follows is
            // written to the same log, behind them, and is synced.
            let options = SqliteConnectOptions::from_str(url)?
                .busy_timeout(Duration::from_secs(30))
                .synchronous(SqliteSynchronous::Normal);
            Ok(Self::Sqlite(SqlitePoolOptions::new().max_connections(4).connect_lazy_with(options)))
        } else {
            let options = PgConnectOptions::from_str(url)?.options([("search_path", "help_desk")]);
            Ok(Self::Postgres(PgPoolOptions::new().max_connections(8).connect_lazy_with(options)))
        }
    }

    /// Makes the tables that are missing, however many processes do so at once.
    pub(crate) async fn create_tables(&self) -> sqlx::Result<()> {
        match self {
            Self::Postgres(pool) => {
                let mut transaction = pool.begin().await?;
                // `create … if not exists` fails when two processes find that it does not exist.
                sqlx::query("select pg_advisory_xact_lock(hashtext('help_desk'))")
                    .execute(&mut *transaction)
                    .await?;
                sqlx::raw_sql(include_str!("schema/postgres.sql"))
                    .execute(&mut *transaction)
                    .await?;
                transaction.commit().await
            }
            Self::Sqlite(pool) => {
                let mut transaction = pool.begin_with("begin immediate").await?;
                sqlx::raw_sql(include_str!("schema/sqlite.sql")).execute(&mut *transaction).await?;
                transaction.commit().await
            }
        }
    }

    /// Makes an attempt, and others for as long as the database is away: its absence is nothing
    /// that a step should spend its retries on.
    pub(crate) async fn patiently<T, F>(&self, attempt: impl Fn() -> F) -> sqlx::Result<T>
    where
        F: Future<Output = sqlx::Result<T>>,
    {
        let mut wait = Duration::from_millis(50);
        loop {
            match attempt().await {
                Err(error) if is_away(&error) => tokio::time::sleep(wait).await,
                result => return result,
            }
            wait = (wait * 2).min(Duration::from_secs(2));
        }
    }
}

/// Whether an error says that the database cannot be spoken with just now.
fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            // Postgres: connection exceptions, shutting down, starting up, too many connections.
            // SQLite: busy.
            code.starts_with("08")
                || matches!(&*code, "57P01" | "57P02" | "57P03" | "53300" | "5" | "517")
        }),
        _ => false,
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// A database in memory with empty tables.
    pub(crate) async fn database() -> Database {
        // Each connection to memory has a database of its own, so there is one, which stays.
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_lazy("sqlite::memory:")
            .unwrap();
        let database = Database::Sqlite(pool);
        database.create_tables().await.unwrap();
        database
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_database_that_is_away_is_waited_for() {
        let database = Database::lazy("sqlite://unused.db").unwrap();
        let attempts = std::cell::Cell::new(0);
        let result = database
            .patiently(|| {
                attempts.set(attempts.get() + 1);
                let away = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
                let result = if attempts.get() < 3 { Err(away.into()) } else { Ok("here") };
                async { result }
            })
            .await;
        assert_eq!((result.unwrap(), attempts.get()), ("here", 3));
    }

    #[tokio::test]
    async fn any_other_error_is_given_at_once() {
        let database = Database::lazy("sqlite://unused.db").unwrap();
        let result = database.patiently(|| async { Err::<(), _>(sqlx::Error::RowNotFound) }).await;
        assert!(matches!(result, Err(sqlx::Error::RowNotFound)));
    }
}
