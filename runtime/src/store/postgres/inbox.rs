//! What runs are told.
//!
//! Whoever tells a run something commits it first and then looks, in a new snapshot, whether the run
//! is parked; whoever parks a run commits that first and then looks for messages. So no message lies
//! with a parked run unseen. If a process dies in between, [`sweep`] makes it good.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::database::{Database, Link};
use super::queue::released;
use crate::id::WorkerId;
use crate::journal::{Message, RunId};
use crate::store::effects::{Cancel, Settled};
use crate::store::hints::{Stirred, Work};
use crate::store::message::{CANCEL, EVENT, message, readable};
use crate::store::read::Columns as _;
use crate::store::{RunStatus, StoreError};

/// What was taken stays, marked, if it is an event (it is not for other waits) or a request to cancel
/// (whoever takes the run over is told again); anything else that was taken comes only once, and what
/// was discarded may come again. Served by the primary key.
pub(super) const SETTLE: &str = "
    WITH settled AS MATERIALIZED (
        SELECT run_id, id, taken
        FROM unnest($1::uuid[], $2::uuid[], $3::boolean[]) AS settled (run_id, id, taken)
    ),
    marked AS (
        UPDATE indelible.inbox message SET taken = true
        FROM settled
        WHERE message.run_id = settled.run_id AND message.id = settled.id
          AND settled.taken AND message.kind IN ($4, $5)
    )
    DELETE FROM indelible.inbox message USING settled
    WHERE message.run_id = settled.run_id AND message.id = settled.id
      AND NOT (settled.taken AND message.kind IN ($4, $5))";

/// Asks children to cancel. Served by the primary key of runs.
pub(super) const ASK_CHILDREN: &str = "
    INSERT INTO indelible.inbox (run_id, id, kind, at, reason)
    SELECT child.id, asked.parent, $4, clock_timestamp(), asked.reason
    FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS asked (child, parent, reason)
    JOIN indelible.runs child ON child.id = asked.child
    WHERE child.ended_at IS NULL
    ON CONFLICT (run_id, id) DO NOTHING
    RETURNING run_id";

/// Served by `runs_of_worker`, `inbox_untaken` and the primary key of events.
pub(super) const MESSAGES: &str = "
    SELECT message.run_id, message.id, message.kind, message.at, event.name,
           event.data::text AS data, message.outcome::text AS outcome,
           message.error::text AS error, message.reason
    FROM indelible.runs run
    JOIN indelible.inbox message ON message.run_id = run.id AND NOT message.taken
    LEFT JOIN indelible.events event ON message.kind = $2 AND event.id = message.id
    WHERE run.worker = $1
    ORDER BY message.run_id, message.at, message.id";

