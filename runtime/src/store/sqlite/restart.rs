//! Runs that begin anew.

use jiff::Timestamp;
use serde::Serialize;
use sqlx::sqlite::SqliteConnection;

use super::value::{batch, micros};
use crate::journal::RunId;
use crate::store::StoreError;
use crate::store::effects::Restart;
use crate::store::message::CANCEL;

/// A run in another generation is left alone: this has been done before. It may be another program's: a
/// pinned workflow is bound to a shape as long as there is a journal of it. Waits count events from where
/// the generation before began. The rank follows the time, so that nobody else waits for a run that
/// goes on for ever. Served by the primary key of runs.
const BEGIN: &str = "
    UPDATE indelible_runs SET
        generation = indelible_runs.generation + 1, input = a.value ->> 'input', began_at = ?2,
        take_overs = 0, suspects = 0, retries = 0, last_seq = NULL, shape = NULL,
        since = coalesce(began, since),
        began = ?3,
        rank = rank + ?2 - coalesce(began_at, accepted_at)
    FROM json_each(?1) a
    WHERE indelible_runs.id = a.value ->> 'run'
      AND indelible_runs.generation = a.value ->> 'generation'
    RETURNING id";

/// What is left of the generations that are over. Events that were taken are of no more interest when
/// no wait counts them. Served by the primary keys and the unique index of events.
const FORGET: [&str; 3] = [
    "DELETE FROM indelible_journal WHERE run_id IN (SELECT value FROM json_each(?1))",
    "DELETE FROM indelible_waits WHERE run_id IN (SELECT value FROM json_each(?1))",
    "DELETE FROM indelible_inbox
     WHERE run_id IN (SELECT value FROM json_each(?1)) AND taken AND EXISTS (
         SELECT 1 FROM indelible_runs r JOIN indelible_events e ON e.position <= r.since
         WHERE r.id = indelible_inbox.run_id AND e.id = indelible_inbox.id
     )",
];

/// Served by `indelible_runs_of_parent`.
pub(super) const ASK_CHILDREN: &str = "
    INSERT INTO indelible_inbox (run_id, id, kind, at, reason)
    SELECT child.id, child.parent, ?2, ?3, 'its parent run ' || child.parent || ' has begun anew'
    FROM json_each(?1) again JOIN indelible_runs child ON child.parent = again.value
    WHERE child.ended_at IS NULL AND NOT child.detached
    ON CONFLICT (run_id, id) DO NOTHING
    RETURNING run_id";

#[derive(Serialize)]
struct RestartRow<'a> {
    run: RunId,
    input: &'a str,
    generation: u32,
}

/// Begins the next generations of runs that have left their worker; gives the children that were
/// asked to cancel.
pub(super) async fn restart(
    tx: &mut SqliteConnection,
    restarts: &[Restart<'_>],
    at: Timestamp,
    since: i64,
) -> Result<Vec<String>, StoreError> {
    if restarts.is_empty() {
        return Ok(Vec::new());
    }
    let rows = restarts.iter().map(|restart| RestartRow {
        run: restart.run,
        input: restart.input.as_str(),
        generation: restart.generation,
    });
    let begun: Vec<String> = sqlx::query_scalar(BEGIN)
        .bind(batch(rows))
        .bind(micros(at))
        .bind(since)
        .fetch_all(&mut *tx)
        .await?;
    let begun = batch(begun);
    for statement in FORGET {
        sqlx::query(statement).bind(&begun).execute(&mut *tx).await?;
    }
    let told = sqlx::query_scalar(ASK_CHILDREN).bind(&begun).bind(CANCEL).bind(micros(at));
    Ok(told.fetch_all(tx).await?)
}
