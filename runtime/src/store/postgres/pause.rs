//! Workflows of which no runs are driven for now, and runs that nobody could drive.

use sqlx::Row as _;

use super::database::Database;
use super::value::Columns as _;
use crate::store::hints::{Stirred, Work};
use crate::store::{Paused, RunStatus, StoreError, StrandedRuns};

pub(super) const PAUSE: &str = "
    INSERT INTO indelible.paused (app, workflow, at) VALUES ($1, $2, clock_timestamp())
    ON CONFLICT DO NOTHING";

/// Served by the primary key.
const RESUME: &str = "DELETE FROM indelible.paused WHERE app = $1 AND workflow = $2";

/// Served by the primary key.
pub(super) const PAUSED: &str = "
    SELECT workflow, at FROM indelible.paused WHERE app = $1 ORDER BY workflow";

/// What living workers drive: there is one row a process. Then all unfinished runs, by
/// `runs_by_status`: for an operator who asks.
const STRANDED: &str = "
    WITH driven AS MATERIALIZED (
        SELECT DISTINCT drive.workflow, drive.shape
        FROM indelible.workers worker, unnest(worker.workflows, worker.shapes)
            AS drive (workflow, shape)
        WHERE worker.app = $1 AND worker.expires_at > now()
    ),
    standing AS (
        SELECT workflow, shape, count(*) AS runs, min(id::text)::uuid AS example
        FROM indelible.runs WHERE app = $1 AND status = ANY ($2) GROUP BY workflow, shape
    )
    SELECT workflow, shape, runs, example FROM standing
    WHERE NOT EXISTS (
        SELECT 1 FROM driven
        WHERE driven.workflow = standing.workflow
          AND (driven.shape IS NULL OR standing.shape IS NULL OR driven.shape = standing.shape)
    )
    ORDER BY workflow, example";

pub(super) async fn pause(
    database: &Database,
    app: &str,
    workflow: &str,
) -> Result<bool, StoreError> {
    let mut connection = database.acquire().await?;
    let paused = sqlx::query(PAUSE).bind(app).bind(workflow).execute(&mut connection).await?;
    database.committed(Stirred::of(app, Work::PAUSES));
    Ok(paused.rows_affected() > 0)
}

pub(super) async fn resume(
    database: &Database,
    app: &str,
    workflow: &str,
) -> Result<bool, StoreError> {
    let mut connection = database.acquire().await?;
    let resumed = sqlx::query(RESUME).bind(app).bind(workflow).execute(&mut connection).await?;
    // Its runs were ready all the time, and nobody could claim them.
    database.committed(Stirred::of(app, Work::PAUSES | Work::READY));
    Ok(resumed.rows_affected() > 0)
}

pub(super) async fn paused(database: &Database, app: &str) -> Result<Vec<Paused>, StoreError> {
    let rows = sqlx::query(PAUSED).bind(app).fetch_all(&mut database.acquire().await?).await?;
    rows.iter()
        .map(|row| Ok(Paused { workflow: row.try_get("workflow")?, since: row.time("at")? }))
        .collect()
}

pub(super) async fn stranded(
    database: &Database,
    app: &str,
) -> Result<Vec<StrandedRuns>, StoreError> {
    let unfinished: Vec<&str> = RunStatus::unfinished().collect();
    let rows = sqlx::query(STRANDED)
        .bind(app)
        .bind(unfinished)
        .fetch_all(&mut database.acquire().await?)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(StrandedRuns {
                workflow: row.try_get("workflow")?,
                shape: row.try_get("shape")?,
                runs: row.try_get::<i64, _>("runs")?.unsigned_abs(),
                example: row.uuid("example")?,
            })
        })
        .collect()
}
