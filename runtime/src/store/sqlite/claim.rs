use std::collections::HashMap;

use serde::Serialize;
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;
use uuid::Uuid;

use super::database::SqliteStore;
use super::value::{Columns as _, batch, micros, now};
use super::{inbox, lease, query};
use crate::journal::{Row, RunId};
use crate::machine::Origin;
use crate::payload::Payload;
use crate::store::hints::Stirred;
use crate::store::{Claim, Claimed, ClaimedRun, Driven, RunStatus, Standing, StoreError};
use crate::workflow::TriggerData;

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
    WHERE id IN (SELECT value FROM json_each(?1))
    RETURNING id, workflow, CASE WHEN generation = 0 THEN event_id END AS event_id,
              coalesce(began_at, accepted_at) AS accepted_at, input, seed, generation, started_at,
              rank, take_overs, suspects, suspected, last_seq, retries";

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
    lease::hold(&mut tx, claim.worker).await?;
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
        (row.try_get::<i64, _>("rank").ok(), row.try_get::<String, _>("id").ok())
    });
    let mut runs = Vec::with_capacity(rows.len());
    for row in rows {
        let run = RunId::from(row.uuid("id")?);
        let journal = journals.remove(&run).unwrap_or_default();
        let last_seq: Option<u32> = row.try_get("last_seq")?;
        let got_on = journal.last().map(|row| row.seq) != last_seq;
        let started_at = row.time("started_at")?;
        let (take_overs, suspects) = (row.try_get("take_overs")?, row.try_get("suspects")?);
        let standing = if got_on { Standing::default() } else { Standing { take_overs, suspects } };
        runs.push(ClaimedRun {
            workflow: row.try_get("workflow")?,
            is_new: micros(started_at) == micros(at),
            origin: Origin {
                trigger: TriggerData {
                    run,
                    event: row.uuid_or_null("event_id")?.map(Into::into),
                    accepted_at: row.time("accepted_at")?,
                    data: Payload::stored(row.try_get::<String, _>("input")?),
                },
                seed: row.uuid("seed")?,
                retries: row.try_get("retries")?,
                generation: row.try_get("generation")?,
                started_at,
                journal,
            },
            inbox: inboxes.remove(&run).unwrap_or_default(),
            standing,
            suspected: row.try_get("suspected")?,
            unreadable: unreadable.remove(&run),
        });
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
        let run = RunId::from(row.uuid("run_id")?);
        match query::journal_row(&row) {
            Ok(line) => journals.entry(run).or_default().push(line),
            Err(error) => drop(unreadable.insert(run, error.to_string())),
        }
    }
    Ok(journals)
}
