//! System events that routing makes. Those of ends are part of a [`flush`](super::flush).

use uuid::Uuid;

use super::accept;
use super::database::Link;
use super::waits::last_event;
use crate::store::hints::{Stirred, Work};
use crate::store::{NewEvent, StoreError};

/// Events for their own app alone. One that is there already was accepted before, and is left alone.
/// Served by the primary keys of events and subscriptions.
pub(super) const REPORT: &str = concat!(
    "
    WITH clock AS MATERIALIZED (
        SELECT clock_timestamp() AS at, ",
    last_event!(),
    " AS since
    ),
    report AS MATERIALIZED (
        SELECT id, name, data, trace_context, place
        FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[]) WITH ORDINALITY
            AS report (id, name, data, trace_context, place)
        WHERE NOT EXISTS (SELECT 1 FROM indelible.events known WHERE known.id = report.id)
    ),
    accepted AS (
        INSERT INTO indelible.events (id, name, data, accepted_at, since, trace_context)
        SELECT id, name, data::json, at, since, trace_context FROM clock, report ORDER BY place
    ),
    delivered AS (
        INSERT INTO indelible.deliveries (app, event_id, part)
        SELECT subscription.app, report.id, report.name
        FROM report
        JOIN indelible.subscriptions subscription
            ON subscription.event_name = report.name AND subscription.app = $1
               AND subscription.part = report.name
        ORDER BY report.place
        RETURNING app
    )
    SELECT count(*) FROM delivered"
);

pub(super) async fn accept(
    tx: &mut Link,
    app: &str,
    reports: &[NewEvent],
) -> Result<Stirred, StoreError> {
    if reports.is_empty() {
        return Ok(Stirred::nothing());
    }
    let delivered: i64 = sqlx::query_scalar(REPORT)
        .bind(app)
        .bind(reports.iter().map(|report| report.id.as_uuid()).collect::<Vec<Uuid>>())
        .bind(reports.iter().map(|report| &*report.name).collect::<Vec<_>>())
        .bind(reports.iter().map(|report| report.data.as_str()).collect::<Vec<_>>())
        .bind(reports.iter().map(accept::trace).collect::<Vec<_>>())
        .fetch_one(tx)
        .await?;
    Ok(Stirred::of(app, Work::DELIVERIES).if_any(delivered.unsigned_abs()))
}
