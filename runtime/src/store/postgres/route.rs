use sqlx::{PgConnection, PgPool, Row as _};
use uuid::Uuid;

use super::value::{Columns as _, Time};
use super::waits::{EventKeys, RunWaits};
use super::{OVERDUE, batches, inbox, runs};
use crate::event::EventId;
use crate::store::gathered::Addition;
use crate::store::{Blocked, Router, StoreError, StoredEvent};

/// Makes the routers of an app take turns, until the end of the transaction.
const TAKE_TURNS: &str = "SELECT pg_advisory_xact_lock(hashtext('indelible.route'), hashtext($1))";

/// The oldest deliveries that nobody else routes at this moment, also those whose router died before
/// they had looked for waits. Served by the primary keys of deliveries and events.
pub(super) const TAKE: &str = "
    WITH oldest AS MATERIALIZED (
        SELECT seq, event_id, workflow, routed_at FROM indelible.deliveries
        WHERE app = $1 AND (routed_at IS NULL OR routed_at <= now() - $3 * interval '1 second')
        ORDER BY seq LIMIT $2
        FOR UPDATE SKIP LOCKED
    )
    SELECT oldest.seq, oldest.routed_at IS NOT NULL AS routed, oldest.workflow,
           event.id, event.name, event.data::text AS data, event.accepted_at
    FROM oldest JOIN indelible.events event ON event.id = oldest.event_id
    ORDER BY oldest.seq";

/// Served by the primary key.
pub(super) const BLOCK: &str = "
    INSERT INTO indelible.blocked (app, workflow, event_id, reason)
    SELECT $1, workflow, event_id, reason
    FROM unnest($2::text[], $3::uuid[], $4::text[]) AS blocked (workflow, event_id, reason)
    ON CONFLICT DO NOTHING";

/// Served by the primary key.
pub(super) const MARK: &str = "
    UPDATE indelible.deliveries SET routed_at = clock_timestamp()
    WHERE app = $1 AND seq = ANY ($2)";

/// Served by the primary key.
pub(super) const REMOVE: &str = "
    DELETE FROM indelible.deliveries WHERE app = $1 AND seq = ANY ($2)";

pub(super) async fn route(
    pool: &PgPool,
    app: &str,
    limit: usize,
    in_turn: bool,
    router: Router<'_>,
) -> Result<usize, StoreError> {
    let mut connection = pool.acquire().await?;
    let mut tx = sqlx::Connection::begin(&mut *connection).await?;
    if in_turn {
        sqlx::query(TAKE_TURNS).bind(app).execute(&mut *tx).await?;
    }
    let rows = sqlx::query(TAKE)
        .bind(app)
        .bind(limit as i64)
        .bind(OVERDUE.as_secs_f64())
        .fetch_all(&mut *tx)
        .await?;
    let (mut started, mut blocked, mut batched) = (Vec::new(), Vec::new(), Vec::new());
    let mut keys = EventKeys::default();
    let (mut done, mut looking) = (Vec::new(), Vec::new());
    for row in &rows {
        let event = StoredEvent {
            id: row.uuid::<EventId>("id")?,
            name: row.try_get("name")?,
            data: row.payload("data")?,
            accepted_at: row.time("accepted_at")?,
            only: row.try_get("workflow")?,
        };
        let routing = router(&event);
        let seq = row.try_get::<i64, _>("seq")?;
        if !row.try_get::<bool, _>("routed")? {
            let at = Time(event.accepted_at);
            started.extend(routing.runs.into_iter().map(|run| (run, at)));
            blocked.extend(routing.blocked.into_iter().map(|blocked| (event.id, blocked)));
            let (event, accepted_at) = (event.id, event.accepted_at);
            let batches = routing.batched.into_iter();
            batched.extend(batches.map(|batch| Addition { seq, event, accepted_at, batch }));
        }
        if routing.keys.is_empty() {
            done.push(seq)
        } else {
            looking.push(seq)
        }
        keys.push(event.id, &routing.keys);
    }
    runs::insert(&mut tx, app, &started).await?;
    block(&mut tx, app, &blocked).await?;
    batches::gather(&mut tx, app, &batched).await?;
    let waits = RunWaits::of(started.iter().map(|(run, _)| (run.id, &*run.cancels)));
    remove(&mut tx, app, &done).await?;
    if !looking.is_empty() {
        keys.know(&mut tx, app).await?;
        sqlx::query(MARK).bind(app).bind(&looking).execute(&mut *tx).await?;
    }
    waits.begin(&mut tx, true).await?;
    tx.commit().await?;
    if looking.is_empty() && waits.are_none() {
        return Ok(rows.len());
    }

    let mut told = keys.find(&mut connection, app).await?;
    told.extend(waits.look(&mut connection).await?);
    inbox::rouse(&mut connection, &told).await?;
    remove(&mut connection, app, &looking).await?;
    Ok(rows.len())
}

/// Keeps events for the workflows that cannot tell what to make of them.
async fn block(
    connection: &mut PgConnection,
    app: &str,
    blocked: &[(EventId, Blocked)],
) -> Result<(), StoreError> {
    if blocked.is_empty() {
        return Ok(());
    }
    let workflows: Vec<&str> = blocked.iter().map(|(_, blocked)| &*blocked.workflow).collect();
    let events: Vec<Uuid> = blocked.iter().map(|(event, _)| event.as_uuid()).collect();
    // Postgres has no NUL in text.
    let reasons = blocked.iter().map(|(_, blocked)| blocked.reason.replace('\0', "\u{fffd}"));
    let reasons: Vec<String> = reasons.collect();
    sqlx::query(BLOCK)
        .bind(app)
        .bind(workflows)
        .bind(events)
        .bind(reasons)
        .execute(connection)
        .await?;
    Ok(())
}

async fn remove(
    connection: &mut PgConnection,
    app: &str,
    deliveries: &[i64],
) -> Result<(), StoreError> {
    if !deliveries.is_empty() {
        sqlx::query(REMOVE).bind(app).bind(deliveries).execute(connection).await?;
    }
    Ok(())
}
