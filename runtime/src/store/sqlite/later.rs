//! Events that are accepted later, when they are due. They wait in a table of their own, and get their
//! place among the other events when they are accepted.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use sqlx::sqlite::SqliteConnection;

use super::accept::{self, EventRow};
use super::database::SqliteStore;
use super::value::{batch, micros, now, uuid};
use super::waits;
use crate::event::EventId;
use crate::store::hints::{Stirred, Work};
use crate::store::{Accepted, NewEvent, StoreError};
use crate::trace::TraceContext;

/// How long a time may have passed that somebody knew of.
const OVERLOOKED: i64 = 1_000_000;

/// What was kept or accepted by an earlier attempt is left alone. Served by the unique indexes on the ids.
pub(super) const KEEP: &str = "
    INSERT INTO indelible_later (id, name, data, due_at, trace_context)
    SELECT value ->> 'id', value ->> 'name', value ->> 'data', value ->> 'due_at', value ->> 'trace'
    FROM json_each(?1)
    WHERE NOT EXISTS (SELECT 1 FROM indelible_events known WHERE known.id = value ->> 'id')
    ORDER BY key
    ON CONFLICT (id) DO NOTHING";

/// Served by `indelible_later_by_time`.
const NEXT: &str = "SELECT min(due_at) FROM indelible_later";

/// Served by `indelible_later_by_time`.
pub(super) const DUE: &str = "
    SELECT id, name, data, due_at, trace_context FROM indelible_later
    WHERE due_at <= ?1 ORDER BY due_at, seq LIMIT ?2";

/// Served by the unique index on the ids.
pub(super) const REMOVE: &str = "
    DELETE FROM indelible_later WHERE id IN (SELECT value FROM json_each(?1))";

#[derive(Serialize)]
struct Kept<'a> {
    id: EventId,
    name: &'a str,
    data: &'a str,
    due_at: i64,
    trace: Option<&'a str>,
}

/// Keeps those of the events that have a time, until then.
pub(super) async fn keep(
    tx: &mut SqliteConnection,
    events: &[NewEvent],
    now: Timestamp,
) -> Result<Stirred, StoreError> {
    let kept = events.iter().filter_map(|event| {
        let due_at = micros(event.due?.from(now));
        let trace = event.trace.as_ref().map(TraceContext::as_str);
        Some(Kept { id: event.id, name: &event.name, data: event.data.as_str(), due_at, trace })
    });
    let kept: Vec<_> = kept.collect();
    if kept.is_empty() {
        return Ok(Stirred::nothing());
    }
    sqlx::query(KEEP).bind(batch(kept)).execute(tx).await?;
    Ok(Stirred::here(Work::LATER))
}

pub(super) async fn accept_due(store: &SqliteStore, limit: usize) -> Result<Accepted, StoreError> {
    let first: Option<i64> = sqlx::query_scalar(NEXT).fetch_one(store.readers()?).await?;
    if first.is_none_or(|first| first > micros(now())) {
        return Ok(Accepted { events: 0, overlooked: 0, next: first.map(until) });
    }
    let mut tx = store.write().await?;
    let now = now();
    let due: Vec<(String, String, String, i64, Option<String>)> =
        sqlx::query_as(DUE).bind(micros(now)).bind(limit as i64).fetch_all(&mut *tx).await?;
    sqlx::query(REMOVE).bind(batch(due.iter().map(|due| &due.0))).execute(&mut *tx).await?;
    let rows = due.iter().map(|(id, name, data, _, trace)| {
        let (id, trace) = (uuid(id)?.into(), trace.as_deref());
        Ok(EventRow { id, name, data, trace, hosted: None })
    });
    let rows = rows.collect::<Result<Vec<_>, StoreError>>()?;
    let since = waits::last_event(&mut tx).await?;
    let (stirred, unheard) = accept::insert(&mut tx, None, rows, now, since).await?;
    let next: Option<i64> = sqlx::query_scalar(NEXT).fetch_one(&mut *tx).await?;
    tx.commit(stirred).await?;
    store.unheard.say(unheard);
    let overlooked = due.iter().filter(|due| due.3 < micros(now) - OVERLOOKED).count();
    Ok(Accepted { events: due.len(), overlooked, next: next.map(until) })
}

fn until(due: i64) -> Duration {
    Duration::from_micros(due.saturating_sub(micros(now())).max(0).unsigned_abs())
}
