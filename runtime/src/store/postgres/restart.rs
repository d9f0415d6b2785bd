//! Runs that begin anew.

use jiff::Timestamp;
use uuid::Uuid;

use super::database::Link;
use super::value::Time;
use crate::store::StoreError;
use crate::store::effects::Restart;
use crate::store::message::CANCEL;

/// Begins the next generation of runs that have left their worker in the same transaction. A run in
/// another generation is left alone: this has been done before.
///
/// It may be another program's: a pinned workflow is bound to a shape as long as there is a journal of
/// it. Waits count events from where the generation before began; events that were taken and are older
/// are of no more interest. The rank follows the time, so that nobody else waits for a run that goes
/// on for ever. Served by the primary keys, and by `runs_of_parent`.
pub(super) const RESTART: &str = "
    WITH begun AS MATERIALIZED (
        UPDATE indelible.runs run SET
            generation = run.generation + 1, input = again.input::json, began_at = $4,
            take_overs = 0, suspects = 0, retries = 0, last_seq = NULL, shape = NULL,
            since = coalesce(run.began, run.since), began = $6,
            rank = run.rank + (
                extract(epoch FROM $4 - coalesce(run.began_at, run.accepted_at)) * 1000000
            )::bigint
        FROM unnest($1::uuid[], $2::text[], $3::integer[]) AS again (run_id, input, generation)
        WHERE run.id = again.run_id AND run.generation = again.generation
        RETURNING run.id, run.rank, run.since
    ),
    ranked AS (
        UPDATE indelible.ready SET rank = begun.rank FROM begun WHERE ready.run_id = begun.id
    ),
    emptied AS (
        DELETE FROM indelible.journal written USING begun WHERE written.run_id = begun.id
    ),
    unwaited AS (
        DELETE FROM indelible.waits wait USING begun WHERE wait.run_id = begun.id
    ),
    forgotten AS (
        DELETE FROM indelible.inbox message USING begun, indelible.events event
        WHERE message.run_id = begun.id AND message.taken AND event.id = message.id
          AND event.position <= begun.since
    ),
    told AS (
        INSERT INTO indelible.inbox (run_id, id, kind, at, reason)
        SELECT child.id, begun.id, $5, $4, 'its parent run ' || begun.id || ' has begun anew'
        FROM begun JOIN indelible.runs child ON child.parent = begun.id
        WHERE child.ended_at IS NULL AND NOT child.detached
        ON CONFLICT (run_id, id) DO NOTHING
        RETURNING run_id
    )
    SELECT run_id FROM told";

/// Begins the next generations; gives the children that were asked to cancel.
pub(super) async fn restart(
    connection: &mut Link,
    restarts: &[Restart<'_>],
    at: Timestamp,
    since: i64,
) -> Result<Vec<Uuid>, StoreError> {
    if restarts.is_empty() {
        return Ok(Vec::new());
    }
    let told = sqlx::query_scalar(RESTART)
        .bind(restarts.iter().map(|restart| restart.run.as_uuid()).collect::<Vec<_>>())
        .bind(restarts.iter().map(|restart| restart.input.as_str()).collect::<Vec<_>>())
        .bind(restarts.iter().map(|restart| restart.generation as i32).collect::<Vec<_>>())
        .bind(Time(at))
        .bind(CANCEL)
        .bind(since);
    Ok(told.fetch_all(connection).await?)
}
