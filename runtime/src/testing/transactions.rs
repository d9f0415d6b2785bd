use std::time::Duration;

use async_trait::async_trait;
use sqlx::{PgPool, SqlitePool};

use crate::journal::{ErrorKind, ErrorRecord};
use crate::step::{Connection, Database, Open, Rollback, conflicts};

/// A database that a test lends for its transactions.
pub(super) enum Lent {
    Postgres(PgPool),
    Sqlite(SqlitePool),
}

#[async_trait]
impl Database for Lent {
    async fn begin(&self) -> Connection {
        let begun = match self {
            Self::Postgres(pool) => pool.begin().await.map(Connection::Postgres),
            Self::Sqlite(pool) => {
                let begun = pool.begin_with("BEGIN IMMEDIATE").await;
                begun.map(|tx| Connection::Sqlite(tx, None))
            }
        };
        begun.unwrap_or_else(|error| panic!("a transaction cannot begin: {error}"))
    }

    fn limit(&self) -> Option<Duration> {
        match self {
            Self::Postgres(_) => None,
            // As in a store: nobody else writes, so one has to end before the next begins.
            Self::Sqlite(_) => Some(Duration::from_secs(2)),
        }
    }
}

/// Commits what a transaction did.
pub(super) async fn commit(open: Open) -> Result<(), Rollback> {
    let committed = match open.take() {
        Some(Connection::Postgres(tx)) => tx.commit().await,
        Some(Connection::Sqlite(tx, _)) => tx.commit().await,
        #[cfg(test)]
        Some(Connection::Pretended) => Ok(()),
        None => Ok(()),
    };
    committed.map_err(|error| {
        let record = ErrorRecord::of(ErrorKind::Error, &error);
        if conflicts(&error) { Rollback::Undeserved(record) } else { Rollback::Deserved(record) }
    })
}
