use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use serde::Serialize;
use sqlx::sqlite::SqliteConnection;
use uuid::Uuid;

use super::accept::{self, EventRow};
use super::database::SqliteStore;
use super::value::{batch, micros, now, uuid};
use super::{gates, inbox, restart, runs, waits, workers};
use crate::id::WorkerId;
use crate::journal::{RunCommit, RunId, Then};
use crate::store::columns::{EntryColumns, LeaveColumns, UNDOABLE};
use crate::store::effects::{Attribute, DroppedRows, Effects};
use crate::store::hints::{Stirred, Work};
use crate::store::read::Columns as _;
use crate::store::{Flushed, RunStatus, StoreError};

/// Served by the primary key of runs.
const OWNED: &str = "
    SELECT id, trace_context FROM indelible_runs
    WHERE id IN (SELECT value FROM json_each(?1)) AND worker = ?2";

const INSERT_JOURNAL: &str = "
    INSERT INTO indelible_journal
        (run_id, seq, key, kind, transition, attempt, due_at, child, outcome, error, commit_id, at,
         started_at, first_seq)
    SELECT value ->> 'run', value ->> 'seq', value ->> 'key', value ->> 'kind',
           value ->> 'transition', value ->> 'attempt', value ->> 'due_at', value ->> 'child',
           value ->> 'outcome', value ->> 'error', ?2, ?3,
           value ->> 'started_at', value ->> 'first_seq'
    FROM json_each(?1)";

/// Served by the primary key of runs.
const LEAVE: &str = "
    UPDATE indelible_runs SET
        worker = NULL, status = l.value ->> 'status', output = l.value ->> 'output',
        error = l.value ->> 'error', cancelled = l.value ->> 'cancelled',
        held = l.value ->> 'held',
        held_by = CASE WHEN l.value ->> 'held' IS NOT NULL THEN worker END,
        ended_at = CASE WHEN l.value ->> 'over' THEN ?3 END, commit_id = ?2, commit_at = ?3,
        beginning = NULL,
        suspects = CASE WHEN l.value ->> 'status' = ?4 THEN suspects ELSE 0 END
    FROM json_each(?1) l WHERE indelible_runs.id = l.value ->> 'run'
    RETURNING id, gated";

const INSERT_TIMERS: &str = "
    INSERT INTO indelible_timers (run_id, due_at)
    SELECT value ->> 'run', value ->> 'due_at'
    FROM json_each(?1) WHERE value ->> 'due_at' IS NOT NULL";

/// A carried loop's rows of earlier iterations, also those of the same batch, but for outcomes that
/// may have to be undone. Served by the primary key.
pub(super) const DROP: &str = "
    DELETE FROM indelible_journal WHERE (run_id, seq) IN (
        SELECT j.run_id, j.seq
        FROM json_each(?1) d
        CROSS JOIN indelible_journal j ON j.run_id = d.value ->> 'run'
            AND j.seq >= d.value ->> 'from' AND j.seq < d.value ->> 'before'
            AND j.transition <> ?2
    )";

/// Whoever takes the run over knows what had begun. Served by the primary key.
const BEGINNING: &str = "
    UPDATE indelible_runs SET beginning = about.value ->> 1
    FROM json_each(?1) about WHERE indelible_runs.id = about.value ->> 0";

/// Served by the primary keys of runs and attributes.
const NAME: &str = "
    INSERT INTO indelible_attributes (run_id, key, app, value)
    SELECT r.id, n.value ->> 'key', r.app, n.value ->> 'value'
    FROM json_each(?1) n CROSS JOIN indelible_runs r ON r.id = n.value ->> 'run'
    WHERE true
    ON CONFLICT (run_id, key) DO UPDATE SET value = excluded.value
    WHERE indelible_attributes.value <> excluded.value";

/// Served by the primary keys of journal and runs. A commit without entries has left its id on the
/// run that it took from its worker.
const LANDED: &str = "
    SELECT b.value ->> 'run' AS run, coalesce(j.at, r.commit_at) AS at
    FROM json_each(?1) b
    LEFT JOIN indelible_journal j
        ON j.run_id = b.value ->> 'run' AND j.seq = b.value ->> 'seq' AND j.commit_id = ?2
    LEFT JOIN indelible_runs r ON r.id = b.value ->> 'run' AND r.commit_id = ?2
    WHERE j.at IS NOT NULL OR r.commit_at IS NOT NULL";

#[derive(Serialize)]
struct JournalRow<'a> {
    run: RunId,
    seq: u32,
    key: &'a str,
    kind: String,
    transition: &'a str,
    attempt: Option<u32>,
    due_at: Option<i64>,
    child: Option<Uuid>,
    outcome: Option<&'a str>,
    error: Option<String>,
    first_seq: Option<u32>,
    started_at: Option<i64>,
}

