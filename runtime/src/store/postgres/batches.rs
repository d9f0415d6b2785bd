use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::Row as _;
use uuid::Uuid;

use super::database::{Database, Link};
use super::value::Time;
use super::{checks, runs};
use crate::event::EventId;
use crate::store::gathered::{self, Added, Addition, BatchId, Completed, Rest};
use crate::store::hints::{Stirred, Work};
use crate::store::read::Columns as _;
use crate::store::{Deliveries, Gathered, Readied, Router, StoreError};

/// Served by the primary key. One that another transaction is about to complete is waited for, and
/// begun anew.
pub(super) const OPEN: &str = "
    INSERT INTO indelible.batches AS known
        (app, workflow, key, events, bytes, due_at, slides, latest_at)
    SELECT $1, workflow, key, events, bytes, due_at, slides, latest_at
    FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::timestamptz[],
                $7::boolean[], $8::timestamptz[])
        AS batch (workflow, key, events, bytes, due_at, slides, latest_at)
    ON CONFLICT (app, workflow, key) DO UPDATE SET
        events = known.events + excluded.events, bytes = known.bytes + excluded.bytes,
        slides = excluded.slides, latest_at = least(known.latest_at, excluded.latest_at),
        due_at = CASE WHEN excluded.slides
            THEN least(greatest(known.due_at, excluded.due_at), known.latest_at,
                       excluded.latest_at)
            ELSE least(known.due_at, excluded.due_at) END
    RETURNING workflow, key, events, bytes";

pub(super) const ADD: &str = "
    INSERT INTO indelible.batched (app, workflow, key, seq, event_id)
    SELECT $1, workflow, key, seq, event_id
    FROM unnest($2::text[], $3::text[], $4::bigint[], $5::uuid[])
        AS added (workflow, key, seq, event_id)";

/// Only the last event of a key is kept; gives the others. Served by the primary key.
pub(super) const OVERTAKE: &str = "
    DELETE FROM indelible.batched added
    USING unnest($2::text[], $3::text[], $4::bigint[], $5::uuid[])
        AS last (workflow, key, seq, event_id)
    WHERE added.app = $1 AND added.workflow = last.workflow AND added.key = last.key
      AND added.seq < last.seq
    RETURNING added.workflow, added.event_id, last.event_id AS overtaken_by, now() AS at";

/// One that slides waits until no event that came before its end is still to be routed. Served by
/// `batches_by_time` and the primary keys of deliveries and events.
pub(super) const DUE: &str = "
    SELECT workflow, key FROM indelible.batches batch
    WHERE app = $1 AND due_at <= now() AND NOT (slides AND EXISTS (
        SELECT 1 FROM indelible.deliveries delivery
        JOIN indelible.events event ON event.id = delivery.event_id
        WHERE delivery.app = $1 AND delivery.routed_at IS NULL AND delivery.part = ANY ($3)
          AND event.accepted_at <= batch.due_at
    ))
    ORDER BY due_at LIMIT $2
    FOR UPDATE OF batch SKIP LOCKED";

/// Served by `batches_by_time`.
pub(super) const NEXT: &str = "
    SELECT extract(epoch FROM due_at - now())::float8 FROM indelible.batches
    WHERE app = $1 ORDER BY due_at LIMIT 1";

/// Served by the primary keys of batched and events.
pub(super) const EVENTS: &str = "
    SELECT added.workflow, added.key, added.seq, event.id, event.name, event.data::text AS data,
           event.accepted_at, event.trace_context
    FROM unnest($2::text[], $3::text[]) AS batch (workflow, key)
    JOIN indelible.batched added
        ON added.app = $1 AND added.workflow = batch.workflow AND added.key = batch.key
    JOIN indelible.events event ON event.id = added.event_id
    ORDER BY added.workflow, added.key, added.seq";

/// Served by the primary key.
pub(super) const TAKE: &str = "
    DELETE FROM indelible.batched added
    USING unnest($2::text[], $3::text[], $4::bigint[]) AS taken (workflow, key, last)
    WHERE added.app = $1 AND added.workflow = taken.workflow AND added.key = taken.key
      AND added.seq <= taken.last";

/// Served by the primary key.
pub(super) const CLOSE: &str = "
    DELETE FROM indelible.batches batch
    USING unnest($2::text[], $3::text[]) AS closed (workflow, key)
    WHERE batch.app = $1 AND batch.workflow = closed.workflow AND batch.key = closed.key";

