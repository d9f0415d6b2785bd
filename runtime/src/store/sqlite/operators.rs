//! What operators do to runs. Nobody else writes meanwhile.

use std::collections::HashMap;

use async_trait::async_trait;
use serde::Serialize;
use sqlx::sqlite::SqliteConnection;
use uuid::Uuid;

use super::database::SqliteStore;
use super::runs::started;
use super::value::{batch, micros, now};
use super::{gates, inbox, limits, runs, waits};
use crate::journal::{MessageId, RunId};
use crate::store::begun::{Begun, subjects, unsettled, work};
use crate::store::columns::row_head;
use crate::store::hints::{Stirred, Work};
use crate::store::kept_rows::{RowHead, cut, forked};
use crate::store::message::{CANCEL, EVENT};
use crate::store::operators::{FORKED, REPLAYED, RETRIED};
use crate::store::read::Columns as _;
use crate::store::{
    Fork, Intervention, LimitRefusal, Operators, Paused, Refusal, Replay, RunStatus, StoreError,
    Terms,
};
use crate::workflow::Allowance;

/// Served by the primary key.
const STANDING: &str = "
    SELECT id, status, error FROM indelible_runs WHERE id IN (SELECT value FROM json_each(?1))";

/// Served by the primary key.
const ROWS: &str = "
    SELECT run_id, seq, key, transition, first_seq FROM indelible_journal
    WHERE run_id IN (SELECT value FROM json_each(?1)) ORDER BY run_id, seq";

/// What waits have taken whose rows go is there for them again. Served by the primary keys.
const GIVE_BACK: &str = "
    DELETE FROM indelible_inbox WHERE (run_id, id) IN (
        SELECT written.run_id, written.outcome ->> 'id'
        FROM json_each(?1) cut
        JOIN indelible_journal written
            ON written.run_id = cut.value ->> 'run' AND written.seq = cut.value ->> 'seq'
        WHERE written.kind = 'wait_for_event' AND written.transition = 'succeeded'
    )";

/// Served by the primary key.
const CUT: &str = "
    DELETE FROM indelible_journal WHERE (run_id, seq) IN (
        SELECT value ->> 'run', value ->> 'seq' FROM json_each(?1)
    )";

/// Served by the primary key.
const REVIVE: &str = "
    UPDATE indelible_runs SET
        status = ?2, error = NULL, ended_at = NULL, take_overs = 0, suspects = 0, last_seq = NULL,
        retries = retries + 1
    WHERE id IN (SELECT value FROM json_each(?1))";

/// A run that is made of another is found by the same. Served by the primary keys.
const NAME: &str = "
    INSERT INTO indelible_attributes (run_id, key, app, value)
    SELECT note.value ->> 'run', named.key, named.app, named.value
    FROM json_each(?1) note
    CROSS JOIN indelible_attributes named ON named.run_id = note.value ->> 'source'";

const NOTE: &str = "
    INSERT INTO indelible_interventions (run_id, at, verb, source, state)
    SELECT value ->> 'run', ?2, ?3, value ->> 'source', value ->> 'state' FROM json_each(?1)";

/// It is in the same generation. Served by the primary key.
const FORK: &str = started!(
    "
        SELECT ?2 AS id, app, workflow, ?3 AS status, event_id, input, seed, ?4 AS rank,
               accepted_at, scheduled_at, since, retries + 1 AS retries, generation, began_at,
               began, silent, trace_context
        FROM indelible_runs WHERE id = ?1",
    "event_id, scheduled_at, retries, generation, began_at, began, silent, trace_context"
);

/// Served by the primary key.
const COPY: &str = "
    INSERT INTO indelible_journal
        (run_id, seq, key, kind, transition, attempt, due_at, child, outcome, error, commit_id, at,
         started_at, first_seq)
    SELECT ?2, seq, key, kind, transition, attempt, due_at, child, outcome, error, commit_id, at,
           started_at, first_seq
    FROM indelible_journal
    WHERE run_id = ?1 AND seq IN (SELECT value FROM json_each(?3))";