/// Makes runs ready that have messages and that nobody drives; a held one only to be cancelled. One
/// that another transaction writes is left to it: that one makes the run ready, or looks itself.
/// A run's timer stays until it fires or the run is claimed, and a held one may be ready already, to
/// be tried by another program. Of those that have gates, one that is to be cancelled and has not begun
/// no longer waits for any: it asks once more and is let through. A slot that it holds already it keeps
/// until it ends, as a worker may be claiming it at this moment. The gates that it leaves are looked at again: an
/// opener may be about to let it through in the place of another. One that has begun is the next
/// to pass, as what it undoes is subject to its limits. One that is settled at this moment is left to that: its
/// row says so, and what it has to pass is not seen here yet. Gives the apps of those that were told something, and
/// the app of each that is ready now, with whether it has gates to pass.
///
/// Served by the primary keys of runs and slots, and `inbox_untaken`.
pub(super) const ROUSE: &str = concat!(
    "
    WITH resting AS MATERIALIZED (
        SELECT run.id
        FROM unnest($1::uuid[] || $6::uuid[]) AS told (run_id)
        JOIN indelible.runs run ON run.id = told.run_id
        WHERE (run.status IN ($2, $3) OR (run.status = $4 AND run.gated AND run.started_at IS NULL))
          AND EXISTS (
            SELECT 1 FROM indelible.inbox message
            WHERE message.run_id = run.id AND NOT message.taken
              AND (run.status = $2 OR message.kind = $5)
          )
          AND (run.status <> $4 OR run.unsettled = EXISTS (
              SELECT 1 FROM indelible.unsettled noted
              WHERE noted.app = run.app AND noted.workflow = run.workflow AND noted.run_id = run.id
          ))
        FOR NO KEY UPDATE OF run SKIP LOCKED
    ),
    queued AS (
        UPDATE indelible.runs run SET
            status = $4, held = NULL,
            unsettled = run.unsettled AND run.started_at IS NOT NULL
        FROM resting WHERE run.id = resting.id
        RETURNING run.id, run.app, run.workflow, run.rank, run.suspects, run.gated, run.started_at
    ),
    stepped_out AS (
        DELETE FROM indelible.slots slot USING queued
        WHERE slot.run_id = queued.id AND queued.started_at IS NULL
          AND slot.state IN ('waits', 'rests')
        RETURNING slot.app, slot.gate
    ),
    opening AS (
        INSERT INTO indelible.openings (app, gate) SELECT app, gate FROM stepped_out
    ),
    in_front AS (
        UPDATE indelible.slots slot SET rank = $7
        FROM unnest($1::uuid[]) AS told (run_id)
        JOIN indelible.runs run ON run.id = told.run_id AND run.started_at IS NOT NULL
        WHERE slot.run_id = run.id AND slot.state = 'waits' AND slot.rank > $7 AND EXISTS (
            SELECT 1 FROM indelible.inbox message
            WHERE message.run_id = run.id AND NOT message.taken AND message.kind = $5
        )
    ),
    ",
    released!("queued", "ON CONFLICT (run_id) DO NOTHING"),
    "
    SELECT DISTINCT run.app, NULL::boolean AS asks
    FROM unnest($1::uuid[]) AS told (run_id) JOIN indelible.runs run ON run.id = told.run_id
    UNION ALL
    SELECT app, gated FROM queued"
);

/// Runs with messages, and where they stand. Served by `inbox_untaken`, in its order from `$1` on,
/// and the primary key of runs.
pub(super) const TOLD: &str = "
    SELECT message.run_id, run.status
    FROM (
        SELECT run_id FROM indelible.inbox
        WHERE NOT taken AND run_id > $1 ORDER BY run_id LIMIT $2
    ) message
    LEFT JOIN indelible.runs run ON run.id = message.run_id
    ORDER BY message.run_id";

/// Served by the primary key.
pub(super) const EMPTY: &str = "
    DELETE FROM indelible.inbox message USING unnest($1::uuid[]) AS over (run_id)
    WHERE message.run_id = over.run_id AND NOT message.taken";

pub(super) async fn settle(connection: &mut Link, settled: &[Settled]) -> Result<(), StoreError> {
    if settled.is_empty() {
        return Ok(());
    }
    sqlx::query(SETTLE)
        .bind(settled.iter().map(|settled| settled.run.as_uuid()).collect::<Vec<_>>())
        .bind(settled.iter().map(|settled| settled.message.as_uuid()).collect::<Vec<_>>())
        .bind(settled.iter().map(|settled| settled.taken).collect::<Vec<_>>())
        .bind(EVENT)
        .bind(CANCEL)
        .execute(connection)
        .await?;
    Ok(())
}

/// Asks children to cancel; gives those that are not over.
pub(super) async fn ask_children(
    connection: &mut Link,
    cancels: &[Cancel],
) -> Result<Vec<Uuid>, StoreError> {
    if cancels.is_empty() {
        return Ok(Vec::new());
    }
    let asked = sqlx::query_scalar(ASK_CHILDREN)
        .bind(cancels.iter().map(|cancel| cancel.child.as_uuid()).collect::<Vec<_>>())
        .bind(cancels.iter().map(|cancel| cancel.parent.as_uuid()).collect::<Vec<_>>())
        .bind(cancels.iter().map(|cancel| cancel.reason.as_str()).collect::<Vec<_>>())
        .bind(CANCEL);
    Ok(asked.fetch_all(connection).await?)
}

pub(super) async fn messages(
    database: &Database,
    worker: WorkerId,
) -> Result<Vec<(RunId, Message)>, StoreError> {
    let rows = sqlx::query(MESSAGES)
        .bind(worker.as_uuid())
        .bind(EVENT)
        .fetch_all(&mut database.acquire().await?)
        .await?;
    let told = rows.iter().map(|row| Ok((row.uuid("run_id")?, message(row))));
    told.filter_map(readable).collect()
}