/// The events that runs begin with.
pub(super) const REACH: &str = "
    INSERT INTO indelible.reached (event_id, run_id, key)
    SELECT event_id, run_id, '' FROM unnest($1::uuid[], $2::uuid[]) AS began (event_id, run_id)
    ON CONFLICT DO NOTHING";

/// Served by the primary key.
pub(super) const KEEP: &str = "
    UPDATE indelible.batches batch SET
        events = kept.events, bytes = kept.bytes, due_at = kept.due_at, latest_at = kept.latest_at
    FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::timestamptz[],
                $7::timestamptz[])
        AS kept (workflow, key, events, bytes, due_at, latest_at)
    WHERE batch.app = $1 AND batch.workflow = kept.workflow AND batch.key = kept.key";

/// Adds events to their batches, and starts the runs of those that are full.
pub(super) async fn gather(
    tx: &mut Link,
    app: &str,
    additions: &[Addition],
    router: Router<'_>,
) -> Result<Stirred, StoreError> {
    if additions.is_empty() {
        return Ok(Stirred::nothing());
    }
    let added = gathered::added(additions);
    let (workflows, keys): (Vec<&str>, Vec<&str>) = added.keys().copied().unzip();
    let events: Vec<i64> = added.values().map(|added| added.events).collect();
    let bytes: Vec<i64> = added.values().map(|added| added.bytes).collect();
    let due: Vec<Time> = added.values().map(|added| Time(added.due)).collect();
    let counts: Vec<(String, String, i64, i64)> = sqlx::query_as(OPEN)
        .bind(app)
        .bind(workflows)
        .bind(keys)
        .bind(events)
        .bind(bytes)
        .bind(due)
        .bind(added.values().map(Added::slides).collect::<Vec<_>>())
        .bind(added.values().map(|added| added.latest.map(Time)).collect::<Vec<_>>())
        .fetch_all(&mut *tx)
        .await?;

    let batches = additions.iter().map(|addition| &addition.batch);
    let (workflows, keys): (Vec<&str>, Vec<&str>) =
        batches.map(|batch| (&*batch.workflow, &*batch.key)).unzip();
    let seqs: Vec<i64> = additions.iter().map(|addition| addition.seq).collect();
    let events: Vec<Uuid> = additions.iter().map(|addition| addition.event.as_uuid()).collect();
    sqlx::query(ADD)
        .bind(app)
        .bind(workflows)
        .bind(keys)
        .bind(seqs)
        .bind(events)
        .execute(&mut *tx)
        .await?;
    overtake(tx, app, additions, &added).await?;

    let full = counts.into_iter().filter_map(|(workflow, key, events, bytes)| {
        let added = added.get(&(&*workflow, &*key))?;
        added.is_full(events, bytes).then_some((workflow, key))
    });
    let full: Vec<BatchId> = full.collect();
    let started = start(tx, app, &full, |(workflow, key), events| {
        gathered::full(workflow, events, added.get(&(&**workflow, &**key))?, router)
    });
    let (_, stirred) = started.await?;
    Ok(stirred.and(Stirred::of(app, Work::BATCHES)))
}

/// Leaves only the last event of each key for the workflows that take no list, and says so of the others.
async fn overtake(
    tx: &mut Link,
    app: &str,
    additions: &[Addition],
    added: &BTreeMap<(&str, &str), Added>,
) -> Result<(), StoreError> {
    let last = additions.iter().filter(|Addition { seq, batch, .. }| {
        let added = added.get(&(&*batch.workflow, &*batch.key));
        added.is_some_and(|added| added.only == Some(*seq))
    });
    let last: Vec<&Addition> = last.collect();
    if last.is_empty() {
        return Ok(());
    }
    let rows = sqlx::query(OVERTAKE)
        .bind(app)
        .bind(last.iter().map(|last| &*last.batch.workflow).collect::<Vec<_>>())
        .bind(last.iter().map(|last| &*last.batch.key).collect::<Vec<_>>())
        .bind(last.iter().map(|last| last.seq).collect::<Vec<_>>())
        .bind(last.iter().map(|last| last.event.as_uuid()).collect::<Vec<_>>())
        .fetch_all(&mut *tx)
        .await?;
    let skipped = rows.iter().map(|row| {
        let (workflow, event) = (row.text("workflow")?, row.uuid::<EventId>("event_id")?);
        Ok((event, workflow, gathered::overtaken(row.uuid("overtaken_by")?), row.time("at")?))
    });
    let skipped = skipped.collect::<Result<Vec<_>, StoreError>>()?;
    checks::skip(tx, app, &skipped).await
}

