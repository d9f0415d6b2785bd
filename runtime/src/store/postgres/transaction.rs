//! The user's transactions. They run on connections of their own, which are set up as the user's
//! database is and not as the engine's are.

use std::slice;

use sqlx::{PgPool, Postgres, Transaction};
use uuid::Uuid;

use super::database::{Database, Link, Reach};
use super::flush::send;
use super::pool::{self, SETTINGS};
use crate::id::WorkerId;
use crate::journal::{ErrorKind, ErrorRecord, RunCommit, RunId};
use crate::step::Rollback;
use crate::store::hints::Stirred;
use crate::store::{Concluded, Flushed, StoreError};
use crate::transaction::{Connection, conflicts};

/// At the isolation level that the user's database is set to. The first setting is gone with its
/// transaction, so it tells whether that is still the same; with the other, a transaction that is
/// forgotten has an end.
const BEGIN: &str = "
    BEGIN;
    SET LOCAL indelible.transaction = 'open';
    SET LOCAL idle_in_transaction_session_timeout = '1min'";

/// The same in a session that others have used. Statements that they prepared are there under names that
/// this program gives, too. The transaction that removes them has run a statement, after which nobody
/// can set the level of isolation; so the user's is another.
const BEGIN_BEHIND_OTHERS: &str = "
    BEGIN;
    DO $$
    DECLARE left_over text;
    BEGIN
        FOR left_over IN SELECT name FROM pg_prepared_statements WHERE name LIKE 'sqlx\\_s\\_%' LOOP
            EXECUTE format('DEALLOCATE %I', left_over);
        END LOOP;
    END $$;
    COMMIT AND CHAIN;
    SET LOCAL indelible.transaction = 'open';
    SET LOCAL idle_in_transaction_session_timeout = '1min'";

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

pub(super) async fn begin(lent: &PgPool, reach: Reach) -> Result<Connection, StoreError> {
    let begin = match reach {
        Reach::Session => BEGIN,
        Reach::Transaction => BEGIN_BEHIND_OTHERS,
    };
    Ok(Connection::Postgres(pool::begin(lent, begin).await?))
}

pub(super) async fn conclude(
    database: &Database,
    tx: Transaction<'static, Postgres>,
    worker: WorkerId,
    commit: Uuid,
    run: &RunCommit,
) -> Result<Concluded, StoreError> {
    let mut link = database.link(tx);
    let (flushed, stirred) = match write(&mut link, worker, commit, run).await {
        Ok(Some(written)) => written,
        Ok(None) => return Ok(Concluded::RolledBack(ended_by_itself())),
        Err(StoreError::Unavailable(error) | StoreError::Conflict(error)) => {
            return Ok(Concluded::RolledBack(before_the_commit(&error)));
        }
        Err(error) => return Err(error),
    };
    if !flushed.evicted.is_empty() {
        // Whether the server hears of it or not, nothing is committed.
        let _ = link.rollback().await;
        return Ok(Concluded::Committed(flushed));
    }
    match link.commit().await {
        Ok(()) => {
            database.committed(stirred);
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
    tx: &mut Link,
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

/// Returns once a transaction of this run of which nothing more was heard is over.
pub(super) async fn end(database: &Database, run: RunId) -> Result<(), StoreError> {
    sqlx::query(AWAIT).bind(run.as_uuid()).execute(&mut database.acquire().await?).await?;
    Ok(())
}

/// Nothing is committed of a transaction that fails before its commit.
fn before_the_commit(error: &sqlx::Error) -> Rollback {
    const IN_FAILED_TRANSACTION: &str = "25P02";
    // Behind a pooler, only a transaction keeps its session. Outside of one, a statement may be prepared in one session
    // and run in another. That one does not know the statement, or has prepared a different one.
    const UNKNOWN_STATEMENT: &str = "26000";
    const PROTOCOL_VIOLATION: &str = "08P01";
    match error.as_database_error().and_then(|error| error.code()).as_deref() {
        Some(IN_FAILED_TRANSACTION) => {
            let message = "a statement of the transaction failed, and its error was passed over: \
                           Postgres commits nothing after that";
            Rollback::Deserved(ErrorRecord::new(ErrorKind::Permanent, message))
        }
        Some(UNKNOWN_STATEMENT | PROTOCOL_VIOLATION) => ended_by_itself(),
        _ => undeserved(error),
    }
}

fn undeserved(error: &sqlx::Error) -> Rollback {
    Rollback::Undeserved(ErrorRecord::of(ErrorKind::Error, error))
}

fn ended_by_itself() -> Rollback {
    let message = "the transaction was committed or rolled back within its closure, so it is not \
                   known what of it is left";
    Rollback::Deserved(ErrorRecord::new(ErrorKind::Permanent, message))
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection as _, PgConnection};

    use super::*;
    use crate::store::conformance::{World, on_postgres};

    /// As behind a pooler, if the closure has ended its transaction.
    #[tokio::test]
    async fn a_session_that_does_not_know_the_statement_is_another_one() {
        on_postgres(|world: World| async move {
            let connection = PgConnection::connect(&world.database.url()).await;
            let mut connection = connection.expect("the server answers");
            let error = sqlx::raw_sql("EXECUTE prepared_elsewhere").execute(&mut connection).await;
            let error = error.expect_err("nobody has prepared that");
            let Rollback::Deserved(error) = before_the_commit(&error) else { panic!("{error}") };
            assert!(error.message.contains("within its closure"), "{error}");
        })
        .await;
    }
}
