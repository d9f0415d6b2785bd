use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::database::{Database, Link};
use crate::journal::{Message, MessageId, Row, RunId};
use crate::store::columns::written;
use crate::store::message::{CANCEL, EVENT, message};
use crate::store::read::Columns as _;
use crate::store::{Claim, Claimed, ClaimedRun, RunStatus, StoreError};

/// The best ready runs that nobody else takes at this moment, then their journals and inboxes.
///
/// `lease` holds the worker's row until the commit, so that nobody takes over in between. A run that
/// a message made ready may still have its timer; one that fires at this moment removes itself, and
/// is not waited for. A pinned workflow's runs are looked at for their shape. Whatever the queue says, a
/// run that is driven or over is left alone. Served by `ready_by_rank`, from the floor `$4` on, `inbox_untaken`
/// and the primary keys of the other tables.
pub(super) const CLAIM: &str = "
    WITH lease AS MATERIALIZED (
        SELECT id FROM indelible.workers WHERE id = $1 FOR KEY SHARE
    ),
    clock AS MATERIALIZED (SELECT id AS worker, clock_timestamp() AS at FROM lease),
    picked AS MATERIALIZED (
        SELECT run_id, ($8::uuid[])[array_position($3::text[], workflow)] AS shape
        FROM indelible.ready
        WHERE app = $2 AND suspects = $11 AND rank >= $4 AND workflow = ANY ($3)
          AND EXISTS (SELECT 1 FROM clock)
          AND workflow <> ALL (ARRAY(SELECT workflow FROM indelible.paused WHERE app = $2))
          AND (workflow <> ALL ($9) OR EXISTS (
              SELECT 1 FROM indelible.runs run
              WHERE run.id = ready.run_id AND (run.shape IS NULL OR run.shape = ANY ($8))
          ))
        ORDER BY rank, run_id LIMIT $5
        FOR UPDATE SKIP LOCKED
    ),
    taken AS (
        DELETE FROM indelible.ready USING picked WHERE ready.run_id = picked.run_id
        RETURNING ready.run_id, picked.shape
    ),
    unparked AS (
        DELETE FROM indelible.timers WHERE run_id IN (
            SELECT timer.run_id
            FROM taken JOIN indelible.timers timer ON timer.run_id = taken.run_id
            FOR UPDATE OF timer SKIP LOCKED
        )
    ),
    claimed AS (
        UPDATE indelible.runs run SET
            worker = clock.worker, status = $6, started_at = coalesce(run.started_at, clock.at),
            shape = taken.shape
        FROM clock, taken
        WHERE run.id = taken.run_id AND run.worker IS NULL AND run.ended_at IS NULL
        RETURNING run.id, run.workflow, run.input, run.seed, run.rank, run.take_overs, run.retries,
                  run.silent, run.trace_context, run.suspects, run.suspected, run.last_seq, run.generation, run.started_at,
                  -- What a later generation begins with is not what its trigger said.
                  CASE WHEN run.generation = 0 THEN run.event_id END AS event_id,
                  coalesce(run.began_at, run.accepted_at) AS accepted_at
    )
    SELECT clock.at, claimed.id AS run_id, claimed.workflow, claimed.event_id, claimed.accepted_at,
           claimed.input::text AS input, claimed.seed, claimed.rank,
           claimed.take_overs, claimed.suspects, claimed.suspected, claimed.last_seq,
           EXISTS (
               SELECT 1 FROM indelible.ready WHERE app = $2 AND suspects > 0
           ) AS has_suspects, claimed.retries, claimed.generation, claimed.started_at AS begun_at,
           claimed.silent, claimed.trace_context,
           NULL::integer AS seq, NULL::text AS key, NULL::text AS kind, NULL::text AS transition,
           NULL::bigint AS attempt, NULL::timestamptz AS due_at, NULL::uuid AS child,
           NULL::text AS outcome, NULL::text AS error, NULL::timestamptz AS started_at,
           NULL::integer AS first_seq,
           NULL::uuid AS id, NULL::text AS name, NULL::text AS data, NULL::text AS reason
    FROM clock LEFT JOIN claimed ON true
    UNION ALL
    SELECT written.at, written.run_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
           NULL, NULL, NULL, NULL, NULL,
           written.seq, written.key, written.kind, written.transition, written.attempt, written.due_at, written.child,
           written.outcome::text, written.error::text, written.started_at, written.first_seq,
           NULL, NULL, NULL, NULL
    FROM claimed JOIN indelible.journal written ON written.run_id = claimed.id
    UNION ALL
    SELECT message.at, message.run_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
           NULL, NULL, NULL, NULL, NULL, NULL,
           NULL, NULL, message.kind, NULL, NULL, NULL, NULL,
           message.outcome::text, message.error::text, NULL, NULL,
           message.id, event.name, event.data::text, message.reason
    FROM claimed
    JOIN indelible.inbox message
        ON message.run_id = claimed.id AND (NOT message.taken OR message.kind = $10)
    LEFT JOIN indelible.events event ON message.kind = $7 AND event.id = message.id";

pub(super) async fn claim(
    database: &Database,
    floors: &Floors,
    claim: Claim<'_>,
) -> Result<Claimed, StoreError> {
    let mut connection = database.acquire().await?;
    if claim.cohort > 0 {
        // There are few of them.
        let batch = claim_from(&mut connection, &claim, BOTTOM, claim.limit).await?;
        return Ok(batch.claimed());
    }
    let floor = floors.of(claim.app);
    let mut batch = claim_from(&mut connection, &claim, floor, claim.limit).await?;
    if floor > BOTTOM && batch.runs.len() < claim.limit {
        // Nothing is left above the floor, but something may have come in below.
        let rest = claim.limit - batch.runs.len();
        batch.runs.extend(claim_from(&mut connection, &claim, BOTTOM, rest).await?.runs);
        batch.runs.sort_by_key(Ranked::order);
    }
    floors.raise(claim.app, batch.runs.first().map(|run| run.rank));
    Ok(batch.claimed())
}

