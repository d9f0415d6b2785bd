use uuid::Uuid;

use super::database::{Database, Link};
use super::value::Time;
use super::waits::OVERDUE;
use super::waits::{EventKeys, RunWaits};
use super::{batches, checks, inbox, reports, runs};
use crate::event::EventId;
use crate::id::WorkerId;
use crate::store::admitted::{Admitted, Blocked};
use crate::store::hints::{Stirred, Work};
use crate::store::read::Columns as _;
use crate::store::{Deliveries, Router, StoreError, StoredEvent};

/// Makes the routers of an app take turns, until the end of the transaction.
const TAKE_TURNS: &str = "SELECT pg_advisory_xact_lock(hashtext('indelible.route'), hashtext($1))";

/// The oldest deliveries that nobody else routes at this moment, also those whose router died before
/// they had looked for waits, each with the parts that are not its router's. Served by the primary keys
/// of deliveries, events and subscriptions.
pub(super) const TAKE: &str = "
    WITH oldest AS MATERIALIZED (
        SELECT seq, event_id, part, routed_at FROM indelible.deliveries
        WHERE app = $1 AND part = ANY ($4)
          AND (routed_at IS NULL OR routed_at <= now() - $3 * interval '1 second')
        ORDER BY seq LIMIT $2
        FOR UPDATE SKIP LOCKED
    )
    SELECT oldest.seq, oldest.routed_at IS NOT NULL AS routed, oldest.part,
           event.id, event.name, event.data::text AS data, event.accepted_at, event.trace_context,
           ARRAY(
               SELECT part FROM indelible.subscriptions
               WHERE event_name = oldest.part AND app = $1 AND part <> ALL ($4)
           ) AS others
    FROM oldest JOIN indelible.events event ON event.id = oldest.event_id
    ORDER BY oldest.seq";

/// Leaves parts of the app to processes that know them.
const PASS_ON: &str = "
    INSERT INTO indelible.deliveries (app, event_id, part)
    SELECT $1, event_id, part
    FROM unnest($2::uuid[], $3::text[]) WITH ORDINALITY AS other (event_id, part, place)
    ORDER BY place";

/// Served by the primary key.
pub(super) const BLOCK: &str = "
    INSERT INTO indelible.blocked (app, worker, part, event_id, reason)
    SELECT $1, $2, part, event_id, reason
    FROM unnest($3::text[], $4::uuid[], $5::text[]) AS blocked (part, event_id, reason)
    ON CONFLICT DO NOTHING";

/// Served by the primary key.
pub(super) const MARK: &str = "
    WITH clock AS MATERIALIZED (SELECT clock_timestamp() AS at)
    UPDATE indelible.deliveries SET routed_at = clock.at
    FROM clock WHERE app = $1 AND seq = ANY ($2)";

/// Served by the primary key.
pub(super) const REMOVE: &str = "
    DELETE FROM indelible.deliveries WHERE app = $1 AND seq = ANY ($2)";