#[derive(Serialize)]
struct LeaveRow<'a> {
    run: RunId,
    status: &'a str,
    due_at: Option<i64>,
    over: bool,
    output: Option<&'a str>,
    error: Option<String>,
    cancelled: Option<String>,
    held: Option<String>,
}

pub(super) async fn flush(
    store: &SqliteStore,
    worker: WorkerId,
    commit: Uuid,
    batch: &[RunCommit],
) -> Result<Flushed, StoreError> {
    let mut tx = store.write().await?;
    match flush_in(&mut tx, worker, commit, batch).await {
        // The batch has come before, and its reply was lost.
        Err(error) if error.is_duplicate() => {
            tx.rollback().await?;
            landed(store, commit, batch).await?.ok_or(error)
        }
        Err(error) => Err(error),
        Ok((flushed, stirred)) => {
            tx.commit(stirred).await?;
            Ok(flushed)
        }
    }
}

/// Writes a batch in an open transaction. Gives also what is stirred once that is committed.
pub(super) async fn flush_in(
    tx: &mut SqliteConnection,
    worker: WorkerId,
    commit: Uuid,
    batch: &[RunCommit],
) -> Result<(Flushed, Stirred), StoreError> {
    let app = workers::hold(tx, worker).await?;
    let at = now();
    let owned = owned(tx, worker, batch).await?;
    let (ours, evicted): (Vec<_>, Vec<_>) =
        batch.iter().partition(|commit| owned.contains_key(&commit.run));
    let stirred = write(tx, &app, commit, &ours, &owned, at).await?;
    Ok((Flushed { at, evicted: evicted.iter().map(|commit| commit.run).collect() }, stirred))
}

/// The runs of a batch that are the worker's, with what is stored of their traces.
async fn owned(
    tx: &mut SqliteConnection,
    worker: WorkerId,
    runs: &[RunCommit],
) -> Result<HashMap<RunId, Option<String>>, StoreError> {
    let owned: Vec<(String, Option<String>)> = sqlx::query_as(OWNED)
        .bind(batch(runs.iter().map(|commit| commit.run)))
        .bind(worker.to_string())
        .fetch_all(tx)
        .await?;
    owned.into_iter().map(|(id, trace)| Ok((uuid(&id)?.into(), trace))).collect()
}

/// Writes the part of a batch that is the worker's. The events that it sends belong to the traces of their runs.
async fn write(
    tx: &mut SqliteConnection,
    app: &str,
    commit: Uuid,
    ours: &[&RunCommit],
    traces: &HashMap<RunId, Option<String>>,
    at: Timestamp,
) -> Result<Stirred, StoreError> {
    let effects = Effects::of(ours.iter().copied());
    let since = waits::last_event(tx).await?;
    let rows: Vec<_> = ours.iter().flat_map(|commit| journal_rows(commit, at)).collect();
    if !rows.is_empty() {
        sqlx::query(INSERT_JOURNAL)
            .bind(batch(rows))
            .bind(commit.to_string())
            .bind(micros(at))
            .execute(&mut *tx)
            .await?;
    }
    if !effects.dropped.is_empty() {
        let dropped = batch(effects.dropped.iter().map(DroppedRow::of));
        sqlx::query(DROP).bind(dropped).bind(UNDOABLE).execute(&mut *tx).await?;
    }
    runs::start_children(tx, app, &effects.children, &effects.silent, at, since).await?;
    waits::begin(tx, &effects.waits, since).await?;
    waits::end(tx, &effects.waited).await?;
    inbox::settle(tx, &effects.settled).await?;
    if !effects.attributes.is_empty() {
        let named = batch(effects.attributes.iter().map(AttributeRow::of));
        sqlx::query(NAME).bind(named).execute(&mut *tx).await?;
    }
    if !effects.beginning.is_empty() {
        sqlx::query(BEGINNING).bind(batch(&effects.beginning)).execute(&mut *tx).await?;
    }
    let trace = |run| traces.get(&run).and_then(Option::as_deref);
    let sent = ours.iter().flat_map(|commit| events(commit, trace(commit.run))).collect();
    let (delivered, _) = accept::insert(tx, Some(app), sent, at, since).await?;
    let mut gated = HashSet::new();
    let leaving: Vec<_> = ours.iter().filter_map(|commit| leave_row(commit)).collect();
    if !leaving.is_empty() {
        let leaving = batch(leaving);
        let left: Vec<(String, bool)> = sqlx::query_as(LEAVE)
            .bind(&leaving)
            .bind(commit.to_string())
            .bind(micros(at))
            .bind(RunStatus::Queued.name())
            .fetch_all(&mut *tx)
            .await?;
        let left = left.iter().filter(|(_, gated)| *gated).map(|(run, _)| uuid(run));
        gated = left.map(|run| run.map(RunId::from)).collect::<Result<_, _>>()?;
        sqlx::query(INSERT_TIMERS).bind(&leaving).execute(&mut *tx).await?;
    }
    let restarted = restart::restart(tx, &effects.restarts, at, since).await?;
    waits::begin_with_runs(tx, effects.begun(), true).await?;
    let is_ready = |then: &Then| matches!(then, Then::Release | Then::Restart { .. });
    let released = ours.iter().filter(|commit| is_ready(&commit.then));
    runs::ready(tx, &released.map(|commit| commit.run.to_string()).collect::<Vec<_>>()).await?;

    let ended = ours.iter().filter(|commit| matches!(commit.then, Then::End(_)));
    let ended: Vec<RunId> = ended.map(|commit| commit.run).collect();
    let gated = |runs: &[RunId]| -> Vec<RunId> {
        runs.iter().copied().filter(|run| gated.contains(run)).collect()
    };
    let freed = gates::leave(tx, &gated(&effects.at_rest), &gated(&ended), at).await?;
    let mut told = inbox::ask_children(tx, &effects.cancels, at).await?;
    told.extend(inbox::tell_of_ends(tx, &ended, at).await?);
    told.extend(waits::look(tx, &effects.waits).await?);
    told.extend(restarted);
    let roused = inbox::rouse(tx, &told, &effects.at_rest).await?;
    Ok(effects.stirred("").and(delivered).and(freed).and(roused))
}

