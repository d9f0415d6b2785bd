use std::collections::HashSet;

use sqlx::{PgConnection, PgPool, Row as _};
use uuid::Uuid;

use super::value::{Columns as _, Time};
use crate::id::WorkerId;
use crate::journal::{Change, Due, RunId, round_up};
use crate::store::columns::{EntryColumns, LeaveColumns};
use crate::store::{Flushed, RunCommit, RunStatus, StoreError};

/// A whole batch: its lines, the events that they send, and what becomes of its runs.
///
/// `lease` holds the worker's row until the commit, so that nobody takes over in between; without
/// that row nothing below finds anything to do. Each part joins the runs that the worker holds, so
/// that what it no longer holds is left out. All parts see the database as it was before.
///
/// Served by the primary keys of workers, runs and subscriptions: one look-up a line. `OFFSET 0` and
/// `IS NOT DISTINCT FROM` keep the planner from the other way round, by `runs_of_worker`, which would
/// go over all that the worker holds for each line.
pub(super) const FLUSH: &str = "
    WITH lease AS MATERIALIZED (
        SELECT id FROM indelible.workers WHERE id = $1 FOR KEY SHARE
    ),
    clock AS MATERIALIZED (SELECT id AS worker, clock_timestamp() AS at FROM lease),
    written AS (
        INSERT INTO indelible.journal
            (run_id, seq, key, kind, transition, attempt, due_at, outcome, error, commit_id, at)
        SELECT line.run_id, line.seq, line.key, line.kind, line.transition, line.attempt,
               coalesce(line.due_at, clock.at + line.wait * interval '1 microsecond'),
               line.outcome::json, line.error::json, $2, clock.at
        FROM clock,
             unnest($3::uuid[], $4::integer[], $5::text[], $6::text[], $7::text[], $8::bigint[],
                    $9::timestamptz[], $10::float8[], $11::text[], $12::text[])
                 AS line (run_id, seq, key, kind, transition, attempt, due_at, wait, outcome, error),
             LATERAL (
                 SELECT FROM indelible.runs run
                 WHERE run.id = line.run_id AND run.worker IS NOT DISTINCT FROM clock.worker OFFSET 0
             ) AS ours
    ),
    event AS MATERIALIZED (
        SELECT event.id, event.name, event.data, event.place, clock.at
        FROM clock,
             unnest($13::uuid[], $14::uuid[], $15::text[], $16::text[]) WITH ORDINALITY
                 AS event (run_id, id, name, data, place),
             LATERAL (
                 SELECT FROM indelible.runs run
                 WHERE run.id = event.run_id AND run.worker IS NOT DISTINCT FROM clock.worker OFFSET 0
             ) AS ours
    ),
    accepted AS (
        INSERT INTO indelible.events (id, name, data, accepted_at)
        SELECT id, name, data::json, at FROM event
    ),
    delivered AS (
        INSERT INTO indelible.deliveries (app, event_id)
        SELECT subscription.app, event.id
        FROM event
        JOIN indelible.subscriptions subscription ON subscription.event_name = event.name
        ORDER BY event.place
    ),
    gone AS (
        UPDATE indelible.runs run SET
            worker = NULL, status = leaving.status, output = leaving.output::json,
            error = leaving.error::json, held = leaving.held,
            ended_at = CASE WHEN leaving.over THEN clock.at END, commit_id = $2,
            commit_at = clock.at
        FROM clock,
             unnest($17::uuid[], $18::text[], $19::timestamptz[], $20::boolean[], $21::text[],
                    $22::text[], $23::text[])
                 AS leaving (run_id, status, due_at, over, output, error, held)
        WHERE run.id = leaving.run_id AND run.worker IS NOT DISTINCT FROM clock.worker
        RETURNING run.id, run.app, run.workflow, run.rank, run.status, leaving.due_at
    ),
    parked AS (
        INSERT INTO indelible.timers (run_id, due_at)
        SELECT id, due_at FROM gone WHERE due_at IS NOT NULL
    ),
    released AS (
        INSERT INTO indelible.ready (run_id, app, workflow, rank)
        SELECT id, app, workflow, rank FROM gone WHERE status = $24
    )
    SELECT clock.at, ARRAY(
        SELECT batch.run_id
        FROM unnest($25::uuid[]) WITH ORDINALITY AS batch (run_id, place)
        WHERE NOT EXISTS (
            SELECT FROM indelible.runs run
            WHERE run.id = batch.run_id AND run.worker IS NOT DISTINCT FROM clock.worker OFFSET 0
        )
        ORDER BY batch.place
    ) AS evicted
    FROM clock";

/// Served by the primary keys of journal and runs. A commit without lines has left its id on the
/// run that it took from its worker.
pub(super) const LANDED: &str = "
    SELECT batch.run_id, coalesce(line.at, run.commit_at) AS at
    FROM unnest($1::uuid[], $2::integer[]) AS batch (run_id, seq)
    LEFT JOIN indelible.journal line
        ON line.run_id = batch.run_id AND line.seq = batch.seq AND line.commit_id = $3
    LEFT JOIN indelible.runs run ON run.id = batch.run_id AND run.commit_id = $3
    WHERE line.at IS NOT NULL OR run.commit_at IS NOT NULL";

pub(super) async fn flush(
    pool: &PgPool,
    worker: WorkerId,
    commit: Uuid,
    batch: &[RunCommit],
) -> Result<Flushed, StoreError> {
    let sent = send(&mut *pool.acquire().await?, worker, commit, batch).await;
    match sent {
        // The batch has come before, and its reply was lost.
        Err(error) if error.is_duplicate() => landed(pool, commit, batch).await?.ok_or(error),
        sent => sent,
    }
}

