//! Waits and the events that they are for.
//!
//! Event and wait each commit first and then look for the other in a new snapshot, so that neither
//! can miss the other; both may find it, and the inbox has it once. Whoever finds tells the runs in
//! the same order, so that two that find the same wait for one another and never in a circle.

use std::time::Duration;

use uuid::Uuid;

use super::database::{Database, Link};
use super::inbox;
use crate::event::EventId;
use crate::journal::{CancelKey, MatchKey, RunId};
use crate::store::StoreError;
use crate::store::effects::{NewWait, Waited};
use crate::store::message::{CANCEL, EVENT, cancel_key};

/// How long the look that follows a commit may take before another process makes it good.
pub(super) const OVERDUE: Duration = Duration::from_secs(2);

/// The position of the last event that a statement sees. What comes behind it was accepted later, or
/// at the same time. Served by `events_in_order`.
///
/// Positions are taken before their commit, so one that is lower may become visible later. Then the two
/// were under way at the same time, and either order is true. A transaction of the user's may take long,
/// so its events get their positions [behind its commit](super::later).
macro_rules! last_event {
    () => {
        "(SELECT coalesce(max(position), 0) FROM indelible.events)"
    };
}
pub(super) use last_event;

/// Served by the primary key of runs.
pub(super) const BEGIN: &str = "
    INSERT INTO indelible.waits (run_id, key, app, hash, since, trigger_id, made_at, awaited)
    SELECT run.id, wait.key, run.app, wait.hash,
           CASE WHEN wait.from_trigger THEN run.since ELSE $5 END,
           run.event_id, clock_timestamp(), wait.awaited
    FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::boolean[], $6::text[])
        AS wait (run_id, key, hash, from_trigger, awaited)
    JOIN indelible.runs run ON run.id = wait.run_id";

/// Waits that are over, with the events that they have taken. Served by the primary keys.
pub(super) const END: &str = "
    WITH over AS MATERIALIZED (
        SELECT run_id, key, event_id
        FROM unnest($1::uuid[], $2::text[], $3::uuid[]) AS over (run_id, key, event_id)
    ),
    reached AS (
        INSERT INTO indelible.reached (event_id, run_id, key)
        SELECT event_id, run_id, key FROM over WHERE event_id IS NOT NULL
        ON CONFLICT DO NOTHING
    )
    DELETE FROM indelible.waits wait USING over
    WHERE wait.run_id = over.run_id AND wait.key = over.key";

/// Waits that are made with their runs: an event cancels them, if it was accepted after their trigger
/// or, where an operator begins them, after that. A run that was there before has its waits, or is
/// over. Served by the primary key of runs.
pub(super) const BEGIN_WITH_RUNS: &str = concat!(
    "
    INSERT INTO indelible.waits (run_id, key, app, hash, since, trigger_id, made_at, cancels)
    SELECT run.id, wait.key, run.app, wait.hash,
           CASE WHEN $5 THEN run.since ELSE ",
    last_event!(),
    " END,
           run.event_id, clock_timestamp(), wait.cancels
    FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[])
        AS wait (run_id, key, hash, cancels)
    JOIN indelible.runs run ON run.id = wait.run_id
    WHERE run.ended_at IS NULL
    ON CONFLICT DO NOTHING"
);

/// The same of runs that are settled after they were begun. Served by the primary keys.
pub(super) const BEGIN_UNSETTLED: &str = "
    INSERT INTO indelible.waits (run_id, key, app, hash, since, trigger_id, made_at, cancels)
    SELECT run.id, wait.key, run.app, wait.hash, unsettled.since, run.event_id, clock_timestamp(),
           wait.cancels
    FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[])
        AS wait (run_id, key, hash, cancels)
    JOIN indelible.runs run ON run.id = wait.run_id
    JOIN indelible.unsettled unsettled
        ON unsettled.app = run.app AND unsettled.workflow = run.workflow
        AND unsettled.run_id = run.id
    ON CONFLICT DO NOTHING";

