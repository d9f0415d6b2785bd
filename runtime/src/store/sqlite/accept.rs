//! How events are written, whoever accepts them, now or later.

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::Timestamp;
use serde::Serialize;
use sqlx::sqlite::SqliteConnection;

use super::value::{batch, micros, uuid};
use crate::event::EventId;
use crate::store::dedupe::{self, REMEMBERED};
use crate::store::hints::{Stirred, Work};
use crate::store::{NewEvent, StoreError};

/// Served by the table's primary key. A key that is remembered no longer is taken anew.
const REMEMBER: &str = "
    INSERT INTO indelible_dedupe (event_name, key, event_id, expires_at)
    SELECT value ->> 0, value ->> 1, value ->> 2, ?2 FROM json_each(?1) WHERE true
    ON CONFLICT (event_name, key) DO UPDATE SET
        event_id = CASE WHEN expires_at <= ?3 THEN excluded.event_id ELSE event_id END,
        expires_at = CASE WHEN expires_at <= ?3 THEN excluded.expires_at ELSE expires_at END
    RETURNING event_name, key, event_id";

/// A resend of what was committed before finds its rows there and adds none.
const INSERT_EVENTS: &str = "
    INSERT INTO indelible_events (id, name, data, accepted_at, since, trace_context)
    SELECT value ->> 'id', value ->> 'name', value ->> 'data', ?2, ?3, value ->> 'trace'
    FROM json_each(?1)
    WHERE true ORDER BY key
    ON CONFLICT (id) DO NOTHING
    RETURNING id";

/// Served by the primary key of subscriptions. `hosted_by` has started the runs of `hosted` events, and
/// is told of those only for parts that are not in `?3`: another version of its program has them. System
/// events are for that app alone.
const INSERT_DELIVERIES: &str = "
    INSERT INTO indelible_deliveries (app, event_id, part)
    SELECT s.app, e.value ->> 'id', s.part
    FROM json_each(?1) e
    JOIN indelible_subscriptions s ON s.event_name = e.value ->> 'name'
    WHERE CASE WHEN e.value ->> 'hosted' IS NOT NULL AND s.app = ?2
        THEN s.part NOT IN (SELECT value FROM json_each(?3)) ELSE s.part = s.event_name END
      AND (s.app = ?2 OR s.event_name NOT LIKE 'indelible/%')
    ORDER BY e.key
    RETURNING event_id";

/// An event as a row of a batch.
#[derive(Serialize)]
pub(super) struct EventRow<'a> {
    pub(super) id: EventId,
    pub(super) name: &'a str,
    pub(super) data: &'a str,
    /// What is stored of its trace.
    pub(super) trace: Option<&'a str>,
    /// The parts that the accepting program has asked.
    pub(super) hosted: Option<&'a [String]>,
}

/// Inserts events, with one delivery for each app that subscribes to them. Gives also the names of those that
/// nobody subscribes to.
pub(super) async fn insert(
    tx: &mut SqliteConnection,
    hosted_by: Option<&str>,
    mut events: Vec<EventRow<'_>>,
    at: Timestamp,
    since: i64,
) -> Result<(Stirred, Vec<String>), StoreError> {
    if events.is_empty() {
        return Ok((Stirred::nothing(), Vec::new()));
    }
    let new: Vec<String> = sqlx::query_scalar(INSERT_EVENTS)
        .bind(batch(&events))
        .bind(micros(at))
        .bind(since)
        .fetch_all(&mut *tx)
        .await?;
    if new.len() < events.len() {
        let new = new.iter().map(|id| uuid(id).map(EventId::from));
        let new = new.collect::<Result<HashSet<_>, _>>()?;
        events.retain(|event| new.contains(&event.id));
    }
    let asked: BTreeSet<_> = events.iter().filter_map(|event| event.hosted).flatten().collect();
    let delivered: HashSet<String> = sqlx::query_scalar(INSERT_DELIVERIES)
        .bind(batch(&events))
        .bind(hosted_by)
        .bind(batch(asked))
        .fetch_all(tx)
        .await?
        .into_iter()
        .collect();
    let to_others = events.iter().filter(|event| event.hosted.is_none());
    let unheard = to_others.filter(|event| !delivered.contains(&event.id.to_string()));
    let unheard = unheard.map(|event| event.name.to_owned()).collect();
    Ok((Stirred::here(Work::DELIVERIES).if_any(delivered.len() as u64), unheard))
}

/// Which event each idempotency key of the batch names.
pub(super) async fn remember(
    tx: &mut SqliteConnection,
    events: &[NewEvent],
    now: Timestamp,
) -> Result<HashMap<(String, String), EventId>, StoreError> {
    let keys = dedupe::keys(events);
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(String, String, String)> = sqlx::query_as(REMEMBER)
        .bind(batch(keys.iter().map(|((name, key), id)| (name, key, id))))
        .bind(micros(now) + REMEMBERED.as_micros() as i64)
        .bind(micros(now))
        .fetch_all(tx)
        .await?;
    rows.into_iter().map(|(name, key, id)| Ok(((name, key), uuid(&id)?.into()))).collect()
}