/// Makes those of the runs ready that have messages and that nobody drives: some were told something, and
/// if they are driven their workers have to look; others have come to rest.
pub(super) async fn rouse(
    connection: &mut Link,
    told: &[Uuid],
    at_rest: &[Uuid],
) -> Result<Roused, StoreError> {
    if told.is_empty() && at_rest.is_empty() {
        return Ok(Roused { ready: 0, stirred: Stirred::nothing() });
    }
    let rows: Vec<(String, Option<bool>)> = sqlx::query_as(ROUSE)
        .bind(told)
        .bind(RunStatus::Waiting.name())
        .bind(RunStatus::Held.name())
        .bind(RunStatus::Queued.name())
        .bind(CANCEL)
        .bind(at_rest)
        .bind(i64::MIN)
        .fetch_all(connection)
        .await?;
    let mut roused = Roused { ready: 0, stirred: Stirred::nothing() };
    for (app, asks) in rows {
        roused.ready += usize::from(asks.is_some());
        let work = match asks {
            Some(true) => Work::GATES,
            Some(false) => Work::READY,
            None => Work::MESSAGES,
        };
        roused.stirred.add(&app, work);
    }
    Ok(roused)
}

/// Runs that were told something.
#[must_use]
pub(super) struct Roused {
    /// How many were made ready.
    pub(super) ready: usize,
    pub(super) stirred: Stirred,
}

/// Where the next sweep goes on, and when the last one was.
///
/// A sweep is for the rare case that a process died in the wrong moment, so each looks at a bounded
/// part of what there is: messages that wait for a worker to be free do not slow it down.
#[derive(Default)]
pub(super) struct Broom(Mutex<Option<(Uuid, Instant)>>);

impl Broom {
    /// How long a message may lie unseen after a crash, if there are not many.
    const INTERVAL: Duration = Duration::from_secs(1);
    /// Before all runs, and behind the ballast: see the migration.
    const FIRST: Uuid = Uuid::from_u128(u64::MAX as u128);
    /// How many messages a sweep looks at.
    const STROKE: usize = 1000;

    /// Where to begin, if it is time for a sweep.
    fn begin(&self) -> Option<Uuid> {
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (next, last) = place.map_or((Self::FIRST, None), |(next, last)| (next, Some(last)));
        if last.is_some_and(|last| last.elapsed() < Self::INTERVAL) {
            return None;
        }
        *place = Some((next, Instant::now()));
        Some(next)
    }

    fn end(&self, next: Uuid) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((next, Instant::now()));
    }
}

/// Makes runs ready that rest with messages, and removes messages that came too late for a run.
pub(super) async fn sweep(connection: &mut Link, broom: &Broom) -> Result<Roused, StoreError> {
    let Some(from) = broom.begin() else { return rouse(connection, &[], &[]).await };
    let told: Vec<(Uuid, Option<String>)> = sqlx::query_as(TOLD)
        .bind(from)
        .bind(Broom::STROKE as i64)
        .fetch_all(&mut *connection)
        .await?;
    let last = told.last().filter(|_| told.len() == Broom::STROKE);
    broom.end(last.map_or(Broom::FIRST, |(run, _)| *run));

    let standing = |told: &(Uuid, Option<String>)| match told.1.as_deref().map(str::parse) {
        Some(Ok(status)) => Some(status),
        // It is gone, and its messages with it.
        None => Some(RunStatus::Completed),
        // A newer program's business.
        Some(Err(_)) => None,
    };
    let of = |choose: fn(RunStatus) -> bool| -> Vec<Uuid> {
        let mut runs: Vec<_> = told
            .iter()
            .filter(|told| standing(told).is_some_and(choose))
            .map(|told| told.0)
            .collect();
        runs.dedup();
        runs
    };
    let over = of(RunStatus::is_over);
    if !over.is_empty() {
        sqlx::query(EMPTY).bind(over).execute(&mut *connection).await?;
    }
    use RunStatus::{Held, Queued, Waiting};
    let resting = of(|status| matches!(status, Waiting | Held | Queued));
    rouse(connection, &[], &resting).await
}
