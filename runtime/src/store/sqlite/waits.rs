//! Waits and the events that they are for. Writers take turns, so whichever of the two comes second
//! finds the first in its own transaction.

use serde::Serialize;
use sqlx::sqlite::SqliteConnection;
use uuid::Uuid;

use super::value::{batch, micros, now};
use crate::event::EventId;
use crate::journal::{CancelKey, MatchKey, RunId};
use crate::store::StoreError;
use crate::store::effects::{NewWait, Waited};
use crate::store::message::{CANCEL, EVENT, cancel_key};

/// Served by the primary key.
const LAST_EVENT: &str = "SELECT coalesce(max(position), 0) FROM indelible_events";

/// Served by the primary key of runs.
pub(super) const BEGIN: &str = "
    INSERT INTO indelible_waits (run_id, key, app, hash, since, trigger_id, awaited, made_at)
    SELECT r.id, w.value ->> 'key', r.app, w.value ->> 'hash',
           CASE WHEN w.value ->> 'from_trigger' THEN r.since ELSE ?2 END, r.event_id,
           w.value ->> 'described', ?3
    FROM json_each(?1) w JOIN indelible_runs r ON r.id = w.value ->> 'run'";

/// Served by the primary key.
pub(super) const END: &str = "
    DELETE FROM indelible_waits WHERE (run_id, key) IN (
        SELECT value ->> 0, value ->> 1 FROM json_each(?1)
    )";

/// The events that waits have taken.
const REACH: &str = "
    INSERT INTO indelible_reached (event_id, run_id, key)
    SELECT value ->> 2, value ->> 0, value ->> 1 FROM json_each(?1)
    WHERE value ->> 2 IS NOT NULL
    ON CONFLICT DO NOTHING";

/// Waits that are made with their runs: an event cancels them, if it was accepted after their trigger
/// or, where an operator begins them, after that. A run that was there before has its waits, or is
/// over. Served by the primary key of runs.
const BEGIN_WITH_RUNS: &str = "
    INSERT INTO indelible_waits (run_id, key, app, hash, since, trigger_id, cancels, made_at)
    SELECT r.id, w.value ->> 'key', r.app, w.value ->> 'hash',
           CASE WHEN ?2 THEN r.since
                ELSE (SELECT coalesce(max(position), 0) FROM indelible_events) END,
           r.event_id, w.value ->> 'cancels', ?3
    FROM json_each(?1) w JOIN indelible_runs r ON r.id = w.value ->> 'run'
    WHERE r.ended_at IS NULL
    ON CONFLICT DO NOTHING";

/// The same of runs that are settled after they were begun. Served by the primary keys.
const BEGIN_UNSETTLED: &str = "
    INSERT INTO indelible_waits (run_id, key, app, hash, since, trigger_id, cancels, made_at)
    SELECT r.id, w.value ->> 'key', r.app, w.value ->> 'hash', u.since, r.event_id,
           w.value ->> 'cancels', ?2
    FROM json_each(?1) w
    CROSS JOIN indelible_runs r ON r.id = w.value ->> 'run'
    CROSS JOIN indelible_unsettled u
        ON u.app = r.app AND u.workflow = r.workflow AND u.run_id = r.id
    WHERE true
    ON CONFLICT DO NOTHING";

/// New waits look for events that were routed before. An event that one wait of a run is for and that
/// cancels the run does that. Served by the primary keys of waits, events and event keys, in this
/// order.
pub(super) const LOOK: &str = "
    INSERT INTO indelible_inbox (run_id, id, kind, at, reason)
    SELECT w.run_id, e.id, CASE WHEN max(w.cancels) IS NULL THEN ?2 ELSE ?3 END, e.accepted_at,
           max(w.cancels)
    FROM json_each(?1) n
    CROSS JOIN indelible_waits w ON w.run_id = n.value ->> 'run' AND w.key = n.value ->> 'key'
    CROSS JOIN indelible_event_keys k ON k.app = w.app AND k.hash = w.hash
        AND k.position > w.since
    CROSS JOIN indelible_events e ON e.position = k.position
    WHERE e.id IS NOT w.trigger_id
    GROUP BY w.run_id, e.id
    ON CONFLICT (run_id, id) DO NOTHING
    RETURNING run_id";

/// Served by the unique index of events.
pub(super) const KNOW: &str = "
    INSERT INTO indelible_event_keys (app, hash, position)
    SELECT ?2, k.value ->> 'hash', e.position
    FROM json_each(?1) k JOIN indelible_events e ON e.id = k.value ->> 'event'
    WHERE true
    ON CONFLICT DO NOTHING";

/// Events look for the waits that they are for. Served by the unique index of events and
/// `indelible_waits_by_hash`, in this order.
pub(super) const FIND: &str = "
    INSERT INTO indelible_inbox (run_id, id, kind, at, reason)
    SELECT w.run_id, e.id, CASE WHEN max(w.cancels) IS NULL THEN ?3 ELSE ?4 END, e.accepted_at,
           max(w.cancels)
    FROM json_each(?1) k
    CROSS JOIN indelible_events e ON e.id = k.value ->> 'event'
    CROSS JOIN indelible_waits w ON w.app = ?2 AND w.hash = k.value ->> 'hash'
    WHERE e.position > w.since AND e.id IS NOT w.trigger_id
    GROUP BY w.run_id, e.id
    ON CONFLICT (run_id, id) DO NOTHING
    RETURNING run_id";

