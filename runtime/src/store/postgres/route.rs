use sqlx::{PgPool, Row as _};

use super::runs;
use super::value::{Columns as _, Time};
use crate::store::{Router, StoreError, StoredEvent};

/// The oldest deliveries that nobody else routes at this moment. Served by the primary keys of
/// deliveries and events.
pub(super) const TAKE: &str = "
    WITH oldest AS MATERIALIZED (
        SELECT seq FROM indelible.deliveries
        WHERE app = $1 ORDER BY seq LIMIT $2
        FOR UPDATE SKIP LOCKED
    ),
    taken AS (
        DELETE FROM indelible.deliveries delivery USING oldest
        WHERE delivery.app = $1 AND delivery.seq = oldest.seq
        RETURNING delivery.seq, delivery.event_id
    )
    SELECT taken.seq, event.id, event.name, event.data::text AS data, event.accepted_at
    FROM taken JOIN indelible.events event ON event.id = taken.event_id
    ORDER BY taken.seq";

pub(super) async fn route(
    pool: &PgPool,
    app: &str,
    limit: usize,
    router: Router<'_>,
) -> Result<usize, StoreError> {
    let mut tx = pool.begin().await?;
    let rows = sqlx::query(TAKE).bind(app).bind(limit as i64).fetch_all(&mut *tx).await?;
    let mut started = Vec::new();
    for row in &rows {
        let event = StoredEvent {
            id: row.uuid("id")?,
            name: row.try_get("name")?,
            data: row.payload("data")?,
            accepted_at: row.time("accepted_at")?,
        };
        started.extend(router(&event).into_iter().map(|run| (run, Time(event.accepted_at))));
    }
    runs::insert(&mut tx, app, &started).await?;
    tx.commit().await?;
    Ok(rows.len())
}