pub(super) async fn route(
    database: &Database,
    deliveries: Deliveries<'_>,
    router: Router<'_>,
) -> Result<usize, StoreError> {
    let Deliveries { worker, app, parts, limit, in_turn } = deliveries;
    let mut tx = database.begin().await?;
    if in_turn {
        take_turns(&mut tx, app).await?;
    }
    let rows = sqlx::query(TAKE)
        .bind(app)
        .bind(limit as i64)
        .bind(OVERDUE.as_secs_f64())
        .bind(parts)
        .fetch_all(&mut *tx)
        .await?;
    let mut admitted = Admitted::default();
    let (mut others, mut keys) = (Others::default(), EventKeys::default());
    let (mut done, mut looking) = (Vec::new(), Vec::new());
    for row in &rows {
        let event = StoredEvent::read(row)?;
        let routing = router.route(&event);
        let seq: i64 = row.number("seq")?;
        if routing.keys.is_empty() {
            done.push(seq)
        } else {
            looking.push(seq)
        }
        keys.push(event.id, &routing.keys);
        if !row.flag("routed")? {
            admitted.add(&event, seq, routing);
            others.push(event.id, row.texts("others")?);
        }
    }
    let Admitted { started, gathered, blocked, reports } = admitted;
    let mut checked = checks::check(&mut tx, app, started).await?;
    let started = std::mem::take(&mut checked.started).into_iter();
    let started: Vec<_> = started.map(|(run, at)| (run, Time(at))).collect();
    let reported = reports::accept(&mut tx, app, &reports).await?;
    let stirred = runs::insert(&mut tx, app, &started)
        .await?
        .and(reported)
        .and(others.pass_on(&mut tx, app).await?)
        .and(batches::gather(&mut tx, app, &gathered, router).await?);
    block(&mut tx, app, worker, &blocked).await?;
    let waits = RunWaits::of(started.iter().map(|(run, _)| (run.id, &*run.cancels)));
    remove(&mut tx, app, &done).await?;
    if !looking.is_empty() {
        keys.know(&mut tx, app).await?;
        sqlx::query(MARK).bind(app).bind(&looking).execute(&mut *tx).await?;
    }
    waits.begin(&mut tx, true).await?;
    let mut told = checks::displace(&mut tx, &checked).await?;
    tx.commit(stirred).await?;
    if looking.is_empty() && waits.are_none() && told.is_empty() {
        return Ok(rows.len());
    }

    let mut connection = database.acquire().await?;
    told.extend(keys.find(&mut connection, app).await?);
    told.extend(waits.look(&mut connection).await?);
    database.committed(inbox::rouse(&mut connection, &told, &[]).await?.stirred);
    remove(&mut connection, app, &looking).await?;
    Ok(rows.len())
}

/// Waits until nobody else decides what becomes of the app's events, until the end of the transaction.
pub(super) async fn take_turns(tx: &mut Link, app: &str) -> Result<(), StoreError> {
    sqlx::query(TAKE_TURNS).bind(app).execute(tx).await?;
    Ok(())
}

/// The parts of events that the router knows nothing of.
#[derive(Default)]
struct Others {
    events: Vec<Uuid>,
    parts: Vec<String>,
}

impl Others {
    fn push(&mut self, event: EventId, parts: Vec<String>) {
        self.events.extend(parts.iter().map(|_| event.as_uuid()));
        self.parts.extend(parts);
    }

    async fn pass_on(self, connection: &mut Link, app: &str) -> Result<Stirred, StoreError> {
        let Self { events, parts } = self;
        if parts.is_empty() {
            return Ok(Stirred::nothing());
        }
        sqlx::query(PASS_ON).bind(app).bind(events).bind(parts).execute(connection).await?;
        Ok(Stirred::of(app, Work::DELIVERIES))
    }
}

/// Keeps events for the workflows that cannot tell what to make of them.
async fn block(
    connection: &mut Link,
    app: &str,
    worker: WorkerId,
    blocked: &[Blocked],
) -> Result<(), StoreError> {
    if blocked.is_empty() {
        return Ok(());
    }
    let parts: Vec<&str> = blocked.iter().map(|blocked| &*blocked.part).collect();
    let events: Vec<Uuid> = blocked.iter().map(|blocked| blocked.event.as_uuid()).collect();
    // Postgres has no NUL in text.
    let reasons = blocked.iter().map(|blocked| blocked.reason.replace('\0', "\u{fffd}"));
    let reasons: Vec<String> = reasons.collect();
    sqlx::query(BLOCK)
        .bind(app)
        .bind(worker.as_uuid())
        .bind(parts)
        .bind(events)
        .bind(reasons)
        .execute(connection)
        .await?;
    Ok(())
}

async fn remove(connection: &mut Link, app: &str, deliveries: &[i64]) -> Result<(), StoreError> {
    if !deliveries.is_empty() {
        sqlx::query(REMOVE).bind(app).bind(deliveries).execute(connection).await?;
    }
    Ok(())
}
