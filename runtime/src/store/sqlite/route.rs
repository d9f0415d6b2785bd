use sqlx::Row as _;

use super::database::SqliteStore;
use super::value::{batch, now};
use super::waits::EventKey;
use super::{batches, checks, inbox, reports, runs, waits};
use crate::store::admitted::{Admitted, Blocked};
use crate::store::hints::{Stirred, Work};
use crate::store::read::Columns as _;
use crate::store::{Deliveries, Router, StoreError, StoredEvent};

/// The oldest deliveries, each with the parts that are not this router's. Served by
/// `indelible_deliveries_in_order` and the primary keys of events and subscriptions.
pub(super) const OLDEST: &str = "
    SELECT d.seq, d.part, e.position AS place, e.id, e.name, e.data, e.accepted_at, e.trace_context, (
        SELECT json_group_array(s.part) FROM indelible_subscriptions s
        WHERE s.event_name = d.part AND s.app = ?1
          AND s.part NOT IN (SELECT value FROM json_each(?3))
    ) AS others
    FROM indelible_deliveries d JOIN indelible_events e ON e.id = d.event_id
    WHERE d.app = ?1 AND d.part IN (SELECT value FROM json_each(?3))
    ORDER BY d.seq LIMIT ?2";

/// Served by the primary key.
const REMOVE: &str = "
    DELETE FROM indelible_deliveries WHERE seq IN (SELECT value FROM json_each(?1))";

/// Leaves parts of the app to processes that know them.
const PASS_ON: &str = "
    INSERT INTO indelible_deliveries (app, event_id, part)
    SELECT ?1, value ->> 0, value ->> 1 FROM json_each(?2)";

/// Keeps events for the workflows that cannot tell what to make of them. Served by the primary key.
const BLOCK: &str = "
    INSERT INTO indelible_blocked (app, worker, part, event_id, reason)
    SELECT ?1, ?3, value ->> 0, value ->> 1, value ->> 2 FROM json_each(?2) WHERE true
    ON CONFLICT DO NOTHING";

pub(super) async fn route(
    store: &SqliteStore,
    deliveries: Deliveries<'_>,
    router: Router<'_>,
) -> Result<usize, StoreError> {
    // Whoever writes to the file has it for itself: routers take turns as they are.
    let Deliveries { worker, app, parts, limit, in_turn: _ } = deliveries;
    let mut tx = store.write().await?;
    let rows = sqlx::query(OLDEST)
        .bind(app)
        .bind(limit as i64)
        .bind(batch(parts))
        .fetch_all(&mut *tx)
        .await?;
    if rows.is_empty() {
        return Ok(0);
    }
    let (mut admitted, mut keys) = (Admitted::default(), Vec::new());
    let (mut routed, mut others) = (Vec::new(), Vec::new());
    for row in &rows {
        let event = StoredEvent::read(row)?;
        routed.push(row.try_get::<i64, _>("seq")?);
        let left = row.texts("others")?;
        others.extend(left.into_iter().map(|part| (event.id, part)));
        let routing = router.route(&event);
        keys.extend(EventKey::all_of(event.id, &routing.keys));
        // A delivery's own number is given again once it is gone.
        admitted.add(&event, row.try_get("place")?, routing);
    }
    let Admitted { started, gathered, blocked, reports } = admitted;
    sqlx::query(REMOVE).bind(batch(routed)).execute(&mut *tx).await?;
    let mut stirred = Stirred::here(Work::DELIVERIES).if_any(others.len() as u64);
    if !others.is_empty() {
        sqlx::query(PASS_ON).bind(app).bind(batch(others)).execute(&mut *tx).await?;
    }
    if !blocked.is_empty() {
        let rows = blocked.iter().map(|Blocked { part, event, reason }| (part, event, reason));
        sqlx::query(BLOCK)
            .bind(app)
            .bind(batch(rows))
            .bind(worker.to_string())
            .execute(&mut *tx)
            .await?;
    }
    stirred = stirred.and(reports::accept(&mut tx, app, &reports).await?);
    stirred = stirred.and(batches::gather(&mut tx, app, &gathered, router).await?);
    // Events cancel also runs that their batch has started.
    let told = waits::find(&mut tx, app, &keys).await?;
    let checked = checks::check(&mut tx, app, started).await?;
    let started = checked.started.iter().map(|(run, at)| (run, *at));
    let started = runs::insert(&mut tx, app, started).await?;
    let displaced = checks::displace(&mut tx, &checked, now()).await?;
    let told: Vec<String> = told.into_iter().chain(displaced).collect();
    let roused = inbox::rouse(&mut tx, &told, &[]).await?;
    tx.commit(stirred.and(started).and(roused)).await?;
    Ok(rows.len())
}