struct Batch {
    at: Timestamp,
    runs: Vec<Ranked>,
    has_suspects: bool,
}

impl Batch {
    fn claimed(self) -> Claimed {
        let runs = self.runs.into_iter().map(|ranked| ranked.run).collect();
        Claimed { at: self.at, runs, has_suspects: self.has_suspects }
    }
}

struct Ranked {
    rank: i64,
    /// The last row of its journal when a worker last went down with it.
    last_seq: Option<u32>,
    run: ClaimedRun,
}

impl Ranked {
    fn order(&self) -> (i64, RunId) {
        (self.rank, self.run.origin.trigger.run)
    }
}

async fn claim_from(
    connection: &mut Link,
    claim: &Claim<'_>,
    floor: i64,
    limit: usize,
) -> Result<Batch, StoreError> {
    let pinned = claim.workflows.iter().filter(|driven| driven.pinned);
    let pinned: Vec<_> = pinned.map(|driven| driven.workflow.as_str()).collect();
    let rows = sqlx::query(CLAIM)
        .bind(claim.worker.as_uuid())
        .bind(claim.app)
        .bind(claim.workflows.iter().map(|driven| driven.workflow.as_str()).collect::<Vec<_>>())
        .bind(floor)
        .bind(limit as i64)
        .bind(RunStatus::Running.name())
        .bind(EVENT)
        .bind(claim.workflows.iter().map(|driven| driven.shape).collect::<Vec<_>>())
        .bind(pinned)
        .bind(CANCEL)
        .bind(i32::try_from(claim.cohort).unwrap_or(i32::MAX))
        .fetch_all(connection)
        .await?;
    let (mut at, mut has_suspects) = (None, false);
    let mut runs = Vec::new();
    let mut journals = HashMap::<RunId, Vec<Row>>::new();
    let mut inboxes = HashMap::<RunId, Vec<(Timestamp, Message)>>::new();
    let mut unreadable = HashMap::<RunId, String>::new();
    for row in &rows {
        let Some(run) = row.uuid_or_null::<RunId>("run_id")? else {
            (at, has_suspects) = (Some(row.time("at")?), row.flag("has_suspects")?);
            continue;
        };
        if row.number_or_null::<u32>("seq")?.is_some() {
            match written(row) {
                Ok(row) => journals.entry(run).or_default().push(row),
                Err(error) => drop(unreadable.insert(run, error.to_string())),
            }
        } else if row.uuid_or_null::<MessageId>("id")?.is_some() {
            match message(row) {
                Ok(message) => inboxes.entry(run).or_default().push((row.time("at")?, message)),
                Err(error) => drop(unreadable.insert(run, error.to_string())),
            }
        } else {
            let now = row.time("at")?;
            (at, has_suspects) = (Some(now), row.flag("has_suspects")?);
            let (rank, last_seq) = (row.number("rank")?, row.number_or_null("last_seq")?);
            runs.push(Ranked { rank, last_seq, run: ClaimedRun::read(row, now)? });
        }
    }
    for Ranked { run, last_seq, .. } in &mut runs {
        let id = run.origin.trigger.run;
        let mut journal = journals.remove(&id).unwrap_or_default();
        journal.sort_by_key(|row| row.seq);
        run.resume(journal, *last_seq);
        let mut inbox = inboxes.remove(&id).unwrap_or_default();
        inbox.sort_by_key(|(at, message)| (*at, message.id));
        run.inbox = inbox.into_iter().map(|(_, message)| message).collect();
        run.unreadable = unreadable.remove(&id);
    }
    runs.sort_by_key(Ranked::order);
    Ok(Batch { at: at.ok_or(StoreError::LeaseLost)?, runs, has_suspects })
}

/// Below every rank.
const BOTTOM: i64 = i64::MIN;

/// Where claims begin to look, for each app.
///
/// Claimed rows stay in the index as dead ones until a vacuum; a claim that began at the bottom would
/// walk past all of them, and slow down as the day goes on. What comes in below the floor (a run that
/// was given back, a commit that took its time) is found when the bottom is looked at again.
#[derive(Default)]
pub(super) struct Floors(Mutex<HashMap<String, Floor>>);

struct Floor {
    rank: i64,
    from_bottom: Instant,
}

impl Floors {
    /// How long a run may go unseen below the floor.
    const BLIND: Duration = Duration::from_secs(1);

    fn of(&self, app: &str) -> i64 {
        let mut floors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match floors.get_mut(app) {
            Some(floor) if floor.from_bottom.elapsed() < Self::BLIND => floor.rank,
            Some(floor) => {
                floor.from_bottom = Instant::now();
                BOTTOM
            }
            None => {
                let floor = Floor { rank: BOTTOM, from_bottom: Instant::now() };
                floors.insert(app.to_owned(), floor);
                BOTTOM
            }
        }
    }

    /// Remembers the lowest rank that was found; with none, the next claim begins at the bottom.
    fn raise(&self, app: &str, lowest: Option<i64>) {
        let mut floors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(floor) = floors.get_mut(app) {
            floor.rank = lowest.unwrap_or(BOTTOM);
        }
    }
}
