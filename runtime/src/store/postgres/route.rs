use sqlx::{PgConnection, PgPool, Row as _};

use super::value::{Columns as _, Time};
use super::waits::EventKeys;
use super::{OVERDUE, inbox, runs};
use crate::event::EventId;
use crate::store::{Router, StoreError, StoredEvent};

/// The oldest deliveries that nobody else routes at this moment, also those whose router died before
/// they had looked for waits. Served by the primary keys of deliveries and events.
pub(super) const TAKE: &str = "
    WITH oldest AS MATERIALIZED (
        SELECT seq, event_id, routed_at FROM indelible.deliveries
        WHERE app = $1 AND (routed_at IS NULL OR routed_at <= now() - $3 * interval '1 second')
        ORDER BY seq LIMIT $2
        FOR UPDATE SKIP LOCKED
    )
    SELECT oldest.seq, oldest.routed_at IS NOT NULL AS routed,
           event.id, event.name, event.data::text AS data, event.accepted_at
    FROM oldest JOIN indelible.events event ON event.id = oldest.event_id
    ORDER BY oldest.seq";

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
    router: Router<'_>,
) -> Result<usize, StoreError> {
    let mut connection = pool.acquire().await?;
    let mut tx = sqlx::Connection::begin(&mut *connection).await?;
    let rows = sqlx::query(TAKE)
        .bind(app)
        .bind(limit as i64)
        .bind(OVERDUE.as_secs_f64())
        .fetch_all(&mut *tx)
        .await?;
    let mut started = Vec::new();
    let mut keys = EventKeys::default();
    let (mut done, mut looking) = (Vec::new(), Vec::new());
    for row in &rows {
        let event = StoredEvent {
            id: row.uuid::<EventId>("id")?,
            name: row.try_get("name")?,
            data: row.payload("data")?,
            accepted_at: row.time("accepted_at")?,
        };
        let routing = router(&event);
        if !row.try_get::<bool, _>("routed")? {
            let at = Time(event.accepted_at);
            started.extend(routing.runs.into_iter().map(|run| (run, at)));
        }
        let seq = row.try_get::<i64, _>("seq")?;
        if routing.keys.is_empty() {
            done.push(seq)
        } else {
            looking.push(seq)
        }
        keys.push(event.id, &routing.keys);
    }
    runs::insert(&mut tx, app, &started).await?;
    remove(&mut tx, app, &done).await?;
    if looking.is_empty() {
        tx.commit().await?;
        return Ok(rows.len());
    }
    keys.know(&mut tx, app).await?;
    sqlx::query(MARK).bind(app).bind(&looking).execute(&mut *tx).await?;
    tx.commit().await?;

    let told = keys.find(&mut connection, app).await?;
    inbox::rouse(&mut connection, &told).await?;
    remove(&mut connection, app, &looking).await?;
    Ok(rows.len())
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
