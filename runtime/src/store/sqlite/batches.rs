use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use super::database::SqliteStore;
use super::runs;
use super::value::{batch, micros, now};
use crate::store::gathered::{self, Addition, BatchId, Completed, Gathered, Rest};
use crate::store::hints::{Stirred, Work};
use crate::store::{Readied, StoreError};

/// Served by the primary key.
const OPEN: &str = "
    INSERT INTO indelible_batches (app, workflow, key, events, bytes, due_at)
    SELECT ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4
    FROM json_each(?2) WHERE true
    ON CONFLICT (app, workflow, key) DO UPDATE SET
        events = events + excluded.events, bytes = bytes + excluded.bytes,
        due_at = min(due_at, excluded.due_at)
    RETURNING workflow, key, events, bytes";

const ADD: &str = "
    INSERT INTO indelible_batched (app, workflow, key, seq, event_id)
    SELECT ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?2)";

/// Served by `indelible_batches_by_time`.
pub(super) const DUE: &str = "
    SELECT workflow, key FROM indelible_batches
    WHERE app = ?1 AND due_at <= ?2 ORDER BY due_at LIMIT ?3";

/// Served by `indelible_batches_by_time`.
const NEXT: &str = "SELECT min(due_at) FROM indelible_batches WHERE app = ?1";

/// Served by the primary key of batched and the unique index of events.
pub(super) const EVENTS: &str = "
    SELECT added.workflow, added.key, added.seq, event.data, event.accepted_at
    FROM json_each(?2) batch
    CROSS JOIN indelible_batched added
        ON added.app = ?1 AND added.workflow = batch.value ->> 0
           AND added.key = batch.value ->> 1
    CROSS JOIN indelible_events event ON event.id = added.event_id
    ORDER BY added.workflow, added.key, added.seq";

/// Served by the primary key.
pub(super) const TAKE: &str = "
    DELETE FROM indelible_batched WHERE (app, workflow, key, seq) IN (
        SELECT ?1, added.workflow, added.key, added.seq
        FROM json_each(?2) taken
        CROSS JOIN indelible_batched added
            ON added.app = ?1 AND added.workflow = taken.value ->> 0
               AND added.key = taken.value ->> 1 AND added.seq <= taken.value ->> 2
    )";

/// Served by the primary key.
pub(super) const CLOSE: &str = "
    DELETE FROM indelible_batches WHERE (app, workflow, key) IN (
        SELECT ?1, value ->> 0, value ->> 1 FROM json_each(?2)
    )";

/// Served by the primary key.
const KEEP: &str = "
    UPDATE indelible_batches AS batch SET
        events = kept.value ->> 2, bytes = kept.value ->> 3, due_at = kept.value ->> 4
    FROM json_each(?2) kept
    WHERE batch.app = ?1 AND batch.workflow = kept.value ->> 0 AND batch.key = kept.value ->> 1";

/// Adds events to their batches, and starts the runs of those that are full.
pub(super) async fn gather(
    tx: &mut SqliteConnection,
    app: &str,
    additions: &[Addition],
) -> Result<Stirred, StoreError> {
    if additions.is_empty() {
        return Ok(Stirred::nothing());
    }
    let added = gathered::added(additions);
    let rows = added.iter().map(|((workflow, key), added)| {
        (*workflow, *key, added.events, added.bytes, micros(added.due))
    });
    let counts: Vec<(String, String, i64, i64)> =
        sqlx::query_as(OPEN).bind(app).bind(batch(rows)).fetch_all(&mut *tx).await?;
    let rows = additions
        .iter()
        .map(|Addition { seq, event, batch, .. }| (&batch.workflow, &batch.key, *seq, event));
    sqlx::query(ADD).bind(app).bind(batch(rows)).execute(&mut *tx).await?;

    let full = counts.into_iter().filter_map(|(workflow, key, events, bytes)| {
        let added = added.get(&(&*workflow, &*key))?;
        added.is_full(events, bytes).then_some((workflow, key))
    });
    let full: Vec<BatchId> = full.collect();
    let started = start(tx, app, &full, now(), |(workflow, key), events| {
        gathered::full(workflow, events, added.get(&(&**workflow, &**key))?)
    });
    let (_, stirred) = started.await?;
    Ok(stirred.and(Stirred::here(Work::BATCHES)))
}

pub(super) async fn complete(
    store: &SqliteStore,
    app: &str,
    limit: usize,
) -> Result<Readied, StoreError> {
    let mut tx = store.write().await?;
    let now = now();
    let due: Vec<BatchId> = sqlx::query_as(DUE)
        .bind(app)
        .bind(micros(now))
        .bind(limit as i64)
        .fetch_all(&mut *tx)
        .await?;
    let started =
        start(&mut tx, app, &due, now, |(workflow, _), events| gathered::due(workflow, events));
    let (runs, stirred) = started.await?;
    let next: Option<i64> = sqlx::query_scalar(NEXT).bind(app).fetch_one(&mut *tx).await?;
    tx.commit(stirred).await?;
    let wait =
        |due: i64| Duration::from_micros(due.saturating_sub(micros(now)).max(0).unsigned_abs());
    Ok(Readied { runs, next: next.map(wait), late: None })
}

/// Starts the runs of batches, as `become_runs` says of each. Gives also how many.
async fn start(
    tx: &mut SqliteConnection,
    app: &str,
    batches: &[BatchId],
    at: Timestamp,
    become_runs: impl Fn(&BatchId, &[Gathered]) -> Option<Completed>,
) -> Result<(usize, Stirred), StoreError> {
    if batches.is_empty() {
        return Ok((0, Stirred::nothing()));
    }
    let mut started = Vec::new();
    let (mut taken, mut closed, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    for ((workflow, key), events) in events(tx, app, batches).await? {
        let id = (workflow, key);
        let Some(completed) = become_runs(&id, &events) else { continue };
        let (workflow, key) = id;
        started.extend(completed.runs);
        taken.push((workflow.clone(), key.clone(), completed.last));
        match completed.rest {
            Some(Rest { events, bytes, due }) => {
                kept.push((workflow, key, events, bytes, micros(due)));
            }
            None => closed.push((workflow, key)),
        }
    }
    let stirred = runs::insert(tx, app, started.iter().map(|run| (run, at))).await?;
    for (statement, rows) in [(TAKE, batch(taken)), (CLOSE, batch(closed)), (KEEP, batch(kept))] {
        sqlx::query(statement).bind(app).bind(rows).execute(&mut *tx).await?;
    }
    Ok((started.len(), stirred))
}

/// The events of batches, in order.
async fn events(
    tx: &mut SqliteConnection,
    app: &str,
    batches: &[BatchId],
) -> Result<BTreeMap<BatchId, Vec<Gathered>>, StoreError> {
    let rows = sqlx::query(EVENTS).bind(app).bind(batch(batches)).fetch_all(tx).await?;
    let mut found = BTreeMap::<BatchId, Vec<Gathered>>::new();
    for row in &rows {
        let batch = (row.try_get("workflow")?, row.try_get("key")?);
        found.entry(batch).or_default().push(Gathered::read(row)?);
    }
    Ok(found)
}
