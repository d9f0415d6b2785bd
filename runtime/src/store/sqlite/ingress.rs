use std::path::Path;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;

use super::accept::{EventRow, insert, remember};
use super::database::SqliteStore;
use super::value::now;
use super::{checks, inbox, later, route, runs, waits};
use crate::event::EventId;
use crate::flow::NewRun;
use crate::store::dedupe;
use crate::store::hints::Stirred;
use crate::store::{Deliveries, Ingress, NewEvent, Router, StoreError};
use crate::trace::TraceContext;
use crate::transaction::Borrowed;

/// The file of a connection; empty for a database in memory.
const FILE: &str = "SELECT file FROM pragma_database_list WHERE name = 'main'";

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
        let (mut stirred, unheard) = write(&mut tx, hosted_by, &fresh, now, since).await?;
        if let Some(app) = hosted_by {
            let hosted = fresh.iter().filter_map(|event| event.hosted.as_ref());
            let runs = hosted.flat_map(|hosted| &hosted.runs).map(|run| (run, now));
            stirred = stirred.and(runs::insert(&mut tx, app, runs).await?);
        }
        tx.commit(stirred).await?;
        self.unheard.say(unheard);
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

/// Accepts the events that are due, and keeps the others until they are. Gives also the names that nobody
/// subscribes to.
async fn write(
    tx: &mut SqliteConnection,
    hosted_by: Option<&str>,
    events: &[NewEvent],
    now: Timestamp,
    since: i64,
) -> Result<(Stirred, Vec<String>), StoreError> {
    let kept = later::keep(tx, events, now).await?;
    let rows = events.iter().filter(|event| event.due.is_none()).map(|event| EventRow {
        id: event.id,
        name: &event.name,
        data: event.data.as_str(),
        trace: event.trace.as_ref().map(TraceContext::as_str),
        hosted: event.hosted.as_ref().map(|hosted| &*hosted.parts),
    });
    let (stirred, unheard) = insert(tx, hosted_by, rows.collect(), now, since).await?;
    Ok((stirred.and(kept), unheard))
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
