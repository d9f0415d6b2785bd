//! What several concerns do with runs.

use std::collections::HashSet;

use jiff::Timestamp;
use serde::Serialize;
use sqlx::Sqlite;
use sqlx::query::QueryScalar;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};

use super::value::{batch, micros};
use super::{gates, waits};
use crate::flow::NewRun;
use crate::journal::{Child, RunId};
use crate::store::gated::Subject;
use crate::store::hints::{Stirred, Work};
use crate::store::{RunStatus, StoreError};
use crate::trace::TraceContext;

/// The columns that every run has as it is made.
macro_rules! columns {
    () => {
        "id, app, workflow, status, input, seed, rank, accepted_at, since"
    };
}
pub(super) use columns;

/// A statement for [`start`]: the rows of the `$new` query become runs.
///
/// Every run has the [`columns`], and those of `$further`; `$new` has them under the same names. Of a
/// run that is there already `$conflict` says what happens, and without it the statement fails.
macro_rules! started {
    ($new:literal, $further:literal $(, $conflict:literal)?) => {
        concat!(
            "
    WITH new AS (",
            $new,
            "
    )
    INSERT INTO indelible_runs (",
            $crate::store::sqlite::runs::columns!(),
            ", ",
            $further,
            ")
    SELECT ",
            $crate::store::sqlite::runs::columns!(),
            ", ",
            $further,
            "
    FROM new WHERE true",
            $("
    ", $conflict,)?
            "
    RETURNING id"
        )
    };
}
pub(super) use started;

/// A resend of what was committed before finds its rows there and adds none. Served by the unique
/// index of events.
const INSERT: &str = started!(
    "
        SELECT value ->> 'id' AS id, ?1 AS app, value ->> 'workflow' AS workflow, ?2 AS status,
               value ->> 'event' AS event_id, value ->> 'input' AS input, value ->> 'seed' AS seed,
               value ->> 'accepted_at' AS rank, value ->> 'accepted_at' AS accepted_at,
               value ->> 'scheduled_at' AS scheduled_at, value ->> 'trace' AS trace_context, coalesce(
                   (SELECT e.since FROM indelible_events e WHERE e.id = value ->> 'event'),
                   (SELECT max(position) FROM indelible_events), 0
               ) AS since
        FROM json_each(?3)",
    "event_id, scheduled_at, trace_context",
    "ON CONFLICT (id) DO NOTHING"
);

/// Served by the primary key of runs.
const START_CHILDREN: &str = started!(
    "
        SELECT c.value ->> 'id' AS id, parent.app, c.value ->> 'workflow' AS workflow,
               ?2 AS status, parent.id AS parent, c.value ->> 'detached' AS detached,
               c.value ->> 'silent' AS silent, parent.trace_context,
               c.value ->> 'input' AS input, c.value ->> 'seed' AS seed, ?3 AS rank,
               ?3 AS accepted_at, ?4 AS since
        FROM json_each(?1) c JOIN indelible_runs parent ON parent.id = c.value ->> 'parent'",
    "parent, detached, silent, trace_context"
);

/// A held one may be ready already, to be tried by another program. Served by the primary key of runs.
const READY: &str = "
    INSERT INTO indelible_ready (run_id, app, workflow, rank, suspects)
    SELECT id, app, workflow, rank, CASE WHEN gated THEN -1 ELSE suspects END
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
    trace: Option<&'a str>,
}

#[derive(Serialize)]
struct ChildRow<'a> {
    id: RunId,
    parent: RunId,
    workflow: &'a str,
    detached: bool,
    silent: bool,
    input: &'a str,
    seed: uuid::Uuid,
}

/// Starts runs that other runs invoke, in the traces of those.
pub(super) async fn start_children(
    tx: &mut SqliteConnection,
    app: &str,
    children: &[(RunId, &Child)],
    silent: &[RunId],
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
        silent: silent.contains(parent),
        input: child.input.as_str(),
        seed: child.seed,
    });
    let started = sqlx::query_scalar(START_CHILDREN)
        .bind(batch(rows))
        .bind(RunStatus::Queued.name())
        .bind(micros(at))
        .bind(since);
    start(tx, started).await?;
    gates::admit(tx, app, &Subject::among_children(children)).await
}

/// Starts runs whose triggers were accepted at the given times.
pub(super) async fn insert<'a>(
    tx: &mut SqliteConnection,
    app: &str,
    runs: impl IntoIterator<Item = (&'a NewRun, Timestamp)>,
) -> Result<Stirred, StoreError> {
    let runs: Vec<(&NewRun, Timestamp)> = runs.into_iter().collect();
    let rows: Vec<RunRow<'_>> = runs
        .iter()
        .map(|(run, accepted_at)| RunRow {
            id: run.id,
            workflow: &run.workflow,
            event: run.event,
            input: run.input.as_str(),
            seed: run.seed,
            accepted_at: micros(*accepted_at),
            scheduled_at: run.scheduled_at.map(micros),
            trace: run.trace.as_ref().map(TraceContext::as_str),
        })
        .collect();
    if rows.is_empty() {
        return Ok(Stirred::nothing());
    }
    let new = sqlx::query_scalar(INSERT).bind(app).bind(RunStatus::Queued.name()).bind(batch(rows));
    let started: HashSet<String> = start(tx, new).await?.into_iter().collect();
    let runs = || runs.iter().map(|(run, _)| *run);
    let new = || runs().filter(|run| started.contains(&run.id.to_string()));
    gates::admit(tx, app, &Subject::among(new())).await?;
    let unknown = new().filter(|run| run.unsettled).map(|run| run.id);
    gates::unsettle(tx, unknown, true).await?;
    let cancels = runs().map(|run| (run.id, &*run.cancels));
    waits::begin_with_runs(tx, cancels, true).await?;
    let unsettled = runs().any(|run| run.unsettled);
    Ok(Stirred::here(if unsettled { Work::READY | Work::UNSETTLED } else { Work::READY }))
}

/// Makes runs, by a statement of [`started`], that are ready to be claimed. Gives their ids.
pub(super) async fn start(
    tx: &mut SqliteConnection,
    new: QueryScalar<'_, Sqlite, String, SqliteArguments>,
) -> Result<Vec<String>, StoreError> {
    let started = new.fetch_all(&mut *tx).await?;
    ready(tx, &started).await?;
    Ok(started)
}

/// Makes runs that nobody holds ready to be claimed. Gives how many were not ready before.
pub(super) async fn ready(tx: &mut SqliteConnection, runs: &[String]) -> Result<u64, StoreError> {
    if runs.is_empty() {
        return Ok(0);
    }
    Ok(sqlx::query(READY).bind(batch(runs)).execute(tx).await?.rows_affected())
}
