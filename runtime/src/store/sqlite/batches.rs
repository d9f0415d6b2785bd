use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use super::database::SqliteStore;
use super::value::{batch, micros, now, uuid};
use super::{checks, runs};
use crate::event::EventId;
use crate::store::gathered::{self, Added, Addition, BatchId, Completed, Rest};
use crate::store::hints::{Stirred, Work};
use crate::store::{Deliveries, Gathered, Readied, Router, StoreError};

/// `min` gives nothing if one of two bounds is not there: the other one holds then. Served by the primary key.
const OPEN: &str = "
    INSERT INTO indelible_batches
        (app, workflow, key, events, bytes, due_at, slides, latest_at)
    SELECT ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
           value ->> 6
    FROM json_each(?2) WHERE true
    ON CONFLICT (app, workflow, key) DO UPDATE SET
        events = events + excluded.events, bytes = bytes + excluded.bytes,
        slides = excluded.slides,
        latest_at =
            coalesce(min(latest_at, excluded.latest_at), latest_at, excluded.latest_at),
        due_at = CASE WHEN excluded.slides
            THEN min(max(due_at, excluded.due_at),
                     coalesce(min(latest_at, excluded.latest_at), latest_at, excluded.latest_at,
                              max(due_at, excluded.due_at)))
            ELSE min(due_at, excluded.due_at) END
    RETURNING workflow, key, events, bytes";

const ADD: &str = "
    INSERT INTO indelible_batched (app, workflow, key, seq, event_id)
    SELECT ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?2)";

/// Only the last event of a key is kept; gives the others. Served by the primary key.
const OVERTAKE: &str = "
    DELETE FROM indelible_batched WHERE (app, workflow, key, seq) IN (
        SELECT ?1, added.workflow, added.key, added.seq
        FROM json_each(?2) last
        CROSS JOIN indelible_batched added
            ON added.app = ?1 AND added.workflow = last.value ->> 0
               AND added.key = last.value ->> 1 AND added.seq < last.value ->> 2
    )
    RETURNING workflow, key, event_id";

/// One that slides waits until no event that came before its end is still to be routed. Served by
/// `indelible_batches_by_time`, `indelible_deliveries_in_order` and the unique index of events.
pub(super) const DUE: &str = "
    SELECT workflow, key FROM indelible_batches batch
    WHERE app = ?1 AND due_at <= ?2 AND NOT (slides AND EXISTS (
        SELECT 1 FROM indelible_deliveries delivery
        CROSS JOIN indelible_events event ON event.id = delivery.event_id
        WHERE delivery.app = ?1 AND delivery.part IN (SELECT value FROM json_each(?4))
          AND event.accepted_at <= batch.due_at
    ))
    ORDER BY due_at LIMIT ?3";

/// Served by `indelible_batches_by_time`.
const NEXT: &str = "SELECT min(due_at) FROM indelible_batches WHERE app = ?1";

/// Served by the primary key of batched and the unique index of events.
pub(super) const EVENTS: &str = "
    SELECT added.workflow, added.key, added.seq, event.id, event.name, event.data,
           event.accepted_at, event.trace_context
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

/// The events that runs begin with.
const REACH: &str = "
    INSERT INTO indelible_reached (event_id, run_id, key)
    SELECT value ->> 0, value ->> 1, '' FROM json_each(?2) WHERE true
    ON CONFLICT DO NOTHING";

/// Served by the primary key.
const KEEP: &str = "
    UPDATE indelible_batches AS batch SET
        events = kept.value ->> 2, bytes = kept.value ->> 3, due_at = kept.value ->> 4,
        latest_at = kept.value ->> 5
    FROM json_each(?2) kept
    WHERE batch.app = ?1 AND batch.workflow = kept.value ->> 0 AND batch.key = kept.value ->> 1";