/// New waits look for events that were routed before their commit. An event that one wait of a run is
/// for and that cancels the run does that. Served by the primary keys of waits and event keys, from the
/// oldest event on that counts, and `events_in_order`.
pub(super) const LOOK: &str = "
    WITH wait AS MATERIALIZED (
        UPDATE indelible.waits wait SET looked = $5
        FROM unnest($1::uuid[], $2::text[]) AS new (run_id, key)
        WHERE wait.run_id = new.run_id AND wait.key = new.key
        RETURNING wait.run_id, wait.app, wait.hash, wait.since, wait.trigger_id, wait.cancels
    ),
    found AS MATERIALIZED (
        SELECT DISTINCT ON (wait.run_id, event.id)
            wait.run_id, event.id, wait.cancels, event.accepted_at
        FROM wait
        JOIN indelible.event_keys known
            ON known.app = wait.app AND known.hash = wait.hash AND known.position > wait.since
        JOIN indelible.events event ON event.position = known.position
        WHERE event.id IS DISTINCT FROM wait.trigger_id
        ORDER BY wait.run_id, event.id, wait.cancels
    ),
    told AS (
        INSERT INTO indelible.inbox (run_id, id, kind, at, reason)
        SELECT run_id, id, CASE WHEN cancels IS NULL THEN $3 ELSE $4 END, accepted_at, cancels
        FROM found ORDER BY run_id, id
        ON CONFLICT (run_id, id) DO NOTHING
    )
    SELECT DISTINCT run_id FROM found";

/// Waits whose process died before it looked. Served by `waits_unlooked`.
pub(super) const LATE: &str = "
    SELECT run_id, key FROM indelible.waits
    WHERE NOT looked AND made_at <= now() - $1 * interval '1 second'
    ORDER BY made_at LIMIT $2";

/// Served by the primary key of events.
pub(super) const KNOW: &str = "
    INSERT INTO indelible.event_keys (app, hash, position)
    SELECT $1, key.hash, event.position
    FROM unnest($2::uuid[], $3::uuid[]) AS key (event_id, hash)
    JOIN indelible.events event ON event.id = key.event_id
    ON CONFLICT DO NOTHING";

/// Events whose keys were written look for the waits that they are for; gives the runs that wait,
/// also those that were told before. Served by the primary key of events and `waits_by_hash`.
pub(super) const FIND: &str = "
    WITH found AS MATERIALIZED (
        SELECT DISTINCT ON (wait.run_id, event.id)
            wait.run_id, event.id, wait.cancels, event.accepted_at
        FROM unnest($2::uuid[], $3::uuid[]) AS key (event_id, hash)
        JOIN indelible.events event ON event.id = key.event_id
        JOIN indelible.waits wait ON wait.app = $1 AND wait.hash = key.hash
        WHERE event.position > wait.since
          AND event.id IS DISTINCT FROM wait.trigger_id
        ORDER BY wait.run_id, event.id, wait.cancels
    ),
    told AS (
        INSERT INTO indelible.inbox (run_id, id, kind, at, reason)
        SELECT run_id, id, CASE WHEN cancels IS NULL THEN $4 ELSE $5 END, accepted_at, cancels
        FROM found ORDER BY run_id, id
        ON CONFLICT (run_id, id) DO NOTHING
    )
    SELECT DISTINCT run_id FROM found";

