use sqlx::{SqliteConnection, SqliteExecutor};

use super::life::Lives;
use super::value::uuid;
use crate::id::WorkerId;
use crate::store::StoreError;

/// Goes over all workers: there is one row a process.
const WORKERS: &str = "SELECT id FROM indelible_workers";

/// Served by the primary key.
const APP: &str = "SELECT app FROM indelible_workers WHERE id = ?1";

/// All that the database knows of.
pub(super) async fn all(from: impl SqliteExecutor<'_>) -> Result<Vec<WorkerId>, StoreError> {
    let workers: Vec<String> = sqlx::query_scalar(WORKERS).fetch_all(from).await?;
    workers.iter().map(|id| uuid(id).map(WorkerId::from)).collect()
}

/// The workers whose processes live.
pub(super) async fn living(
    lives: &Lives,
    from: impl SqliteExecutor<'_>,
) -> Result<Vec<WorkerId>, StoreError> {
    let mut workers = all(from).await?;
    workers.retain(|worker| !lives.is_dead(*worker));
    Ok(workers)
}

/// Fails unless the worker's row is there; gives its app. In a transaction that writes it stays there until the commit.
pub(super) async fn hold(
    connection: &mut SqliteConnection,
    worker: WorkerId,
) -> Result<String, StoreError> {
    let app = sqlx::query_scalar(APP).bind(worker.to_string()).fetch_optional(connection).await?;
    app.ok_or(StoreError::LeaseLost)
}