/// What waits in the journals of runs have taken is not for others of their waits. Served by the
/// primary key of the journal.
const HAD: &str = "
    INSERT INTO indelible_inbox (run_id, id, kind, at, taken)
    SELECT DISTINCT run_id, outcome ->> 'id', ?2, at, 1 FROM indelible_journal
    WHERE run_id IN (SELECT value FROM json_each(?1)) AND kind = 'wait_for_event' AND transition = 'succeeded'
      AND outcome ->> 'id' IS NOT NULL
    ON CONFLICT (run_id, id) DO NOTHING";

/// Runs that begin as others did: what a later generation begins with is not what its trigger said.
/// Served by the primary key.
const REPLAY: &str = started!(
    "
        SELECT asked.value ->> 'id' AS id, app, workflow, ?2 AS status,
               CASE WHEN generation = 0 THEN event_id END AS event_id,
               coalesce(asked.value ->> 'input', run.input) AS input,
               asked.value ->> 'seed' AS seed, ?3 AS rank, ?3 AS accepted_at,
               CASE WHEN generation = 0 THEN scheduled_at END AS scheduled_at, since, silent,
               trace_context
        FROM json_each(?1) asked JOIN indelible_runs run ON run.id = asked.value ->> 'source'
        WHERE run.ended_at IS NOT NULL",
    "event_id, scheduled_at, silent, trace_context"
);

#[derive(Serialize)]
struct CutRow {
    run: RunId,
    seq: u32,
}

#[derive(Serialize)]
struct NoteRow<'a> {
    run: RunId,
    source: Option<RunId>,
    state: Option<&'a str>,
}

#[derive(Serialize)]
struct ReplayRow<'a> {
    source: RunId,
    id: RunId,
    seed: Uuid,
    input: Option<&'a str>,
}

/// Served by `indelible_interventions_in_order`.
const INTERVENTIONS: &str = "
    SELECT at, verb, source, state FROM indelible_interventions WHERE run_id = ?1 ORDER BY seq";

/// Served by the primary key of runs.
const ASK: &str = "
    INSERT INTO indelible_inbox (run_id, id, kind, at, reason)
    SELECT r.id, asked.value ->> 'id', ?2, ?3, ?4
    FROM json_each(?1) asked JOIN indelible_runs r ON r.id = asked.value ->> 'run'
    WHERE r.ended_at IS NULL
    RETURNING run_id";

#[derive(Serialize)]
struct AskRow {
    run: RunId,
    id: MessageId,
}

