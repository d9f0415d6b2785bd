use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

/// A pool of connections. The statements are the same on both databases, which understand `$1`.
#[derive(Debug, Clone)]
pub(super) enum Database {
    Postgres(PgPool),
    Sqlite(SqlitePool),
}

/// Runs statements on whichever database it is, as `$pool`.
macro_rules! on {
    ($database:expr, $pool:ident => $statements:expr) => {
        match &$database {
            $crate::bank::database::Database::Postgres($pool) => $statements,
            $crate::bank::database::Database::Sqlite($pool) => $statements,
        }
    };
}
pub(super) use on;

impl Database {
    pub(super) async fn open(url: &str) -> sqlx::Result<Self> {
        if url.starts_with("sqlite:") {
            // The journal is in the mode in which the runtime has it. What a step writes needs no sync of
            // its own: the checkpoint that follows is written to the same log, behind it, and is synced.
            let options = SqliteConnectOptions::from_str(url)?
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Normal)
                .busy_timeout(Duration::from_secs(30));
            let pool = SqlitePoolOptions::new().max_connections(4).connect_with(options).await?;
            let mut transaction = pool.begin_with("begin immediate").await?;
            sqlx::raw_sql(include_str!("sqlite.sql")).execute(&mut *transaction).await?;
            transaction.commit().await?;
            Ok(Self::Sqlite(pool))
        } else {
            let pool = PgPoolOptions::new().max_connections(8).connect(url).await?;
            let mut transaction = pool.begin().await?;
            // `create … if not exists` fails when two processes find that it does not exist.
            sqlx::query("select pg_advisory_xact_lock(hashtext('loyalty'))")
                .execute(&mut *transaction)
                .await?;
            sqlx::raw_sql(include_str!("postgres.sql")).execute(&mut *transaction).await?;
            transaction.commit().await?;
            Ok(Self::Postgres(pool))
        }
    }
}
