//! System events that routing makes. Those of ends are part of a [`flush`](super::flush).

use sqlx::sqlite::SqliteConnection;

use super::value::{batch, micros, now};
use super::waits;
use crate::store::hints::{Stirred, Work};
use crate::store::{NewEvent, StoreError};
use crate::trace::TraceContext;

/// One that is there already was accepted before, and is left alone.
const ACCEPT: &str = "
    INSERT INTO indelible_events (id, name, data, accepted_at, since, trace_context)
    SELECT value ->> 0, value ->> 1, value ->> 2, ?2, ?3, value ->> 3 FROM json_each(?1)
    WHERE true ORDER BY key
    ON CONFLICT (id) DO NOTHING
    RETURNING id";

/// For their own app alone. Served by the primary keys of events and subscriptions.
const DELIVER: &str = "
    INSERT INTO indelible_deliveries (app, event_id, part)
    SELECT s.app, e.id, e.name
    FROM json_each(?2) new
    CROSS JOIN indelible_events e ON e.id = new.value
    JOIN indelible_subscriptions s
        ON s.event_name = e.name AND s.app = ?1 AND s.part = e.name
    ORDER BY e.position";

pub(super) async fn accept(
    tx: &mut SqliteConnection,
    app: &str,
    reports: &[NewEvent],
) -> Result<Stirred, StoreError> {
    if reports.is_empty() {
        return Ok(Stirred::nothing());
    }
    let since = waits::last_event(tx).await?;
    let rows = reports.iter().map(|report| {
        let trace = report.trace.as_ref().map(TraceContext::as_str);
        (report.id, &report.name, report.data.as_str(), trace)
    });
    let new: Vec<String> = sqlx::query_scalar(ACCEPT)
        .bind(batch(rows))
        .bind(micros(now()))
        .bind(since)
        .fetch_all(&mut *tx)
        .await?;
    let delivered = sqlx::query(DELIVER).bind(app).bind(batch(new)).execute(tx).await?;
    Ok(Stirred::here(Work::DELIVERIES).if_any(delivered.rows_affected()))
}
