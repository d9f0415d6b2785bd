use std::time::Duration;

use sqlx::PgPool;

use super::inbox::{self, Broom};
use super::{OVERDUE, waits};
use crate::store::{Promoted, RunStatus, StoreError};

/// Served by `timers_by_time` and the primary key of runs, and `waits_unlooked`. Nobody holds a
/// parked run, and whoever removes its timer may write it, unless a message was first. The next timer
/// is the first that this leaves behind.
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
        UPDATE indelible.runs run SET status = $2
        FROM fired WHERE run.id = fired.run_id AND run.status = $3
        RETURNING run.id, run.app, run.workflow, run.rank
    ),
    released AS (
        INSERT INTO indelible.ready (run_id, app, workflow, rank)
        SELECT id, app, workflow, rank FROM queued
    )
    SELECT (SELECT count(*) FROM queued), (
        SELECT extract(epoch FROM due_at - now())::float8 FROM indelible.timers
        ORDER BY due_at, run_id OFFSET (SELECT count(*) FROM due) LIMIT 1
    ), EXISTS (
        SELECT FROM indelible.waits
        WHERE NOT looked AND made_at <= now() - $4 * interval '1 second'
    )";

pub(super) async fn promote(
    pool: &PgPool,
    broom: &Broom,
    limit: usize,
) -> Result<Promoted, StoreError> {
    let mut connection = pool.acquire().await?;
    let (queued, next, late): (i64, Option<f64>, bool) = sqlx::query_as(PROMOTE)
        .bind(limit as i64)
        .bind(RunStatus::Queued.name())
        .bind(RunStatus::Waiting.name())
        .bind(OVERDUE.as_secs_f64())
        .fetch_one(&mut *connection)
        .await?;
    let mut runs = queued.unsigned_abs();
    if late {
        let told = waits::look_late(&mut connection, limit).await?;
        runs += inbox::rouse(&mut connection, &told).await?;
    }
    runs += inbox::sweep(&mut connection, broom).await?;
    let next = next.map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default());
    Ok(Promoted { runs: usize::try_from(runs).unwrap_or_default(), next })
}
