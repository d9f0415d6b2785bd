//! What several concerns do with runs.

use jiff::Timestamp;
use serde::Serialize;
use sqlx::sqlite::SqliteConnection;

use super::value::{batch, micros};
use crate::journal::RunId;
use crate::store::{NewRun, RunStatus, StoreError};

/// A resend of what was committed before finds its rows there and adds none.
const INSERT: &str = "
    INSERT INTO indelible_runs
        (id, app, workflow, status, event_id, input, seed, rank, accepted_at)
    SELECT value ->> 'id', ?1, value ->> 'workflow', ?2, value ->> 'event', value ->> 'input',
           value ->> 'seed', value ->> 'accepted_at', value ->> 'accepted_at'
    FROM json_each(?3) WHERE true
    ON CONFLICT (id) DO NOTHING
    RETURNING id";

/// Served by the primary key of runs.
const READY: &str = "
    INSERT INTO indelible_ready (run_id, app, workflow, rank)
    SELECT id, app, workflow, rank
    FROM indelible_runs WHERE id IN (SELECT value FROM json_each(?1))";

#[derive(Serialize)]
struct RunRow<'a> {
    id: RunId,
    workflow: &'a str,
    event: Option<crate::event::EventId>,
    input: &'a str,
    seed: uuid::Uuid,
    accepted_at: i64,
}

/// Starts runs whose triggers were accepted at the given times.
pub(super) async fn insert<'a>(
    tx: &mut SqliteConnection,
    app: &str,
    runs: impl IntoIterator<Item = (&'a NewRun, Timestamp)>,
) -> Result<(), StoreError> {
    let rows: Vec<RunRow<'_>> = runs
        .into_iter()
        .map(|(run, accepted_at)| RunRow {
            id: run.id,
            workflow: &run.workflow,
            event: run.event,
            input: run.input.as_str(),
            seed: run.seed,
            accepted_at: micros(accepted_at),
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let new: Vec<String> = sqlx::query_scalar(INSERT)
        .bind(app)
        .bind(RunStatus::Queued.name())
        .bind(batch(rows))
        .fetch_all(&mut *tx)
        .await?;
    ready(tx, &new).await
}

/// Makes runs that nobody holds ready to be claimed.
pub(super) async fn ready(tx: &mut SqliteConnection, runs: &[String]) -> Result<(), StoreError> {
    if !runs.is_empty() {
        sqlx::query(READY).bind(batch(runs)).execute(tx).await?;
    }
    Ok(())
}
