//! What several concerns do with runs.

use jiff::Timestamp;
use serde::Serialize;
use sqlx::sqlite::SqliteConnection;

use super::value::{batch, micros};
use super::waits;
use crate::journal::{Child, RunId};
use crate::store::hints::{Stirred, Work};
use crate::store::{NewRun, RunStatus, StoreError};

/// A resend of what was committed before finds its rows there and adds none. Served by the unique
/// index of events.
const INSERT: &str = "
    INSERT INTO indelible_runs
        (id, app, workflow, status, event_id, input, seed, rank, accepted_at, scheduled_at, since)
    SELECT value ->> 'id', ?1, value ->> 'workflow', ?2, value ->> 'event', value ->> 'input',
           value ->> 'seed', value ->> 'accepted_at', value ->> 'accepted_at',
           value ->> 'scheduled_at', coalesce(
               (SELECT e.since FROM indelible_events e WHERE e.id = value ->> 'event'),
               (SELECT max(position) FROM indelible_events), 0
           )
    FROM json_each(?3) WHERE true
    ON CONFLICT (id) DO NOTHING
    RETURNING id";

/// Served by the primary key of runs.
const START_CHILDREN: &str = "
    INSERT INTO indelible_runs
        (id, app, workflow, status, parent, detached, input, seed, rank, accepted_at, since)
    SELECT c.value ->> 'id', parent.app, c.value ->> 'workflow', ?2, parent.id,
           c.value ->> 'detached', c.value ->> 'input', c.value ->> 'seed', ?3, ?3, ?4
    FROM json_each(?1) c JOIN indelible_runs parent ON parent.id = c.value ->> 'parent'
    RETURNING id";

/// A held one may be ready already, to be tried by another program. Served by the primary key of runs.
const READY: &str = "
    INSERT INTO indelible_ready (run_id, app, workflow, rank, suspects)
    SELECT id, app, workflow, rank, suspects
    FROM indelible_runs WHERE id IN (SELECT value FROM json_each(?1))
    ON CONFLICT (run_id) DO NOTHING";

#[derive(Serialize)]
struct RunRow<'a> {
    id: RunId,
    workflow: &'a str,
    event: Option<crate::event::EventId>,
    input: &'a str,
    seed: uuid::Uuid,
    accepted_at: i64,
    scheduled_at: Option<i64>,
}

#[derive(Serialize)]
struct ChildRow<'a> {
    id: RunId,
    parent: RunId,
    workflow: &'a str,
    detached: bool,
    input: &'a str,
    seed: uuid::Uuid,
}

/// Starts runs that other runs invoke.
pub(super) async fn start_children(
    tx: &mut SqliteConnection,
    children: &[(RunId, &Child)],
    at: Timestamp,
    since: i64,
) -> Result<(), StoreError> {
    if children.is_empty() {
        return Ok(());
    }
    let rows = children.iter().map(|(parent, child)| ChildRow {
        id: child.id,
        parent: *parent,
        workflow: child.workflow,
        detached: child.detached,
        input: child.input.as_str(),
        seed: child.seed,
    });
    let new: Vec<String> = sqlx::query_scalar(START_CHILDREN)
        .bind(batch(rows))
        .bind(RunStatus::Queued.name())
        .bind(micros(at))
        .bind(since)
        .fetch_all(&mut *tx)
        .await?;
    ready(tx, &new).await
}

/// Starts runs whose triggers were accepted at the given times.
pub(super) async fn insert<'a>(
    tx: &mut SqliteConnection,
    app: &str,
    runs: impl IntoIterator<Item = (&'a NewRun, Timestamp)>,
) -> Result<Stirred, StoreError> {
    let mut cancels = Vec::new();
    let rows: Vec<RunRow<'_>> = runs
        .into_iter()
        .inspect(|(run, _)| cancels.push((run.id, &*run.cancels)))
        .map(|(run, accepted_at)| RunRow {
            id: run.id,
            workflow: &run.workflow,
            event: run.event,
            input: run.input.as_str(),
            seed: run.seed,
            accepted_at: micros(accepted_at),
            scheduled_at: run.scheduled_at.map(micros),
        })
        .collect();
    if rows.is_empty() {
        return Ok(Stirred::nothing());
    }
    let new: Vec<String> = sqlx::query_scalar(INSERT)
        .bind(app)
        .bind(RunStatus::Queued.name())
        .bind(batch(rows))
        .fetch_all(&mut *tx)
        .await?;
    waits::begin_with_runs(tx, cancels, true).await?;
    ready(tx, &new).await?;
    Ok(Stirred::here(Work::READY))
}

/// Makes runs that nobody holds ready to be claimed.
pub(super) async fn ready(tx: &mut SqliteConnection, runs: &[String]) -> Result<(), StoreError> {
    if !runs.is_empty() {
        sqlx::query(READY).bind(batch(runs)).execute(tx).await?;
    }
    Ok(())
}
