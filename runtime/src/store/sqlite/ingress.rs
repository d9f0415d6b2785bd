use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Serialize;
use sqlx::sqlite::SqliteConnection;

use super::database::SqliteStore;
use super::value::{batch, micros, now, uuid};
use super::{checks, inbox, later, route, runs, waits};
use crate::event::EventId;
use crate::flow::NewRun;
use crate::store::dedupe::{self, REMEMBERED};
use crate::store::hints::{Stirred, Work};
use crate::store::{Deliveries, Ingress, NewEvent, Router, StoreError};
use crate::transaction::Borrowed;

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
    INSERT INTO indelible_events (id, name, data, accepted_at, since)
    SELECT value ->> 'id', value ->> 'name', value ->> 'data', ?2, ?3 FROM json_each(?1)
    WHERE true ORDER BY key
    ON CONFLICT (id) DO NOTHING
    RETURNING id";

/// Served by the primary key of subscriptions. `hosted_by` has started the runs of `hosted` events, and
/// is told of those only for parts that are not in `?3`: another version of its program has them.
const INSERT_DELIVERIES: &str = "
    INSERT INTO indelible_deliveries (app, event_id, part)
    SELECT s.app, e.value ->> 'id', s.part
    FROM json_each(?1) e
    JOIN indelible_subscriptions s ON s.event_name = e.value ->> 'name'
    WHERE CASE WHEN e.value ->> 'hosted' IS NOT NULL AND s.app = ?2
        THEN s.part NOT IN (SELECT value FROM json_each(?3)) ELSE s.part = s.event_name END
    ORDER BY e.key";

/// The file of a connection; empty for a database in memory.
const FILE: &str = "SELECT file FROM pragma_database_list WHERE name = 'main'";

/// An event as a row of a batch.
#[derive(Serialize)]
pub(super) struct EventRow<'a> {
    pub(super) id: EventId,
    pub(super) name: &'a str,
    pub(super) data: &'a str,
    /// The parts that the accepting program has asked.
    pub(super) hosted: Option<&'a [String]>,
}

#[async_trait]
impl Ingress for SqliteStore {
    async fn accept_events(
        &self,
        hosted_by: Option<&str>,
        events: &[NewEvent],
    ) -> Result<Vec<EventId>, StoreError> {
        let mut tx = self.write().await?;
        let (now, since) = (now(), waits::last_event(&mut tx).await?);
        let known = remember(&mut tx, events, now).await?;
        let (fresh, ids) = dedupe::settle(events, &known);
        let mut stirred = write(&mut tx, hosted_by, &fresh, now, since).await?;
        if let Some(app) = hosted_by {
            let hosted = fresh.iter().filter_map(|event| event.hosted.as_ref());
            let runs = hosted.flat_map(|hosted| &hosted.runs).map(|run| (run, now));
            stirred = stirred.and(runs::insert(&mut tx, app, runs).await?);
        }
        tx.commit(stirred).await?;
        Ok(ids)
    }

    async fn send_in(&self, tx: Borrowed<'_>, event: &NewEvent) -> Result<EventId, StoreError> {
        let tx = tx.into_sqlite().ok_or_else(|| StoreError::other_kind("SQLite"))?;
        self.is_theirs(tx).await?;
        // Who writes to the file has it for himself until the commit: the event's place is that of the
        // commit.
        let events = std::slice::from_ref(event);
        let known = remember(tx, events, now()).await?;
        let (fresh, ids) = dedupe::settle(events, &known);
        let (now, since) = (now(), waits::last_event(tx).await?);
        // Whoever listens notices that the file has changed.
        let _ = write(tx, None, &fresh, now, since).await?;
        Ok(ids.first().copied().unwrap_or(event.id))
    }

    async fn start_runs(&self, app: &str, runs: &[NewRun]) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let now = now();
        let asked = runs.iter().filter(|run| !run.checks.are_none());
        let asked = asked.map(|run| (run.clone(), now)).collect();
        let checked = checks::check(&mut tx, app, asked).await?;
        let stirred = runs::insert(&mut tx, app, runs.iter().map(|run| (run, now))).await?;
        let told = checks::displace(&mut tx, &checked, now).await?;
        let roused = inbox::rouse(&mut tx, &told, &[]).await?;
        tx.commit(stirred.and(roused)).await
    }

    async fn route_deliveries(
        &self,
        deliveries: Deliveries<'_>,
        router: Router<'_>,
    ) -> Result<usize, StoreError> {
        route::route(self, deliveries, router).await
    }
}

/// Accepts the events that are due, and keeps the others until they are.
async fn write(
    tx: &mut SqliteConnection,
    hosted_by: Option<&str>,
    events: &[NewEvent],
    now: Timestamp,
    since: i64,
) -> Result<Stirred, StoreError> {
    let kept = later::keep(tx, events, now).await?;
    let rows = events.iter().filter(|event| event.due.is_none()).map(|event| EventRow {
        id: event.id,
        name: &event.name,
        data: event.data.as_str(),
        hosted: event.hosted.as_ref().map(|hosted| &*hosted.parts),
    });
    Ok(insert(tx, hosted_by, rows.collect(), now, since).await?.and(kept))
}

impl SqliteStore {
    /// Fails if a connection of the user's is to another file.
    async fn is_theirs(&self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        self.file.check()?;
        let theirs: String = sqlx::query_scalar(FILE).fetch_one(connection).await?;
        if self.file.is_at(Path::new(&theirs)) {
            return Ok(());
        }
        let theirs = if theirs.is_empty() { "a database in memory" } else { &theirs };
        let ours = self.file.path().display();
        Err(StoreError::OtherDatabase(format!(
            "it is on {theirs}, but the program stores its runs in {ours}"
        )))
    }
}

/// Inserts events, with one delivery for each app that subscribes to them.
pub(super) async fn insert(
    tx: &mut SqliteConnection,
    hosted_by: Option<&str>,
    mut events: Vec<EventRow<'_>>,
    at: Timestamp,
    since: i64,
) -> Result<Stirred, StoreError> {
    if events.is_empty() {
        return Ok(Stirred::nothing());
    }
    let new: Vec<String> = sqlx::query_scalar(INSERT_EVENTS)
        .bind(batch(&events))
        .bind(micros(at))
        .bind(since)
        .fetch_all(&mut *tx)
        .await?;
    if new.len() < events.len() {
        let new = new.iter().map(|id| uuid(id).map(EventId::from));
        let new = new.collect::<Result<std::collections::HashSet<_>, _>>()?;
        events.retain(|event| new.contains(&event.id));
    }
    let asked: BTreeSet<_> = events.iter().filter_map(|event| event.hosted).flatten().collect();
    let delivered = sqlx::query(INSERT_DELIVERIES)
        .bind(batch(&events))
        .bind(hosted_by)
        .bind(batch(asked))
        .execute(tx)
        .await?;
    Ok(Stirred::here(Work::DELIVERIES).if_any(delivered.rows_affected()))
}

/// Which event each idempotency key of the batch names.
async fn remember(
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
