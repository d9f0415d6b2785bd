//! What runs are told. Whoever tells a run something makes it ready in the same transaction, if it
//! rests; whoever parks a run looks for its messages in the same transaction.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Serialize;
use sqlx::sqlite::SqliteConnection;

use super::database::SqliteStore;
use super::value::{batch, micros};
use super::{gates, runs};
use crate::id::WorkerId;
use crate::journal::{Message, MessageId, RunId};
use crate::store::effects::{Cancel, Settled};
use crate::store::hints::{Stirred, Work};
use crate::store::message::{CANCEL, CHILD_ENDED, EVENT, message, readable};
use crate::store::read::Columns as _;
use crate::store::{RunStatus, StoreError};

/// What was taken stays, marked, if it is an event (it is not for other waits) or a request to cancel
/// (whoever takes the run over is told again). Served by the primary key.
pub(super) const MARK: &str = "
    UPDATE indelible_inbox SET taken = 1
    FROM json_each(?1) s
    WHERE indelible_inbox.run_id = s.value ->> 'run' AND indelible_inbox.id = s.value ->> 'message'
      AND s.value ->> 'taken' AND indelible_inbox.kind IN (?2, ?3)";

/// Anything else that was taken comes only once, and what was discarded may come again. Served by
/// the primary key.
pub(super) const REMOVE: &str = "
    DELETE FROM indelible_inbox
    WHERE NOT taken AND (run_id, id) IN (
        SELECT value ->> 'run', value ->> 'message' FROM json_each(?1)
    )";

/// Asks children to cancel. Served by the primary key of runs.
const ASK_CHILDREN: &str = "
    INSERT INTO indelible_inbox (run_id, id, kind, at, reason)
    SELECT child.id, c.value ->> 'parent', ?2, ?3, c.value ->> 'reason'
    FROM json_each(?1) c JOIN indelible_runs child ON child.id = c.value ->> 'child'
    WHERE child.ended_at IS NULL
    ON CONFLICT (run_id, id) DO NOTHING
    RETURNING run_id";

/// Tells the parents of runs that have ended. Served by the primary key of runs.
pub(super) const TELL_PARENTS: &str = "
    INSERT INTO indelible_inbox (run_id, id, kind, at, outcome, error, reason)
    SELECT parent.id, r.id, ?2, r.ended_at, r.output, r.error, r.cancelled
    FROM json_each(?1) ended
    JOIN indelible_runs r ON r.id = ended.value
    JOIN indelible_runs parent ON parent.id = r.parent
    WHERE parent.ended_at IS NULL
    ON CONFLICT (run_id, id) DO NOTHING
    RETURNING run_id";

/// Asks the attached children of runs that have ended to cancel. Served by
/// `indelible_runs_of_parent`.
pub(super) const TELL_CHILDREN: &str = "
    INSERT INTO indelible_inbox (run_id, id, kind, at, reason)
    SELECT child.id, child.parent, ?2, ?3, 'its parent run ' || child.parent || ' has ended'
    FROM json_each(?1) ended JOIN indelible_runs child ON child.parent = ended.value
    WHERE child.ended_at IS NULL AND NOT child.detached
    ON CONFLICT (run_id, id) DO NOTHING
    RETURNING run_id";

/// What is left of runs that have ended, but for the events that a failed one has taken: it may be
/// retried.
/// Served by the primary keys.
const FORGET: [&str; 2] = [
    "DELETE FROM indelible_waits WHERE run_id IN (SELECT value FROM json_each(?1))",
    "DELETE FROM indelible_inbox
     WHERE run_id IN (SELECT value FROM json_each(?1)) AND NOT (
         taken AND kind <> 'cancel' AND EXISTS (
             SELECT 1 FROM indelible_runs r
             WHERE r.id = indelible_inbox.run_id AND r.error IS NOT NULL
         )
     )",
];

/// Served by `indelible_runs_of_worker`, `indelible_inbox_untaken` and the unique index of events.
pub(super) const MESSAGES: &str = "
    SELECT m.run_id, m.id, m.kind, m.at, e.name, e.data, m.outcome, m.error, m.reason
    FROM indelible_runs r
    JOIN indelible_inbox m ON m.run_id = r.id AND NOT m.taken
    LEFT JOIN indelible_events e ON m.kind = ?2 AND e.id = m.id
    WHERE r.worker = ?1
    ORDER BY m.run_id, m.at, m.id";

/// The same of the runs that are being claimed; one that is being undone is told again that it was
/// asked to cancel. Served by the primary key and the unique index of events.
const CLAIMED: &str = "
    SELECT m.run_id, m.id, m.kind, m.at, e.name, e.data, m.outcome, m.error, m.reason
    FROM indelible_inbox m
    LEFT JOIN indelible_events e ON m.kind = ?2 AND e.id = m.id
    WHERE m.run_id IN (SELECT value FROM json_each(?1)) AND (NOT m.taken OR m.kind = ?3)
    ORDER BY m.run_id, m.at, m.id";