const PAUSE: &str = "
    INSERT INTO indelible_paused (app, workflow, at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";

/// Served by the primary key.
const RESUME: &str = "DELETE FROM indelible_paused WHERE app = ?1 AND workflow = ?2";

/// Served by the primary key.
const PAUSED: &str = "
    SELECT workflow, at FROM indelible_paused WHERE app = ?1 ORDER BY workflow";

#[async_trait]
impl Operators for SqliteStore {
    async fn cancel_runs(&self, runs: &[RunId], reason: &str) -> Result<u64, StoreError> {
        let mut tx = self.write().await?;
        let asked: Vec<String> = sqlx::query_scalar(ASK)
            .bind(batch(runs.iter().map(|run| AskRow { run: *run, id: MessageId::new() })))
            .bind(CANCEL)
            .bind(micros(now()))
            .bind(reason)
            .fetch_all(&mut *tx)
            .await?;
        let stirred = inbox::rouse(&mut tx, &asked, &[]).await?;
        tx.commit(stirred).await?;
        Ok(asked.len() as u64)
    }

    async fn pause_workflow(&self, app: &str, workflow: &str) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        let paused = sqlx::query(PAUSE).bind(app).bind(workflow).bind(micros(now()));
        let paused = paused.execute(&mut *tx).await?;
        tx.commit(Stirred::here(Work::PAUSES)).await?;
        Ok(paused.rows_affected() > 0)
    }

    async fn resume_workflow(&self, app: &str, workflow: &str) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        let resumed = sqlx::query(RESUME).bind(app).bind(workflow).execute(&mut *tx).await?;
        // Its runs were ready all the time, and nobody could claim them.
        tx.commit(Stirred::here(Work::PAUSES | Work::READY)).await?;
        Ok(resumed.rows_affected() > 0)
    }

    async fn paused_workflows(&self, app: &str) -> Result<Vec<Paused>, StoreError> {
        let rows = sqlx::query(PAUSED).bind(app).fetch_all(self.readers()?).await?;
        rows.iter().map(Paused::read).collect()
    }

    async fn retry_runs(
        &self,
        runs: &[RunId],
        terms: &dyn Terms,
    ) -> Result<Vec<Result<(), Refusal>>, StoreError> {
        let mut tx = self.write().await?;
        let standing = standing(&mut tx, runs).await?;
        let mut journals = journals(&mut tx, runs).await?;
        let mut revived = Vec::new();
        let mut gone_lines = Vec::new();
        let mut answers = Vec::with_capacity(runs.len());
        for run in runs {
            let journal = journals.remove(run).unwrap_or_default();
            let gone = cut(standing.get(run), &journal)?;
            answers.push(gone.map(|gone| {
                gone_lines.extend(gone.into_iter().map(|seq| CutRow { run: *run, seq }));
                revived.push(*run);
            }));
        }
        let gone_lines = batch(gone_lines);
        sqlx::query(GIVE_BACK).bind(&gone_lines).execute(&mut *tx).await?;
        sqlx::query(CUT).bind(gone_lines).execute(&mut *tx).await?;
        sqlx::query(HAD).bind(batch(&revived)).bind(EVENT).execute(&mut *tx).await?;
        sqlx::query(REVIVE)
            .bind(batch(&revived))
            .bind(RunStatus::Queued.name())
            .execute(&mut *tx)
            .await?;
        let notes = revived.iter().map(|run| NoteRow { run: *run, source: None, state: None });
        note(&mut tx, RETRIED, notes).await?;
        let revived: Vec<_> = revived.iter().map(ToString::to_string).collect();
        runs::ready(&mut tx, &revived).await?;
        let work = begin_waits(&mut tx, &revived, terms).await?;
        tx.commit(Stirred::here(work).if_any(revived.len() as u64)).await?;
        Ok(answers)
    }

    async fn fork_run(
        &self,
        fork: &Fork,
        terms: &dyn Terms,
    ) -> Result<Result<(), Refusal>, StoreError> {
        let mut tx = self.write().await?;
        let journal =
            journals(&mut tx, &[fork.source]).await?.remove(&fork.source).unwrap_or_default();
        let kept: Vec<u32> = match forked(&fork.state, &journal) {
            Ok(kept) => kept.iter().map(|row| row.seq).collect(),
            Err(refusal) => {
                let there = !standing(&mut tx, &[fork.source]).await?.is_empty();
                return Ok(Err(if there { refusal } else { Refusal::Unknown }));
            }
        };
        let (source, id) = (fork.source.to_string(), fork.id.to_string());
        let new = sqlx::query_scalar(FORK)
            .bind(&source)
            .bind(&id)
            .bind(RunStatus::Queued.name())
            .bind(micros(now()));
        runs::start(&mut tx, new).await?;
        sqlx::query(COPY).bind(&source).bind(&id).bind(batch(kept)).execute(&mut *tx).await?;
        sqlx::query(HAD).bind(batch([&id])).bind(EVENT).execute(&mut *tx).await?;
        let state = Some(fork.state.as_str());
        note(&mut tx, FORKED, [NoteRow { run: fork.id, source: Some(fork.source), state }]).await?;
        let work = begin_waits(&mut tx, &[id], terms).await?;
        tx.commit(Stirred::here(work)).await?;
        Ok(Ok(()))
    }

    async fn replay_runs(
        &self,
        replays: &[Replay],
        terms: &dyn Terms,
    ) -> Result<Vec<Result<(), Refusal>>, StoreError> {
        let mut tx = self.write().await?;
        let sources: Vec<_> = replays.iter().map(|replay| replay.source).collect();
        let standing = standing(&mut tx, &sources).await?;
        let rows = replays.iter().map(|replay| ReplayRow {
            source: replay.source,
            id: replay.id,
            seed: replay.seed,
            input: replay.input.as_ref().map(|input| input.as_str()),
        });
        let new = sqlx::query_scalar(REPLAY)
            .bind(batch(rows))
            .bind(RunStatus::Queued.name())
            .bind(micros(now()));
        let started = runs::start(&mut tx, new).await?;
        let answer = |replay: &Replay| match standing.get(&replay.source) {
            Some((status, _)) if status.is_over() => Ok(()),
            Some((status, _)) => Err(Refusal::Standing(*status)),
            None => Err(Refusal::Unknown),
        };
        let begun = replays.iter().filter(|replay| answer(replay).is_ok());
        let source = |replay: &Replay| Some(replay.source);
        let notes =
            begun.map(|replay| NoteRow { run: replay.id, source: source(replay), state: None });
        note(&mut tx, REPLAYED, notes).await?;
        let work = begin_waits(&mut tx, &started, terms).await?;
        tx.commit(Stirred::here(work).if_any(started.len() as u64)).await?;
        Ok(replays.iter().map(answer).collect())
    }

    async fn interventions(&self, run: RunId) -> Result<Vec<Intervention>, StoreError> {
        let rows =
            sqlx::query(INTERVENTIONS).bind(run.to_string()).fetch_all(self.readers()?).await?;
        rows.iter().map(Intervention::read).collect()
    }

    async fn set_limit(
        &self,
        app: &str,
        name: &str,
        allows: Option<&Allowance>,
        by: &str,
    ) -> Result<Result<(), LimitRefusal>, StoreError> {
        limits::set(self, app, name, allows, by).await
    }
}

