//! Workflows of which no runs are driven for now, and runs that nobody could drive.

use sqlx::Row as _;

use super::database::SqliteStore;
use super::value::{Columns as _, batch, micros, now};
use super::workers;
use crate::store::hints::{Stirred, Work};
use crate::store::{Paused, RunStatus, StoreError, StrandedRuns};

const PAUSE: &str = "
    INSERT INTO indelible_paused (app, workflow, at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";

/// Served by the primary key.
const RESUME: &str = "DELETE FROM indelible_paused WHERE app = ?1 AND workflow = ?2";

/// Served by the primary key.
const PAUSED: &str = "
    SELECT workflow, at FROM indelible_paused WHERE app = ?1 ORDER BY workflow";

/// What living workers drive: there is one row a process. Then all unfinished runs, by
/// `indelible_runs_by_status`: for an operator who asks.
const STRANDED: &str = "
    WITH driven AS MATERIALIZED (
        SELECT DISTINCT d.value ->> 'workflow' AS workflow, d.value ->> 'shape' AS shape
        FROM indelible_workers w, json_each(w.drives) d
        WHERE w.app = ?1 AND w.id IN (SELECT value FROM json_each(?3))
    ),
    standing AS (
        SELECT workflow, shape, count(*) AS runs, min(id) AS example
        FROM indelible_runs
        WHERE app = ?1 AND status IN (SELECT value FROM json_each(?2)) GROUP BY workflow, shape
    )
    SELECT workflow, shape, runs, example FROM standing
    WHERE NOT EXISTS (
        SELECT 1 FROM driven
        WHERE driven.workflow = standing.workflow
          AND (driven.shape IS NULL OR standing.shape IS NULL OR driven.shape = standing.shape)
    )
    ORDER BY workflow, example";

pub(super) async fn pause(
    store: &SqliteStore,
    app: &str,
    workflow: &str,
) -> Result<bool, StoreError> {
    let mut tx = store.write().await?;
    let paused = sqlx::query(PAUSE).bind(app).bind(workflow).bind(micros(now()));
    let paused = paused.execute(&mut *tx).await?;
    tx.commit(Stirred::here(Work::PAUSES)).await?;
    Ok(paused.rows_affected() > 0)
}

pub(super) async fn resume(
    store: &SqliteStore,
    app: &str,
    workflow: &str,
) -> Result<bool, StoreError> {
    let mut tx = store.write().await?;
    let resumed = sqlx::query(RESUME).bind(app).bind(workflow).execute(&mut *tx).await?;
    // Its runs were ready all the time, and nobody could claim them.
    tx.commit(Stirred::here(Work::PAUSES | Work::READY)).await?;
    Ok(resumed.rows_affected() > 0)
}

pub(super) async fn paused(store: &SqliteStore, app: &str) -> Result<Vec<Paused>, StoreError> {
    let rows = sqlx::query(PAUSED).bind(app).fetch_all(store.readers()?).await?;
    rows.iter()
        .map(|row| Ok(Paused { workflow: row.try_get("workflow")?, since: row.time("at")? }))
        .collect()
}

pub(super) async fn stranded(
    store: &SqliteStore,
    app: &str,
) -> Result<Vec<StrandedRuns>, StoreError> {
    let living = workers::living(&store.lives, store.readers()?).await?;
    let rows = sqlx::query(STRANDED)
        .bind(app)
        .bind(batch(RunStatus::unfinished()))
        .bind(batch(living))
        .fetch_all(store.readers()?)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(StrandedRuns {
                workflow: row.try_get("workflow")?,
                shape: row.uuid_or_null("shape")?,
                runs: row.try_get::<i64, _>("runs")?.unsigned_abs(),
                example: row.uuid("example")?.into(),
            })
        })
        .collect()
}
