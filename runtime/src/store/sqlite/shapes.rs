use sqlx::Row as _;

use super::database::SqliteStore;
use super::value::{Columns as _, batch};
use crate::store::hints::Stirred;
use crate::store::{Recorded, RunStatus, StoreError};

/// Served by the primary key.
const SHAPE: &str = "SELECT shape FROM indelible_workflows WHERE app = ?1 AND id = ?2";

/// Served by the primary key.
const RESHAPE: &str = "UPDATE indelible_workflows SET shape = ?3 WHERE app = ?1 AND id = ?2";

/// Served by `indelible_runs_by_status` and the primary key of the journal.
const RECORDED: &str = "
    SELECT line.key, count(DISTINCT run.id) AS runs, min(run.id) AS example
    FROM indelible_runs run JOIN indelible_journal line ON line.run_id = run.id
    WHERE run.app = ?1 AND run.status IN (SELECT value FROM json_each(?2)) AND run.workflow = ?3
    GROUP BY line.key";

pub(super) async fn reshape(
    store: &SqliteStore,
    app: &str,
    workflow: &str,
    shape: &str,
) -> Result<Option<String>, StoreError> {
    let mut tx = store.write().await?;
    let before: Option<Option<String>> =
        sqlx::query_scalar(SHAPE).bind(app).bind(workflow).fetch_optional(&mut *tx).await?;
    sqlx::query(RESHAPE).bind(app).bind(workflow).bind(shape).execute(&mut *tx).await?;
    tx.commit(Stirred::nothing()).await?;
    Ok(before.flatten())
}

pub(super) async fn recorded(
    store: &SqliteStore,
    app: &str,
    workflow: &str,
) -> Result<Vec<Recorded>, StoreError> {
    let rows = sqlx::query(RECORDED)
        .bind(app)
        .bind(batch(RunStatus::unfinished()))
        .bind(workflow)
        .fetch_all(store.readers()?)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Recorded {
                key: row.try_get::<String, _>("key")?.into(),
                runs: row.try_get::<i64, _>("runs")?.unsigned_abs(),
                example: row.uuid("example")?.into(),
            })
        })
        .collect()
}