/// Served by the primary key.
const BEGUN: &str = "
    SELECT id, app, workflow, input FROM indelible_runs
    WHERE id IN (SELECT value FROM json_each(?1))";

/// Says what these runs have to pass, and makes the waits for what cancels them, where that is known. Gives
/// what there is to do for them.
async fn begin_waits(
    tx: &mut SqliteConnection,
    runs: &[String],
    terms: &dyn Terms,
) -> Result<Work, StoreError> {
    let rows = sqlx::query(BEGUN).bind(batch(runs)).fetch_all(&mut *tx).await?;
    let begun = rows.iter().map(|row| Begun::read(row, terms)).collect::<Result<Vec<_>, _>>()?;
    for (app, subjects) in subjects(&begun) {
        gates::admit(tx, app, &subjects).await?;
    }
    gates::unsettle(tx, unsettled(&begun), false).await?;
    let each = begun.iter().map(|begun| (begun.run, &*begun.cancels));
    waits::begin_with_runs(tx, each, false).await?;
    Ok(work(&begun))
}

/// Notes what was done to runs, and gives those that are made of others their attributes.
async fn note<'n>(
    tx: &mut SqliteConnection,
    verb: &str,
    notes: impl IntoIterator<Item = NoteRow<'n>>,
) -> Result<(), StoreError> {
    let notes = batch(notes);
    sqlx::query(NAME).bind(&notes).execute(&mut *tx).await?;
    sqlx::query(NOTE).bind(notes).bind(micros(now())).bind(verb).execute(tx).await?;
    Ok(())
}

/// Where runs stand, and the errors of those that have failed.
async fn standing(
    tx: &mut SqliteConnection,
    runs: &[RunId],
) -> Result<HashMap<RunId, (RunStatus, Option<String>)>, StoreError> {
    let rows = sqlx::query(STANDING).bind(batch(runs)).fetch_all(tx).await?;
    rows.iter()
        .map(|row| {
            let (status, error) = (RunStatus::read(row)?, row.text_or_null("error")?);
            Ok((row.uuid("id")?, (status, error)))
        })
        .collect()
}

async fn journals(
    tx: &mut SqliteConnection,
    runs: &[RunId],
) -> Result<HashMap<RunId, Vec<RowHead>>, StoreError> {
    let mut journals = HashMap::<RunId, Vec<RowHead>>::new();
    for row in &sqlx::query(ROWS).bind(batch(runs)).fetch_all(tx).await? {
        journals.entry(row.uuid("run_id")?).or_default().push(row_head(row)?);
    }
    Ok(journals)
}
