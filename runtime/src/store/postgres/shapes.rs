use sqlx::Row as _;

use super::database::Database;
use super::value::Columns as _;
use crate::store::{Recorded, RunStatus, StoreError};

/// Gives the shape that was there, and leaves the new one. Served by the primary key.
const RESHAPE: &str = "
    UPDATE indelible.workflows new SET shape = $3
    FROM (
        SELECT app, id, shape FROM indelible.workflows WHERE app = $1 AND id = $2 FOR UPDATE
    ) old
    WHERE new.app = old.app AND new.id = old.id
    RETURNING old.shape";

/// Served by `runs_by_status` and the primary key of the journal.
const RECORDED: &str = "
    SELECT line.key, count(DISTINCT run.id) AS runs, min(run.id::text)::uuid AS example
    FROM indelible.runs run JOIN indelible.journal line ON line.run_id = run.id
    WHERE run.app = $1 AND run.status = ANY ($2) AND run.workflow = $3
    GROUP BY line.key";

pub(super) async fn reshape(
    database: &Database,
    app: &str,
    workflow: &str,
    shape: &str,
) -> Result<Option<String>, StoreError> {
    let before: Option<Option<String>> = sqlx::query_scalar(RESHAPE)
        .bind(app)
        .bind(workflow)
        .bind(shape)
        .fetch_optional(&mut database.acquire().await?)
        .await?;
    Ok(before.flatten())
}

pub(super) async fn recorded(
    database: &Database,
    app: &str,
    workflow: &str,
) -> Result<Vec<Recorded>, StoreError> {
    let unfinished: Vec<&str> = RunStatus::unfinished().collect();
    let rows = sqlx::query(RECORDED)
        .bind(app)
        .bind(unfinished)
        .bind(workflow)
        .fetch_all(&mut database.acquire().await?)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Recorded {
                key: row.try_get::<String, _>("key")?.into(),
                runs: row.try_get::<i64, _>("runs")?.unsigned_abs(),
                example: row.uuid("example")?,
            })
        })
        .collect()
}