/// Makes runs ready that have messages and that nobody drives; a held one only to be cancelled. A
/// run's timer stays until it fires or the run is claimed. Served by the primary key of runs and
/// `indelible_inbox_untaken`.
pub(super) const ROUSE: &str = "
    UPDATE indelible_runs SET
        status = ?4, held = NULL, unsettled = unsettled AND started_at IS NOT NULL
    WHERE id IN (SELECT value FROM json_each(?1))
      AND (status IN (?2, ?3) OR (status = ?4 AND gated AND started_at IS NULL)) AND EXISTS (
        SELECT 1 FROM indelible_inbox m
        WHERE m.run_id = indelible_runs.id AND NOT m.taken
          AND (indelible_runs.status = ?2 OR m.kind = ?5)
    )
    RETURNING id";

#[derive(Serialize)]
struct SettledRow {
    run: RunId,
    message: MessageId,
    taken: bool,
}

#[derive(Serialize)]
struct CancelRow<'a> {
    child: RunId,
    parent: RunId,
    reason: &'a str,
}

pub(super) async fn settle(
    tx: &mut SqliteConnection,
    settled: &[Settled],
) -> Result<(), StoreError> {
    if settled.is_empty() {
        return Ok(());
    }
    let settled = batch(settled.iter().map(|settled| SettledRow {
        run: settled.run,
        message: settled.message,
        taken: settled.taken,
    }));
    sqlx::query(MARK).bind(&settled).bind(EVENT).bind(CANCEL).execute(&mut *tx).await?;
    sqlx::query(REMOVE).bind(&settled).execute(tx).await?;
    Ok(())
}

/// Asks children to cancel; gives those that are not over.
pub(super) async fn ask_children(
    tx: &mut SqliteConnection,
    cancels: &[Cancel],
    at: Timestamp,
) -> Result<Vec<String>, StoreError> {
    if cancels.is_empty() {
        return Ok(Vec::new());
    }
    let cancels = batch(cancels.iter().map(|cancel| CancelRow {
        child: cancel.child,
        parent: cancel.parent,
        reason: &cancel.reason,
    }));
    let asked = sqlx::query_scalar(ASK_CHILDREN).bind(cancels).bind(CANCEL).bind(micros(at));
    Ok(asked.fetch_all(tx).await?)
}

/// Tells those who have to do with runs that have ended, and forgets what the runs waited for and
/// were told; gives the runs that were told something.
pub(super) async fn tell_of_ends(
    tx: &mut SqliteConnection,
    ended: &[RunId],
    at: Timestamp,
) -> Result<Vec<String>, StoreError> {
    if ended.is_empty() {
        return Ok(Vec::new());
    }
    let ended = batch(ended);
    let parents = sqlx::query_scalar(TELL_PARENTS).bind(&ended).bind(CHILD_ENDED);
    let mut told: Vec<String> = parents.fetch_all(&mut *tx).await?;
    let children = sqlx::query_scalar(TELL_CHILDREN).bind(&ended).bind(CANCEL).bind(micros(at));
    told.extend(children.fetch_all(&mut *tx).await?);
    for statement in FORGET {
        sqlx::query(statement).bind(&ended).execute(&mut *tx).await?;
    }
    Ok(told)
}

/// Makes those of the runs ready that have messages and that nobody drives: some were told something, and
/// if they are driven their workers have to look; others have come to rest.
pub(super) async fn rouse(
    tx: &mut SqliteConnection,
    told: &[String],
    at_rest: &[RunId],
) -> Result<Stirred, StoreError> {
    if told.is_empty() && at_rest.is_empty() {
        return Ok(Stirred::nothing());
    }
    let all = told.iter().cloned().chain(at_rest.iter().map(ToString::to_string));
    let roused: Vec<String> = sqlx::query_scalar(ROUSE)
        .bind(batch(all))
        .bind(RunStatus::Waiting.name())
        .bind(RunStatus::Held.name())
        .bind(RunStatus::Queued.name())
        .bind(CANCEL)
        .fetch_all(&mut *tx)
        .await?;
    runs::ready(tx, &roused).await?;
    gates::step_out(tx, &roused, told).await?;
    let roused = Stirred::here(Work::READY).if_any(roused.len() as u64);
    Ok(roused.and(Stirred::here(Work::MESSAGES).if_any(told.len() as u64)))
}

pub(super) async fn messages(
    store: &SqliteStore,
    worker: WorkerId,
) -> Result<Vec<(RunId, Message)>, StoreError> {
    let rows = sqlx::query(MESSAGES).bind(worker.to_string()).bind(EVENT);
    let rows = rows.fetch_all(store.readers()?).await?;
    let told = rows.iter().map(|row| Ok((row.uuid("run_id")?, message(row))));
    told.filter_map(readable).collect()
}

/// The inboxes of runs that are being claimed.
pub(super) async fn inboxes(
    tx: &mut SqliteConnection,
    runs: &str,
    unreadable: &mut HashMap<RunId, String>,
) -> Result<HashMap<RunId, Vec<Message>>, StoreError> {
    let mut inboxes = HashMap::<_, Vec<Message>>::new();
    let claimed = sqlx::query(CLAIMED).bind(runs).bind(EVENT).bind(CANCEL);
    for row in &claimed.fetch_all(tx).await? {
        let run = row.uuid("run_id")?;
        match message(row) {
            Ok(message) => inboxes.entry(run).or_default().push(message),
            Err(error) => drop(unreadable.insert(run, error.to_string())),
        }
    }
    Ok(inboxes)
}