#[derive(Serialize)]
struct WaitRow<'a> {
    run: RunId,
    key: &'a str,
    hash: Uuid,
    from_trigger: bool,
    described: &'a str,
}

/// The position of the last event that there is. What comes behind it is accepted later, or in the same
/// commit.
pub(super) async fn last_event(tx: &mut SqliteConnection) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar(LAST_EVENT).fetch_one(tx).await?)
}

pub(super) async fn begin(
    tx: &mut SqliteConnection,
    waits: &[NewWait<'_>],
    since: i64,
) -> Result<(), StoreError> {
    if !waits.is_empty() {
        let begin = sqlx::query(BEGIN).bind(rows(waits)).bind(since).bind(micros(now()));
        begin.execute(tx).await?;
    }
    Ok(())
}

pub(super) async fn end(tx: &mut SqliteConnection, waits: &[Waited<'_>]) -> Result<(), StoreError> {
    if !waits.is_empty() {
        let waits = batch(waits.iter().map(|Waited { run, key, event }| (run, key, event)));
        sqlx::query(REACH).bind(&waits).execute(&mut *tx).await?;
        sqlx::query(END).bind(waits).execute(tx).await?;
    }
    Ok(())
}

/// Lets new waits look for their events; gives the runs that were told of one.
pub(super) async fn look(
    tx: &mut SqliteConnection,
    waits: &[NewWait<'_>],
) -> Result<Vec<String>, StoreError> {
    if waits.is_empty() {
        return Ok(Vec::new());
    }
    let found = sqlx::query_scalar(LOOK).bind(rows(waits)).bind(EVENT).bind(CANCEL);
    Ok(found.fetch_all(tx).await?)
}

#[derive(Serialize)]
struct RunWaitRow {
    run: RunId,
    key: String,
    hash: Uuid,
    cancels: String,
}

/// Makes the waits that are made with runs, and lets them look for events: a run that is cancelled
/// before it begins is told so before anybody drives it.
pub(super) async fn begin_with_runs<'a>(
    tx: &mut SqliteConnection,
    runs: impl IntoIterator<Item = (RunId, &'a [CancelKey])>,
    from_trigger: bool,
) -> Result<(), StoreError> {
    let Some(rows) = run_waits(runs) else { return Ok(()) };
    let begin = sqlx::query(BEGIN_WITH_RUNS).bind(&rows).bind(from_trigger).bind(micros(now()));
    begin.execute(&mut *tx).await?;
    look_with_runs(tx, &rows).await
}

/// The same in the transaction that settles the runs.
pub(super) async fn begin_unsettled<'a>(
    tx: &mut SqliteConnection,
    runs: impl IntoIterator<Item = (RunId, &'a [CancelKey])>,
) -> Result<(), StoreError> {
    let Some(rows) = run_waits(runs) else { return Ok(()) };
    sqlx::query(BEGIN_UNSETTLED).bind(&rows).bind(micros(now())).execute(&mut *tx).await?;
    look_with_runs(tx, &rows).await
}

/// `None` if there are none.
fn run_waits<'a>(runs: impl IntoIterator<Item = (RunId, &'a [CancelKey])>) -> Option<String> {
    let rows = runs.into_iter().flat_map(|(run, cancels)| {
        cancels.iter().enumerate().map(move |(number, cancel)| RunWaitRow {
            run,
            key: cancel_key(number),
            hash: cancel.awaited.as_uuid(),
            cancels: cancel.reason(),
        })
    });
    let rows: Vec<_> = rows.collect();
    (!rows.is_empty()).then(|| batch(rows))
}

/// The runs are ready in any case.
async fn look_with_runs(tx: &mut SqliteConnection, rows: &str) -> Result<(), StoreError> {
    let found = sqlx::query_scalar::<_, String>(LOOK).bind(rows).bind(EVENT).bind(CANCEL);
    found.fetch_all(tx).await?;
    Ok(())
}

fn rows(waits: &[NewWait<'_>]) -> String {
    batch(waits.iter().map(|wait| WaitRow {
        run: wait.run,
        key: wait.key,
        hash: wait.awaited.as_uuid(),
        from_trigger: wait.from_trigger,
        described: wait.described,
    }))
}

/// A key of an event that an app has routed.
#[derive(Serialize)]
pub(super) struct EventKey {
    event: EventId,
    hash: Uuid,
}

impl EventKey {
    pub(super) fn all_of(event: EventId, keys: &[MatchKey]) -> impl Iterator<Item = Self> {
        keys.iter().map(move |key| Self { event, hash: key.as_uuid() })
    }
}

/// Writes keys, to be found by later waits, and tells the runs that wait for them already; gives
/// those.
pub(super) async fn find(
    tx: &mut SqliteConnection,
    app: &str,
    keys: &[EventKey],
) -> Result<Vec<String>, StoreError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let keys = batch(keys);
    sqlx::query(KNOW).bind(&keys).bind(app).execute(&mut *tx).await?;
    Ok(sqlx::query_scalar(FIND)
        .bind(&keys)
        .bind(app)
        .bind(EVENT)
        .bind(CANCEL)
        .fetch_all(tx)
        .await?)
}
