use std::time::Duration;

use sqlx::PgPool;

use crate::store::{Promoted, RunStatus, StoreError};

/// Served by `timers_by_time` and the primary key of runs. Nobody holds a parked run, and whoever
/// removes its timer may write it. The next timer is the first that this leaves behind.
pub(super) const PROMOTE: &str = "
    WITH due AS MATERIALIZED (
        SELECT run_id FROM indelible.timers
        WHERE due_at <= now() ORDER BY due_at, run_id LIMIT $1
        FOR UPDATE SKIP LOCKED
    ),
    fired AS (
        DELETE FROM indelible.timers timer USING due WHERE timer.run_id = due.run_id
        RETURNING timer.run_id
    ),
    queued AS (
        UPDATE indelible.runs run SET status = $2 FROM fired WHERE run.id = fired.run_id
        RETURNING run.id, run.app, run.workflow, run.rank
    ),
    released AS (
        INSERT INTO indelible.ready (run_id, app, workflow, rank)
        SELECT id, app, workflow, rank FROM queued
    )
    SELECT (SELECT count(*) FROM due), (
        SELECT extract(epoch FROM due_at - now())::float8 FROM indelible.timers
        ORDER BY due_at, run_id OFFSET (SELECT count(*) FROM due) LIMIT 1
    )";

pub(super) async fn promote(pool: &PgPool, limit: usize) -> Result<Promoted, StoreError> {
    let (runs, next): (i64, Option<f64>) = sqlx::query_as(PROMOTE)
        .bind(limit as i64)
        .bind(RunStatus::Queued.name())
        .fetch_one(pool)
        .await?;
    let next = next.map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default());
    Ok(Promoted { runs: usize::try_from(runs).unwrap_or_default(), next })
}