/// Adds events to their batches, and starts the runs of those that are full.
pub(super) async fn gather(
    tx: &mut SqliteConnection,
    app: &str,
    additions: &[Addition],
    router: Router<'_>,
) -> Result<Stirred, StoreError> {
    if additions.is_empty() {
        return Ok(Stirred::nothing());
    }
    let added = gathered::added(additions);
    let rows = added.iter().map(|((workflow, key), added)| {
        let (due, latest) = (micros(added.due), added.latest.map(micros));
        let slides = u8::from(added.slides());
        (*workflow, *key, added.events, added.bytes, due, slides, latest)
    });
    let counts: Vec<(String, String, i64, i64)> =
        sqlx::query_as(OPEN).bind(app).bind(batch(rows)).fetch_all(&mut *tx).await?;
    let rows = additions
        .iter()
        .map(|Addition { seq, event, batch, .. }| (&batch.workflow, &batch.key, *seq, event));
    sqlx::query(ADD).bind(app).bind(batch(rows)).execute(&mut *tx).await?;
    overtake(tx, app, additions, &added).await?;

    let full = counts.into_iter().filter_map(|(workflow, key, events, bytes)| {
        let added = added.get(&(&*workflow, &*key))?;
        added.is_full(events, bytes).then_some((workflow, key))
    });
    let full: Vec<BatchId> = full.collect();
    let started = start(tx, app, &full, now(), |(workflow, key), events| {
        gathered::full(workflow, events, added.get(&(&**workflow, &**key))?, router)
    });
    let (_, stirred) = started.await?;
    Ok(stirred.and(Stirred::here(Work::BATCHES)))
}

/// Leaves only the last event of each key for the workflows that take no list, and says so of the others.
async fn overtake(
    tx: &mut SqliteConnection,
    app: &str,
    additions: &[Addition],
    added: &BTreeMap<(&str, &str), Added>,
) -> Result<(), StoreError> {
    let last = additions.iter().filter(|Addition { seq, batch, .. }| {
        let added = added.get(&(&*batch.workflow, &*batch.key));
        added.is_some_and(|added| added.only == Some(*seq))
    });
    let last: BTreeMap<_, _> =
        last.map(|last| ((&*last.batch.workflow, &*last.batch.key), last)).collect();
    let rows = last.iter().map(|((workflow, key), last)| (workflow, key, last.seq));
    let overtaken: Vec<(String, String, String)> =
        sqlx::query_as(OVERTAKE).bind(app).bind(batch(rows)).fetch_all(&mut *tx).await?;
    let at = now();
    let skipped = overtaken.into_iter().filter_map(|(workflow, key, event)| {
        let by = last.get(&(&*workflow, &*key))?.event;
        let event = uuid(&event).map(EventId::from);
        Some(event.map(|event| (event, workflow, gathered::overtaken(by), at)))
    });
    checks::skip(tx, app, skipped.collect::<Result<Vec<_>, StoreError>>()?).await
}

pub(super) async fn complete(
    store: &SqliteStore,
    Deliveries { app, parts, limit, .. }: Deliveries<'_>,
    router: Router<'_>,
) -> Result<Readied, StoreError> {
    let mut tx = store.write().await?;
    let now = now();
    let due: Vec<BatchId> = sqlx::query_as(DUE)
        .bind(app)
        .bind(micros(now))
        .bind(limit as i64)
        .bind(batch(parts))
        .fetch_all(&mut *tx)
        .await?;
    let started = start(&mut tx, app, &due, now, |(workflow, _), events| {
        gathered::due(workflow, events, router)
    });
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
    let (mut started, mut reached) = (Vec::new(), Vec::new());
    let (mut taken, mut closed, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    for ((workflow, key), events) in events(tx, app, batches).await? {
        let id = (workflow, key);
        let Some(completed) = become_runs(&id, &events) else { continue };
        let (workflow, key) = id;
        started.extend(completed.runs);
        reached.extend(completed.reached);
        taken.push((workflow.clone(), key.clone(), completed.last));
        match completed.rest {
            Some(Rest { events, bytes, due, latest }) => {
                let latest = latest.map(micros);
                kept.push((workflow, key, events, bytes, micros(due), latest));
            }
            None => closed.push((workflow, key)),
        }
    }
    let stirred = runs::insert(tx, app, started.iter().map(|run| (run, at))).await?;
    let rest = [(CLOSE, batch(closed)), (KEEP, batch(kept)), (REACH, batch(reached))];
    for (statement, rows) in [(TAKE, batch(taken))].into_iter().chain(rest) {
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
