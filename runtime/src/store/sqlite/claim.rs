use std::collections::HashMap;

use serde::Serialize;
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;
use uuid::Uuid;

use super::database::SqliteStore;
use super::value::{batch, micros, now};
use super::{inbox, workers};
use crate::journal::{Row, RunId};
use crate::store::columns::written;
use crate::store::hints::Stirred;
use crate::store::read::Columns as _;
use crate::store::{Claim, Claimed, ClaimedRun, Driven, RunStatus, StoreError};

/// A pinned workflow's runs are looked at for their shape. Served by `indelible_ready_by_rank`.
const PICK: &str = "
    SELECT run_id FROM indelible_ready
    WHERE app = ?1 AND suspects = ?4
      AND workflow IN (SELECT value ->> 'workflow' FROM json_each(?2))
      AND workflow NOT IN (SELECT workflow FROM indelible_paused WHERE app = ?1)
      AND (
          workflow NOT IN (SELECT value ->> 'workflow' FROM json_each(?2) WHERE value ->> 'pinned')
          OR EXISTS (
              SELECT 1 FROM indelible_runs r
              WHERE r.id = run_id AND (
                  r.shape IS NULL OR r.shape IN (SELECT value ->> 'shape' FROM json_each(?2))
              )
          )
      )
    ORDER BY rank, run_id LIMIT ?3";

/// Served by `indelible_ready_by_rank`.
const HAS_SUSPECTS: &str = "
    SELECT EXISTS (SELECT 1 FROM indelible_ready WHERE app = ?1 AND suspects > 0)";

/// Served by the primary key.
const TAKE: &str = "
    DELETE FROM indelible_ready WHERE run_id IN (SELECT value FROM json_each(?1))";

/// What a later generation begins with is not what its trigger said. Served by the primary key.
const HOLD: &str = "
    UPDATE indelible_runs SET worker = ?2, status = ?3, started_at = coalesce(started_at, ?4),
        shape = (
            SELECT value ->> 'shape' FROM json_each(?5)
            WHERE value ->> 'workflow' = indelible_runs.workflow
        )
    WHERE id IN (SELECT value FROM json_each(?1)) AND worker IS NULL AND ended_at IS NULL
    RETURNING id AS run_id, workflow, CASE WHEN generation = 0 THEN event_id END AS event_id,
              coalesce(began_at, accepted_at) AS accepted_at, input, seed, generation,
              started_at AS begun_at, rank, take_overs, suspects, suspected, last_seq, retries,
              silent, trace_context";

/// The timers of runs that a message has made ready. Served by the primary key.
const UNPARK: &str = "
    DELETE FROM indelible_timers WHERE run_id IN (SELECT value FROM json_each(?1))";

/// Served by the primary key of the journal.
const JOURNALS: &str = "
    SELECT run_id, seq, key, kind, transition, attempt, due_at, child, outcome, error, started_at,
           at, first_seq
    FROM indelible_journal WHERE run_id IN (SELECT value FROM json_each(?1))
    ORDER BY run_id, seq";

#[derive(Serialize)]
struct DrivenRow<'a> {
    workflow: &'a str,
    shape: Uuid,
    pinned: bool,
}

impl<'a> DrivenRow<'a> {
    fn of(driven: &'a Driven) -> Self {
        let Driven { workflow, shape, pinned } = driven;
        Self { workflow, shape: *shape, pinned: *pinned }
    }
}

pub(super) async fn claim(store: &SqliteStore, claim: Claim<'_>) -> Result<Claimed, StoreError> {
    let mut tx = store.write().await?;
    workers::hold(&mut tx, claim.worker).await?;
    let at = now();
    let drives = batch(claim.workflows.iter().map(DrivenRow::of));
    let picked: Vec<String> = sqlx::query_scalar(PICK)
        .bind(claim.app)
        .bind(&drives)
        .bind(claim.limit as i64)
        .bind(claim.cohort)
        .fetch_all(&mut *tx)
        .await?;
    let has_suspects: bool =
        sqlx::query_scalar(HAS_SUSPECTS).bind(claim.app).fetch_one(&mut *tx).await?;
    if picked.is_empty() {
        return Ok(Claimed { at, runs: Vec::new(), has_suspects });
    }
    let picked = batch(picked);
    sqlx::query(TAKE).bind(&picked).execute(&mut *tx).await?;
    sqlx::query(UNPARK).bind(&picked).execute(&mut *tx).await?;
    let mut rows = sqlx::query(HOLD)
        .bind(&picked)
        .bind(claim.worker.to_string())
        .bind(RunStatus::Running.name())
        .bind(micros(at))
        .bind(&drives)
        .fetch_all(&mut *tx)
        .await?;
    let mut unreadable = HashMap::new();
    let mut journals = journals(&mut tx, &picked, &mut unreadable).await?;
    let mut inboxes = inbox::inboxes(&mut tx, &picked, &mut unreadable).await?;
    tx.commit(Stirred::nothing()).await?;

    rows.sort_by_cached_key(|row| {
        (row.try_get::<i64, _>("rank").ok(), row.try_get::<String, _>("run_id").ok())
    });
    let mut runs = Vec::with_capacity(rows.len());
    for row in rows {
        let mut run = ClaimedRun::read(&row, at)?;
        let id = run.origin.trigger.run;
        run.resume(journals.remove(&id).unwrap_or_default(), row.number_or_null("last_seq")?);
        run.inbox = inboxes.remove(&id).unwrap_or_default();
        run.unreadable = unreadable.remove(&id);
        runs.push(run);
    }
    Ok(Claimed { at, runs, has_suspects })
}

async fn journals(
    tx: &mut SqliteConnection,
    runs: &str,
    unreadable: &mut HashMap<RunId, String>,
) -> Result<HashMap<RunId, Vec<Row>>, StoreError> {
    let mut journals = HashMap::<_, Vec<Row>>::new();
    for row in sqlx::query(JOURNALS).bind(runs).fetch_all(tx).await? {
        let run = row.uuid::<RunId>("run_id")?;
        match written(&row) {
            Ok(row) => journals.entry(run).or_default().push(row),
            Err(error) => drop(unreadable.insert(run, error.to_string())),
        }
    }
    Ok(journals)
}
