use async_trait::async_trait;
use jiff::Timestamp;

use super::accept::{self, EventArrays, Written, insert, remember};
use super::database::{Database, again};
use super::waits::RunWaits;
use super::{PostgresStore, checks, gates, inbox, route, unsettled};
use crate::event::EventId;
use crate::flow::NewRun;
use crate::store::dedupe;
use crate::store::gated::Subject;
use crate::store::hints::{Stirred, Work};
use crate::store::{Deliveries, Ingress, NewEvent, Router, StoreError};
use crate::transaction::Borrowed;

#[async_trait]
impl Ingress for PostgresStore {
    async fn accept_events(
        &self,
        hosted_by: Option<&str>,
        events: &[NewEvent],
    ) -> Result<Vec<EventId>, StoreError> {
        let accepted = again(|| async {
            loop {
                match attempt(&self.database, hosted_by, events).await {
                    // Another process sends the same at this moment; next time it is seen.
                    Err(error) if error.is_duplicate() => {}
                    done => return done,
                }
            }
        });
        let Arrived { ids, unheard } = accepted.await?;
        self.unheard.say(unheard);
        Ok(ids)
    }

    async fn send_in(&self, tx: Borrowed<'_>, event: &NewEvent) -> Result<EventId, StoreError> {
        let tx = tx.into_postgres().ok_or_else(|| StoreError::other_kind("Postgres"))?;
        self.sent.send(&self.database, tx, event).await
    }

    async fn start_runs(&self, app: &str, runs: &[NewRun]) -> Result<(), StoreError> {
        again(|| async {
            let waits = run_waits(runs);
            let no_events = EventArrays::default();
            let unsettled = runs.iter().any(|run| run.unsettled);
            if waits.are_none() && Subject::among(runs).is_empty() && !unsettled {
                let mut connection = self.database.acquire().await?;
                let written =
                    accept::write(&mut connection, Some(app), no_events, runs.iter()).await?;
                self.database.committed(written.stirred);
                return Ok(());
            }
            let mut tx = self.database.begin().await?;
            let asked = runs.iter().filter(|run| !run.checks.are_none());
            // What the clock counts is not asked about a run that no event starts.
            let asked: Vec<_> = asked.map(|run| (run.clone(), Timestamp::UNIX_EPOCH)).collect();
            if !asked.is_empty() {
                route::take_turns(&mut tx, app).await?;
            }
            let checked = checks::check(&mut tx, app, asked).await?;
            let Written { mut stirred, started, .. } =
                accept::write(&mut tx, Some(app), no_events, runs.iter()).await?;
            let started = || runs.iter().filter(|run| started.contains(&run.id));
            gates::enter(&mut tx, app, &Subject::among(started())).await?;
            if unsettled {
                let unknown = started().filter(|run| run.unsettled).map(|run| run.id.as_uuid());
                unsettled::unsettle(&mut tx, unknown.collect(), true).await?;
                stirred.add(app, Work::UNSETTLED);
            }
            waits.begin(&mut tx, true).await?;
            let told = checks::displace(&mut tx, &checked).await?;
            tx.commit(stirred).await?;
            waits.look_behind(&self.database).await?;
            if !told.is_empty() {
                let mut connection = self.database.acquire().await?;
                let roused = inbox::rouse(&mut connection, &told, &[]).await?;
                self.database.committed(roused.stirred);
            }
            Ok(())
        })
        .await
    }

    async fn route_deliveries(
        &self,
        deliveries: Deliveries<'_>,
        router: Router<'_>,
    ) -> Result<usize, StoreError> {
        again(|| route::route(&self.database, deliveries, router)).await
    }
}

/// Accepts events, unless another process does so at this moment.
async fn attempt(
    database: &Database,
    hosted_by: Option<&str>,
    events: &[NewEvent],
) -> Result<Arrived, StoreError> {
    let keys = dedupe::keys(events);
    let waits = run_waits(
        events.iter().flat_map(|event| event.hosted.iter().flat_map(|hosted| &hosted.runs)),
    );
    let is_due = events.iter().all(|event| event.due.is_none());
    if keys.is_empty() && waits.are_none() && is_due {
        let mut connection = database.acquire().await?;
        let Written { stirred, unheard, .. } =
            insert(&mut connection, hosted_by, events.iter()).await?;
        database.committed(stirred);
        return Ok(Arrived { ids: events.iter().map(|event| event.id).collect(), unheard });
    }
    let mut tx = database.begin().await?;
    let known = remember(&mut *tx, keys).await?;
    let (fresh, ids) = dedupe::settle(events, &known);
    let (later, now): (Vec<_>, Vec<_>) = fresh.into_iter().partition(|event| event.due.is_some());
    let Written { mut stirred, unheard, .. } = insert(&mut tx, hosted_by, now.iter()).await?;
    if !later.is_empty() {
        accept::keep(&later).execute(&mut *tx).await?;
        stirred = stirred.and(Stirred::here(Work::LATER));
    }
    // Those of events that were known have no runs.
    waits.begin(&mut tx, true).await?;
    tx.commit(stirred).await?;
    waits.look_behind(database).await?;
    Ok(Arrived { ids, unheard })
}

/// Events that were accepted, and which of their names nobody subscribes to.
struct Arrived {
    ids: Vec<EventId>,
    unheard: Vec<String>,
}

fn run_waits<'a>(runs: impl IntoIterator<Item = &'a NewRun>) -> RunWaits {
    RunWaits::of(runs.into_iter().map(|run| (run.id, &*run.cancels)))
}