pub(super) async fn complete(
    database: &Database,
    Deliveries { app, parts, limit, .. }: Deliveries<'_>,
    router: Router<'_>,
) -> Result<Readied, StoreError> {
    let mut tx = database.begin().await?;
    let due: Vec<BatchId> =
        sqlx::query_as(DUE).bind(app).bind(limit as i64).bind(parts).fetch_all(&mut *tx).await?;
    let started =
        start(&mut tx, app, &due, |(workflow, _), events| gathered::due(workflow, events, router));
    let (runs, stirred) = started.await?;
    let next: Option<f64> = sqlx::query_scalar(NEXT).bind(app).fetch_optional(&mut *tx).await?;
    tx.commit(stirred).await?;
    let next = next.map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default());
    Ok(Readied { runs, next, late: None })
}

/// Starts the runs of batches that this transaction holds, as `become_runs` says of each. Gives also how
/// many.
async fn start(
    tx: &mut Link,
    app: &str,
    batches: &[BatchId],
    become_runs: impl Fn(&BatchId, &[Gathered]) -> Option<Completed>,
) -> Result<(usize, Stirred), StoreError> {
    if batches.is_empty() {
        return Ok((0, Stirred::nothing()));
    }
    let at = Time(sqlx::query_scalar::<_, Time>("SELECT now()").fetch_one(&mut *tx).await?.0);
    let (mut started, mut reached) = (Vec::new(), Vec::new());
    let (mut taken, mut last, mut closed, mut kept) =
        (Ids::default(), vec![], Ids::default(), Kept::default());
    for (batch, events) in events(tx, app, batches).await? {
        let Some(completed) = become_runs(&batch, &events) else { continue };
        started.extend(completed.runs.into_iter().map(|run| (run, at)));
        reached.extend(completed.reached);
        last.push(completed.last);
        match completed.rest {
            Some(Rest { events, bytes, due, latest }) => {
                kept.ids.push(&batch);
                kept.events.push(events);
                kept.bytes.push(bytes);
                kept.due.push(Time(due));
                kept.latest.push(latest.map(Time));
            }
            None => closed.push(&batch),
        }
        taken.push(&batch);
    }
    let stirred = runs::insert(tx, app, &started).await?;
    if !reached.is_empty() {
        sqlx::query(REACH)
            .bind(reached.iter().map(|(event, _)| event.as_uuid()).collect::<Vec<_>>())
            .bind(reached.iter().map(|(_, run)| run.as_uuid()).collect::<Vec<_>>())
            .execute(&mut *tx)
            .await?;
    }
    taken.bind(app, TAKE).bind(last).execute(&mut *tx).await?;
    closed.bind(app, CLOSE).execute(&mut *tx).await?;
    kept.ids
        .bind(app, KEEP)
        .bind(kept.events)
        .bind(kept.bytes)
        .bind(kept.due)
        .bind(kept.latest)
        .execute(&mut *tx)
        .await?;
    Ok((started.len(), stirred))
}

/// The events of batches, in order.
async fn events(
    tx: &mut Link,
    app: &str,
    batches: &[BatchId],
) -> Result<BTreeMap<BatchId, Vec<Gathered>>, StoreError> {
    let mut ids = Ids::default();
    batches.iter().for_each(|batch| ids.push(batch));
    let rows = ids.bind(app, EVENTS).fetch_all(tx).await?;
    let mut found = BTreeMap::<BatchId, Vec<Gathered>>::new();
    for row in &rows {
        let batch = (row.try_get("workflow")?, row.try_get("key")?);
        found.entry(batch).or_default().push(Gathered::read(row)?);
    }
    Ok(found)
}

#[derive(Default)]
struct Kept {
    ids: Ids,
    events: Vec<i64>,
    bytes: Vec<i64>,
    due: Vec<Time>,
    latest: Vec<Option<Time>>,
}

#[derive(Default)]
struct Ids {
    workflows: Vec<String>,
    keys: Vec<String>,
}

impl Ids {
    fn push(&mut self, (workflow, key): &BatchId) {
        self.workflows.push(workflow.clone());
        self.keys.push(key.clone());
    }

    /// Binds the app, the workflows and the keys, in this order.
    fn bind<'q>(
        self,
        app: &'q str,
        statement: &'static str,
    ) -> sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments> {
        sqlx::query(statement).bind(app).bind(self.workflows).bind(self.keys)
    }
}
