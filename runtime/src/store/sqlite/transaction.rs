//! The user's transactions: on the one connection that writes.

use std::slice;

use sqlx::{Sqlite, Transaction};
use uuid::Uuid;

use super::database::SqliteStore;
use super::flush::flush_in;
use super::gates;
use crate::id::WorkerId;
use crate::journal::{ErrorKind, ErrorRecord, RunCommit};
use crate::step::Rollback;
use crate::store::{Concluded, StoreError};
use crate::transaction::Connection;

pub(super) async fn begin(store: &SqliteStore) -> Result<Connection, StoreError> {
    let turn = store.turn.clone().acquire_owned().await.ok();
    let mut tx = store.begin_immediate().await?;
    // It is gone with its transaction, so it tells whether that is still the same.
    sqlx::query("SAVEPOINT indelible").execute(&mut *tx).await?;
    Ok(Connection::Sqlite(tx, turn))
}

pub(super) async fn conclude(
    store: &SqliteStore,
    mut tx: Transaction<'static, Sqlite>,
    worker: WorkerId,
    commit: Uuid,
    run: &RunCommit,
) -> Result<Concluded, StoreError> {
    store.file.check()?;
    if let Err(error) = sqlx::query("RELEASE indelible").execute(&mut *tx).await {
        if !error.to_string().contains("no such savepoint") {
            return Ok(Concluded::RolledBack(failed(&error)));
        }
        let message = "the transaction was committed or rolled back within its closure, so it is \
                       not known what of it is left";
        let record = ErrorRecord::new(ErrorKind::Permanent, message);
        return Ok(Concluded::RolledBack(Rollback::Deserved(record)));
    }
    let (flushed, stirred) = match flush_in(&mut tx, worker, commit, slice::from_ref(run)).await {
        Ok(flushed) => flushed,
        Err(StoreError::Unavailable(error)) => return Ok(Concluded::RolledBack(failed(&error))),
        Err(error) => return Err(error),
    };
    if !flushed.evicted.is_empty() {
        tx.rollback().await?;
        return Ok(Concluded::Committed(flushed));
    }
    match tx.commit().await {
        Ok(()) => {
            store.hints.stir(gates::asked(stirred));
            Ok(Concluded::Committed(flushed))
        }
        Err(error) => Ok(Concluded::RolledBack(failed(&error))),
    }
}

/// Deferred constraints are checked by the commit; anything else is no fault of the transaction's.
fn failed(error: &sqlx::Error) -> Rollback {
    let record = ErrorRecord::of(ErrorKind::Error, error);
    match error.as_database_error() {
        Some(refusal) if refusal.is_foreign_key_violation() => Rollback::Deserved(record),
        _ => Rollback::Undeserved(record),
    }
}
