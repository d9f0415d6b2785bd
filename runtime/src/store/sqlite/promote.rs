use std::time::Duration;

use super::SqliteStore;
use super::runs;
use super::value::{batch, micros, now};
use crate::store::{Promoted, RunStatus, StoreError};

/// Served by `indelible_timers_by_time`.
const DUE: &str = "
    SELECT run_id FROM indelible_timers WHERE due_at <= ?1 ORDER BY due_at, run_id LIMIT ?2";

/// Served by the primary key.
const REMOVE: &str = "
    DELETE FROM indelible_timers WHERE run_id IN (SELECT value FROM json_each(?1))";

/// Served by the primary key. A message may have made a run ready before its timer.
const QUEUE: &str = "
    UPDATE indelible_runs SET status = ?2
    WHERE id IN (SELECT value FROM json_each(?1)) AND status = ?3
    RETURNING id";

/// Served by `indelible_timers_by_time`.
const NEXT: &str = "SELECT min(due_at) FROM indelible_timers";

pub(super) async fn promote(store: &SqliteStore, limit: usize) -> Result<Promoted, StoreError> {
    let mut tx = store.write().await?;
    let now = micros(now());
    let due: Vec<String> =
        sqlx::query_scalar(DUE).bind(now).bind(limit as i64).fetch_all(&mut *tx).await?;
    let mut queued = Vec::new();
    if !due.is_empty() {
        let due = batch(due);
        sqlx::query(REMOVE).bind(&due).execute(&mut *tx).await?;
        queued = sqlx::query_scalar(QUEUE)
            .bind(&due)
            .bind(RunStatus::Queued.name())
            .bind(RunStatus::Waiting.name())
            .fetch_all(&mut *tx)
            .await?;
        runs::ready(&mut tx, &queued).await?;
    }
    let next: Option<i64> = sqlx::query_scalar(NEXT).fetch_one(&mut *tx).await?;
    tx.commit().await?;
    let wait = |due: i64| Duration::from_micros(due.saturating_sub(now).max(0).unsigned_abs());
    Ok(Promoted { runs: queued.len(), next: next.map(wait) })
}
