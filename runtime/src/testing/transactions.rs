use std::error::Error;
use std::time::Duration;

use async_trait::async_trait;
#[cfg(feature = "postgres")]
use sqlx::PgPool;
#[cfg(feature = "sqlite")]
use sqlx::SqlitePool;

use crate::journal::{ErrorKind, ErrorRecord};
use crate::step::{self, Database, Open, Rollback};
use crate::transaction::{Connection, conflicts, is_conflict};

/// A database that a test lends for its transactions.
pub(super) enum Lent {
    #[cfg(feature = "postgres")]
    Postgres(PgPool),
    #[cfg(feature = "sqlite")]
    Sqlite(SqlitePool),
}

#[async_trait]
impl Database for Lent {
    async fn begin(&self) -> step::Connection {
        let begun = match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(pool) => pool.begin().await.map(Connection::Postgres),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(pool) => {
                let begun = pool.begin_with("BEGIN IMMEDIATE").await;
                begun.map(|tx| Connection::Sqlite(tx, None))
            }
        };
        Box::new(begun.unwrap_or_else(|error| panic!("a transaction cannot begin: {error}")))
    }

    fn limit(&self) -> Option<Duration> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => None,
            // As in a store: nobody else writes, so one has to end before the next begins.
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => Some(Duration::from_secs(2)),
        }
    }

    fn conflicts(&self, error: &(dyn Error + 'static)) -> bool {
        is_conflict(error)
    }
}

/// Commits what a transaction did.
pub(super) async fn commit(open: Open) -> Result<(), Rollback> {
    let committed = match open.take() {
        #[cfg(feature = "postgres")]
        Some(Connection::Postgres(tx)) => tx.commit().await,
        #[cfg(feature = "sqlite")]
        Some(Connection::Sqlite(tx, _)) => tx.commit().await,
        None => Ok(()),
    };
    committed.map_err(|error| {
        let record = ErrorRecord::of(ErrorKind::Error, &error);
        if conflicts(&error) { Rollback::Undeserved(record) } else { Rollback::Deserved(record) }
    })
}
