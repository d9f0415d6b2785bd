//! The user's transactions. They run on connections of their own, which are set up as the user's
//! database is and not as the engine's are.

use std::slice;

use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use uuid::Uuid;

use super::connect::{self, SETTINGS};
use super::database::Database;
use super::flush::{landed, send};
use crate::id::WorkerId;
use crate::journal::{ErrorKind, ErrorRecord};
use crate::step::{Connection, Rollback, conflicts};
use crate::store::hints::{Hints, Stirred};
use crate::store::{Concluded, Flushed, RunCommit, StoreError};

/// The setting is gone with its transaction, so it tells whether that is still the same.
const BEGIN: &str = "BEGIN; SET LOCAL indelible.transaction = 'open'";

/// From here on the engine's settings hold and the commit is a synchronous one, and the rows of the
/// worker and of the run, locked in the order in which a take-over wants them, stay so until the
/// transaction is over one way or the other. Served by the primary keys.
const HOLD: &str = "
    WITH settings AS MATERIALIZED (
        SELECT count(set_config(setting.name, setting.value, TRUE)),
               CASE WHEN current_setting('synchronous_commit') = 'off'
                   THEN set_config('synchronous_commit', 'on', TRUE) END
        FROM unnest($2::text[], $3::text[]) AS setting (name, value)
    ),
    lease AS MATERIALIZED (
        SELECT 1 FROM indelible.workers WHERE id = $4 FOR KEY SHARE
    )
    SELECT current_setting('indelible.transaction', TRUE) IS NOT DISTINCT FROM 'open'
    FROM settings, lease, indelible.runs run WHERE run.id = $1 FOR NO KEY UPDATE OF run";

/// Waits until a transaction of which nothing more was heard is over. Served by the primary key.
const AWAIT: &str = "SELECT 1 FROM indelible.runs WHERE id = $1 FOR UPDATE";

pub(super) async fn begin(pool: &PgPool) -> Result<Connection, StoreError> {
    Ok(Connection::Postgres(connect::begin(pool, BEGIN).await?))
}

pub(super) async fn conclude(
    hints: &Hints,
    mut tx: Transaction<'static, Postgres>,
    worker: WorkerId,
    commit: Uuid,
    run: &RunCommit,
) -> Result<Concluded, StoreError> {
    let (flushed, stirred) = match write(&mut tx, worker, commit, run).await {
        Ok(Some(written)) => written,
        Ok(None) => return Ok(Concluded::RolledBack(ended_by_itself())),
        Err(StoreError::Unavailable(error)) => {
            return Ok(Concluded::RolledBack(before_the_commit(&error)));
        }
        Err(error) => return Err(error),
    };
    if !flushed.evicted.is_empty() {
        // Whether the server hears of it or not, nothing is committed.
        let _ = tx.rollback().await;
        return Ok(Concluded::Committed(flushed));
    }
    match tx.commit().await {
        Ok(()) => {
            hints.stir(stirred);
            Ok(Concluded::Committed(flushed))
        }
        Err(error) if conflicts(&error) => Ok(Concluded::RolledBack(undeserved(&error))),
        Err(error @ sqlx::Error::Database(_)) => Ok(Concluded::RolledBack(match error.into() {
            // Constraints that are deferred are checked only now.
            StoreError::Refused(error) => {
                Rollback::Deserved(ErrorRecord::of(ErrorKind::Error, &error))
            }
            other => Rollback::Undeserved(ErrorRecord::of(ErrorKind::Error, &other)),
        })),
        // The reply is lost; the commit may not be.
        Err(error) => Err(error.into()),
    }
}

/// Adds the outcome to a transaction; `None` if it is no longer the one that was begun.
pub(super) async fn write(
    tx: &mut PgConnection,
    worker: WorkerId,
    commit: Uuid,
    run: &RunCommit,
) -> Result<Option<(Flushed, Stirred)>, StoreError> {
    let (names, values): (Vec<_>, Vec<_>) = SETTINGS.into_iter().unzip();
    let is_open = sqlx::query_scalar(HOLD)
        .bind(run.run.as_uuid())
        .bind(names)
        .bind(values)
        .bind(worker.as_uuid())
        .fetch_optional(&mut *tx)
        .await?;
    match is_open {
        Some(true) => {
            let (sent, stirred) = send(tx, worker, commit, slice::from_ref(run)).await?;
            Ok(Some((sent.flushed, stirred)))
        }
        Some(false) => Ok(None),
        // The lease is gone, or the run.
        None => Err(StoreError::LeaseLost),
    }
}

pub(super) async fn concluded(
    database: &Database,
    commit: Uuid,
    run: &RunCommit,
) -> Result<Option<Flushed>, StoreError> {
    sqlx::query(AWAIT).bind(run.run.as_uuid()).execute(database.pool()).await?;
    landed(database, commit, slice::from_ref(run)).await
}

/// Nothing is committed of a transaction that fails before its commit.
fn before_the_commit(error: &sqlx::Error) -> Rollback {
    const IN_FAILED_TRANSACTION: &str = "25P02";
    let code = error.as_database_error().and_then(|error| error.code());
    if code.as_deref() == Some(IN_FAILED_TRANSACTION) {
        let message = "a statement of the transaction failed, and its error was passed over: \
                       Postgres commits nothing after that";
        return Rollback::Deserved(ErrorRecord::new(ErrorKind::Permanent, message));
    }
    undeserved(error)
}

fn undeserved(error: &sqlx::Error) -> Rollback {
    Rollback::Undeserved(ErrorRecord::of(ErrorKind::Error, error))
}

fn ended_by_itself() -> Rollback {
    let message = "the transaction was committed or rolled back within its closure, so it is not \
                   known what of it is left";
    Rollback::Deserved(ErrorRecord::new(ErrorKind::Permanent, message))
}
