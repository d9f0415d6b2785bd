use sqlx::Row as _;

use super::SqliteStore;
use super::value::{Columns as _, batch};
use super::waits::EventKey;
use super::{batches, inbox, runs, waits};
use crate::payload::Payload;
use crate::store::gathered::Addition;
use crate::store::{Router, StoreError, StoredEvent};

/// Served by `indelible_deliveries_in_order` and the primary key of events.
const OLDEST: &str = "
    SELECT d.seq, d.workflow, e.seq AS place, e.id, e.name, e.data, e.accepted_at
    FROM indelible_deliveries d JOIN indelible_events e ON e.id = d.event_id
    WHERE d.app = ?1 ORDER BY d.seq LIMIT ?2";

/// Served by `indelible_deliveries_in_order`.
const REMOVE: &str = "DELETE FROM indelible_deliveries WHERE app = ?1 AND seq <= ?2";

/// Keeps events for the workflows that cannot tell what to make of them. Served by the primary key.
const BLOCK: &str = "
    INSERT INTO indelible_blocked (app, workflow, event_id, reason)
    SELECT ?1, value ->> 0, value ->> 1, value ->> 2 FROM json_each(?2) WHERE true
    ON CONFLICT DO NOTHING";

pub(super) async fn route(
    store: &SqliteStore,
    app: &str,
    limit: usize,
    router: Router<'_>,
) -> Result<usize, StoreError> {
    let mut tx = store.write().await?;
    let rows = sqlx::query(OLDEST).bind(app).bind(limit as i64).fetch_all(&mut *tx).await?;
    let Some(last) = rows.last() else { return Ok(0) };
    sqlx::query(REMOVE).bind(app).bind(last.try_get::<i64, _>("seq")?).execute(&mut *tx).await?;
    let (mut started, mut keys) = (Vec::new(), Vec::new());
    let (mut blocked, mut batched) = (Vec::new(), Vec::new());
    for row in &rows {
        let event = StoredEvent {
            id: row.uuid("id")?.into(),
            name: row.try_get("name")?,
            data: Payload::stored(row.try_get::<String, _>("data")?),
            accepted_at: row.time("accepted_at")?,
            only: row.try_get("workflow")?,
        };
        let routing = router(&event);
        keys.extend(EventKey::all_of(event.id, &routing.keys));
        let kept = routing.blocked.into_iter();
        blocked.extend(kept.map(|kept| (kept.workflow, event.id, kept.reason)));
        // A delivery's own number is given again once it is gone.
        let (seq, accepted_at) = (row.try_get("place")?, event.accepted_at);
        let batches = routing.batched.into_iter();
        batched.extend(batches.map(|batch| Addition { seq, event: event.id, accepted_at, batch }));
        started.extend(routing.runs.into_iter().map(|run| (run, event.accepted_at)));
    }
    if !blocked.is_empty() {
        sqlx::query(BLOCK).bind(app).bind(batch(&blocked)).execute(&mut *tx).await?;
    }
    batches::gather(&mut tx, app, &batched).await?;
    // Events cancel also runs that their batch has started.
    let told = waits::find(&mut tx, app, &keys).await?;
    runs::insert(&mut tx, app, started.iter().map(|(run, at)| (run, *at))).await?;
    inbox::rouse(&mut tx, &told).await?;
    tx.commit().await?;
    Ok(rows.len())
}
