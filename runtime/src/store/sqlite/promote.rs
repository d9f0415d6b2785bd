use std::time::Duration;

use super::database::SqliteStore;
use super::runs;
use super::value::{batch, micros, now};
use crate::store::hints::{Stirred, Work};
use crate::store::{Promoted, RunStatus, StoreError};

/// Served by `indelible_timers_by_time`.
const DUE: &str = "
    SELECT run_id, due_at FROM indelible_timers
    WHERE due_at <= ?1 ORDER BY due_at, run_id LIMIT ?2";

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
    let due: Vec<(String, i64)> =
        sqlx::query_as(DUE).bind(now).bind(limit as i64).fetch_all(&mut *tx).await?;
    let mut queued = Vec::new();
    if !due.is_empty() {
        let due = batch(due.iter().map(|(run, _)| run));
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
    tx.commit(Stirred::here(Work::READY).if_any(queued.len() as u64)).await?;
    let between =
        |from: i64, to: i64| Duration::from_micros(to.saturating_sub(from).max(0).unsigned_abs());
    let late = due.first().map(|(_, due)| between(*due, now));
    let next = next.map(|next| between(now, next));
    Ok(Promoted { runs: queued.len(), next, late })
}