pub(super) async fn begin(
    connection: &mut Link,
    waits: &[NewWait<'_>],
    since: i64,
) -> Result<(), StoreError> {
    if waits.is_empty() {
        return Ok(());
    }
    sqlx::query(BEGIN)
        .bind(waits.iter().map(|wait| wait.run.as_uuid()).collect::<Vec<_>>())
        .bind(waits.iter().map(|wait| wait.key).collect::<Vec<_>>())
        .bind(waits.iter().map(|wait| wait.awaited.as_uuid()).collect::<Vec<_>>())
        .bind(waits.iter().map(|wait| wait.from_trigger).collect::<Vec<_>>())
        .bind(since)
        .bind(waits.iter().map(|wait| wait.described).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn end(connection: &mut Link, waits: &[Waited<'_>]) -> Result<(), StoreError> {
    if waits.is_empty() {
        return Ok(());
    }
    sqlx::query(END)
        .bind(waits.iter().map(|wait| wait.run.as_uuid()).collect::<Vec<_>>())
        .bind(waits.iter().map(|wait| wait.key).collect::<Vec<_>>())
        .bind(waits.iter().map(|wait| wait.event.map(EventId::as_uuid)).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

/// Lets new waits look for their events; gives the runs that were told of one.
pub(super) async fn look(
    connection: &mut Link,
    runs: Vec<Uuid>,
    keys: Vec<&str>,
) -> Result<Vec<Uuid>, StoreError> {
    if runs.is_empty() {
        return Ok(Vec::new());
    }
    let found = sqlx::query_scalar(LOOK).bind(runs).bind(keys).bind(EVENT).bind(CANCEL).bind(true);
    Ok(found.fetch_all(connection).await?)
}

/// Waits that are made with their runs, one array a column.
#[derive(Default)]
pub(super) struct RunWaits {
    runs: Vec<Uuid>,
    keys: Vec<String>,
    hashes: Vec<Uuid>,
    reasons: Vec<String>,
}

impl RunWaits {
    pub(super) fn of<'a>(runs: impl IntoIterator<Item = (RunId, &'a [CancelKey])>) -> Self {
        let mut waits = Self::default();
        for (run, cancels) in runs {
            for (number, cancel) in cancels.iter().enumerate() {
                waits.runs.push(run.as_uuid());
                waits.keys.push(cancel_key(number));
                waits.hashes.push(cancel.awaited.as_uuid());
                waits.reasons.push(cancel.reason());
            }
        }
        waits
    }

    pub(super) fn are_none(&self) -> bool {
        self.runs.is_empty()
    }

    /// Makes them, in the transaction that makes the runs, and lets them look for the events that are
    /// known by now: a run that is cancelled before it begins is told so before anybody drives it.
    pub(super) async fn begin(
        &self,
        connection: &mut Link,
        from_trigger: bool,
    ) -> Result<(), StoreError> {
        if self.are_none() {
            return Ok(());
        }
        sqlx::query(BEGIN_WITH_RUNS)
            .bind(&self.runs)
            .bind(&self.keys)
            .bind(&self.hashes)
            .bind(&self.reasons)
            .bind(from_trigger)
            .execute(&mut *connection)
            .await?;
        self.find(connection, false).await.map(drop)
    }

    /// Makes them in the transaction that settles the runs.
    pub(super) async fn begin_unsettled(&self, connection: &mut Link) -> Result<(), StoreError> {
        if self.are_none() {
            return Ok(());
        }
        sqlx::query(BEGIN_UNSETTLED)
            .bind(&self.runs)
            .bind(&self.keys)
            .bind(&self.hashes)
            .bind(&self.reasons)
            .execute(&mut *connection)
            .await?;
        self.find(connection, false).await.map(drop)
    }

    /// Lets them look again, once they are committed; gives the runs that were told something.
    pub(super) async fn look(&self, connection: &mut Link) -> Result<Vec<Uuid>, StoreError> {
        match self.are_none() {
            true => Ok(Vec::new()),
            false => self.find(connection, true).await,
        }
    }

    /// The same for a transaction that has given its connection back; makes ready the runs that were told
    /// something.
    pub(super) async fn look_behind(&self, database: &Database) -> Result<(), StoreError> {
        if self.are_none() {
            return Ok(());
        }
        let mut connection = database.acquire().await?;
        let told = self.look(&mut connection).await?;
        database.committed(inbox::rouse(&mut connection, &told, &[]).await?.stirred);
        Ok(())
    }

    async fn find(&self, connection: &mut Link, committed: bool) -> Result<Vec<Uuid>, StoreError> {
        let found = sqlx::query_scalar(LOOK).bind(&self.runs).bind(&self.keys);
        let found = found.bind(EVENT).bind(CANCEL).bind(committed);
        Ok(found.fetch_all(connection).await?)
    }
}

/// Lets up to `limit` waits look that nobody else will; gives the runs that were told of an event.
pub(super) async fn look_late(
    connection: &mut Link,
    limit: usize,
) -> Result<Vec<Uuid>, StoreError> {
    let waits: Vec<(Uuid, String)> = sqlx::query_as(LATE)
        .bind(OVERDUE.as_secs_f64())
        .bind(limit as i64)
        .fetch_all(&mut *connection)
        .await?;
    let (runs, keys): (Vec<_>, Vec<_>) =
        waits.iter().map(|(run, key)| (*run, key.as_str())).unzip();
    look(connection, runs, keys).await
}

/// The keys of events that an app has routed, one array a column.
#[derive(Default)]
pub(super) struct EventKeys {
    events: Vec<Uuid>,
    hashes: Vec<Uuid>,
}

impl EventKeys {
    pub(super) fn push(&mut self, event: EventId, keys: &[MatchKey]) {
        for key in keys {
            self.events.push(event.as_uuid());
            self.hashes.push(key.as_uuid());
        }
    }

    /// Writes them, to be found by later waits.
    pub(super) async fn know(&self, connection: &mut Link, app: &str) -> Result<(), StoreError> {
        let known = sqlx::query(KNOW).bind(app).bind(&self.events).bind(&self.hashes);
        known.execute(connection).await?;
        Ok(())
    }

    /// Tells the runs that wait for them; gives those.
    pub(super) async fn find(
        &self,
        connection: &mut Link,
        app: &str,
    ) -> Result<Vec<Uuid>, StoreError> {
        let found = sqlx::query_scalar(FIND).bind(app).bind(&self.events).bind(&self.hashes);
        Ok(found.bind(EVENT).bind(CANCEL).fetch_all(connection).await?)
    }
}