fn journal_rows(commit: &RunCommit, at: Timestamp) -> impl Iterator<Item = JournalRow<'_>> {
    commit.entries.iter().zip(commit.first_seq..).map(move |(entry, seq)| {
        let columns = EntryColumns::of(entry);
        JournalRow {
            run: commit.run,
            seq,
            key: columns.key,
            kind: columns.kind,
            transition: columns.transition,
            attempt: columns.attempt,
            due_at: columns.due.map(|due| micros(due.from(at))),
            child: columns.child,
            outcome: columns.outcome,
            error: columns.error,
            first_seq: columns.first,
            started_at: columns.started_at.map(micros),
        }
    })
}

fn events<'a>(commit: &'a RunCommit, trace: Option<&'a str>) -> impl Iterator<Item = EventRow<'a>> {
    commit.outgoing().map(move |event| EventRow {
        id: event.id,
        name: event.name,
        data: event.data.as_str(),
        trace,
        hosted: None,
    })
}

fn leave_row(commit: &RunCommit) -> Option<LeaveRow<'_>> {
    let columns = LeaveColumns::of(&commit.then)?;
    Some(LeaveRow {
        run: commit.run,
        status: columns.status,
        due_at: columns.due.map(micros),
        over: columns.over,
        output: columns.output,
        error: columns.error,
        cancelled: columns.cancelled,
        held: columns.held,
    })
}

pub(super) async fn landed(
    store: &SqliteStore,
    commit: Uuid,
    runs: &[RunCommit],
) -> Result<Option<Flushed>, StoreError> {
    let rows = sqlx::query(LANDED)
        .bind(batch(runs.iter().map(Sought::of)))
        .bind(commit.to_string())
        .fetch_all(store.readers()?)
        .await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let at = first.time("at")?;
    let found = rows.iter().map(|row| row.uuid::<RunId>("run"));
    let found = found.collect::<Result<HashSet<_>, _>>()?;
    // One without a trace is not known to be lost; the run's next commit will tell.
    let traced = runs.iter().filter(|commit| !commit.is_traceless());
    let evicted = traced.map(|commit| commit.run).filter(|run| !found.contains(run));
    // Nobody has told what it has stirred.
    store.hints.stir(Stirred::here(Work::all()));
    Ok(Some(Flushed { at, evicted: evicted.collect() }))
}

#[derive(Serialize)]
struct DroppedRow {
    run: RunId,
    from: u32,
    before: u32,
}

impl DroppedRow {
    fn of(dropped: &DroppedRows) -> Self {
        let DroppedRows { run, from, before } = *dropped;
        Self { run, from, before }
    }
}

#[derive(Serialize)]
struct AttributeRow<'a> {
    run: RunId,
    key: &'a str,
    value: &'a str,
}

impl<'a> AttributeRow<'a> {
    fn of(attribute: &Attribute<'a>) -> Self {
        let Attribute { run, key, value } = *attribute;
        Self { run, key, value }
    }
}

/// Where a commit of a run would be found.
#[derive(Serialize)]
struct Sought {
    run: RunId,
    seq: Option<u32>,
}

impl Sought {
    fn of(commit: &RunCommit) -> Self {
        Self { run: commit.run, seq: commit.last_seq() }
    }
}