pub(super) async fn send(
    connection: &mut PgConnection,
    worker: WorkerId,
    commit: Uuid,
    batch: &[RunCommit],
) -> Result<Flushed, StoreError> {
    let mut lines = Lines::default();
    let mut events = Events::default();
    let mut leaving = Leaving::default();
    for commit in batch {
        lines.push(commit);
        events.push(commit);
        leaving.push(commit);
    }
    let row = sqlx::query(FLUSH)
        .bind(worker.as_uuid())
        .bind(commit)
        .bind(lines.runs)
        .bind(lines.seqs)
        .bind(lines.keys)
        .bind(lines.kinds)
        .bind(lines.transitions)
        .bind(lines.attempts)
        .bind(lines.dues)
        .bind(lines.waits)
        .bind(lines.outcomes)
        .bind(lines.errors)
        .bind(events.runs)
        .bind(events.ids)
        .bind(events.names)
        .bind(events.data)
        .bind(leaving.runs)
        .bind(leaving.statuses)
        .bind(leaving.dues)
        .bind(leaving.over)
        .bind(leaving.outputs)
        .bind(leaving.errors)
        .bind(leaving.held)
        .bind(RunStatus::Queued.name())
        .bind(batch.iter().map(|commit| commit.run.as_uuid()).collect::<Vec<_>>())
        .fetch_optional(connection)
        .await?
        .ok_or(StoreError::LeaseLost)?;
    let evicted: Vec<Uuid> = row.try_get("evicted")?;
    Ok(Flushed { at: row.time("at")?, evicted: evicted.into_iter().map(RunId::from).collect() })
}

pub(super) async fn landed(
    pool: &PgPool,
    commit: Uuid,
    batch: &[RunCommit],
) -> Result<Option<Flushed>, StoreError> {
    let seq = |commit: &RunCommit| (!commit.entries.is_empty()).then_some(commit.first_seq as i32);
    let rows = sqlx::query(LANDED)
        .bind(batch.iter().map(|commit| commit.run.as_uuid()).collect::<Vec<_>>())
        .bind(batch.iter().map(seq).collect::<Vec<_>>())
        .bind(commit)
        .fetch_all(pool)
        .await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let at = first.time("at")?;
    let found = rows.iter().map(|row| row.uuid("run_id"));
    let found = found.collect::<Result<HashSet<RunId>, _>>()?;
    let evicted = batch.iter().map(|commit| commit.run).filter(|run| !found.contains(run));
    Ok(Some(Flushed { at, evicted: evicted.collect() }))
}

/// The journal's new lines, one array a column.
#[derive(Default)]
struct Lines<'a> {
    runs: Vec<Uuid>,
    seqs: Vec<i32>,
    keys: Vec<&'a str>,
    kinds: Vec<String>,
    transitions: Vec<&'a str>,
    attempts: Vec<Option<i64>>,
    dues: Vec<Option<Time>>,
    /// Microseconds from the commit.
    waits: Vec<Option<f64>>,
    outcomes: Vec<Option<&'a str>>,
    errors: Vec<Option<String>>,
}

impl<'a> Lines<'a> {
    fn push(&mut self, commit: &'a RunCommit) {
        for (entry, seq) in commit.entries.iter().zip(commit.first_seq..) {
            let columns = EntryColumns::of(entry);
            let (due, wait) = match columns.due.map(Due::bounded) {
                Some(Due::At(due)) => (Some(Time(due)), None),
                Some(Due::After(wait)) => (None, Some(wait.as_micros() as f64)),
                None => (None, None),
            };
            self.runs.push(commit.run.as_uuid());
            self.seqs.push(seq as i32);
            self.keys.push(columns.key);
            self.kinds.push(columns.kind);
            self.transitions.push(columns.transition);
            self.attempts.push(columns.attempt.map(i64::from));
            self.dues.push(due);
            self.waits.push(wait);
            self.outcomes.push(columns.outcome);
            self.errors.push(columns.error);
        }
    }
}

/// The events that its steps send.
#[derive(Default)]
struct Events<'a> {
    runs: Vec<Uuid>,
    ids: Vec<Uuid>,
    names: Vec<&'a str>,
    data: Vec<&'a str>,
}

impl<'a> Events<'a> {
    fn push(&mut self, commit: &'a RunCommit) {
        for entry in &commit.entries {
            let Change::Succeed { events, .. } = &entry.change else { continue };
            for event in events {
                self.runs.push(commit.run.as_uuid());
                self.ids.push(event.id.as_uuid());
                self.names.push(event.name);
                self.data.push(event.data.as_str());
            }
        }
    }
}

/// The runs that its worker does not keep.
#[derive(Default)]
struct Leaving<'a> {
    runs: Vec<Uuid>,
    statuses: Vec<&'a str>,
    dues: Vec<Option<Time>>,
    over: Vec<bool>,
    outputs: Vec<Option<&'a str>>,
    errors: Vec<Option<String>>,
    held: Vec<Option<String>>,
}

impl<'a> Leaving<'a> {
    fn push(&mut self, commit: &'a RunCommit) {
        let Some(columns) = LeaveColumns::of(&commit.then) else { return };
        self.runs.push(commit.run.as_uuid());
        self.statuses.push(columns.status);
        self.dues.push(columns.due.map(|due| Time(round_up(due))));
        self.over.push(columns.over);
        self.outputs.push(columns.output);
        self.errors.push(columns.error);
        self.held.push(columns.held);
    }
}
