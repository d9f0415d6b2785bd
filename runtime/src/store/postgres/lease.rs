use std::time::Duration;

use sqlx::{PgConnection, PgPool};
use tokio::time::Instant;
use uuid::Uuid;

use super::database::Database;
use super::register;
use crate::id::WorkerId;
use crate::journal::RunId;
use crate::store::hints::{Stirred, Work};
use crate::store::{RunStatus, StoreError, Worker};

const JOIN: &str = "
    INSERT INTO indelible.workers
        (id, app, host, pid, joined_at, expires_at, workflows, shapes, parts, schedules)
    VALUES ($1, $2, $3, $4, clock_timestamp(), clock_timestamp() + $5 * interval '1 second',
            $6, $7, $8, $9)";

/// Served by the primary key. Changes no key, so it does not wait for a flush.
const RENEW: &str = "
    UPDATE indelible.workers SET expires_at = now() + $2 * interval '1 second' WHERE id = $1";

/// Waits for a flush of this worker's that is under way.
const LEAVE: &str = "DELETE FROM indelible.workers WHERE id = $1 RETURNING id, app";

/// Goes over all workers: there is one row a process. A worker whose flush is under way is left for
/// the next time.
pub(super) const EXPIRE: &str = "
    DELETE FROM indelible.workers WHERE id IN (
        SELECT id FROM indelible.workers WHERE expires_at <= now() FOR UPDATE SKIP LOCKED
    )
    RETURNING id, app";

/// Puts what workers that are gone held back to be claimed, and counts how often in a row that has come
/// to pass with no new line in the journal. A statement of its own, after the one that deleted the workers,
/// so that it sees what their last flush committed. Served by `runs_of_worker` and the primary key of
/// the journal, of which it reads one entry a run.
pub(super) const TAKE_OVER: &str = "
    WITH released AS (
        UPDATE indelible.runs run SET worker = NULL, status = $2, (take_overs, last_seq) = (
            SELECT CASE WHEN last.seq IS NOT DISTINCT FROM run.last_seq THEN run.take_overs ELSE 0 END + 1,
                   last.seq
            FROM (SELECT max(seq) AS seq FROM indelible.journal WHERE run_id = run.id) last
        )
        FROM unnest($1::uuid[]) AS gone (worker)
        WHERE run.worker = gone.worker
        RETURNING run.id, run.app, run.workflow, run.rank
    ),
    queued AS (
        INSERT INTO indelible.ready (run_id, app, workflow, rank)
        SELECT id, app, workflow, rank FROM released
    )
    SELECT app FROM released";

/// Puts what a worker held back to be claimed, but for some runs. Served by `runs_of_worker`.
pub(super) const RELEASE: &str = "
    WITH released AS (
        UPDATE indelible.runs run SET worker = NULL, status = $2
        FROM unnest($1::uuid[]) AS gone (worker)
        WHERE run.worker = gone.worker AND run.id <> ALL ($3)
        RETURNING run.id, run.app, run.workflow, run.rank
    ),
    queued AS (
        INSERT INTO indelible.ready (run_id, app, workflow, rank)
        SELECT id, app, workflow, rank FROM released
    )
    SELECT app FROM released";

/// Events that workers that are gone could not tell what to make of: another version may. Served by `blocked_by_worker`.
pub(super) const UNBLOCK: &str = "
    WITH freed AS (
        DELETE FROM indelible.blocked WHERE worker = ANY ($1) RETURNING app, event_id, part
    ),
    delivered AS (
        INSERT INTO indelible.deliveries (app, event_id, part)
        SELECT app, event_id, part FROM freed ORDER BY event_id
    )
    SELECT app FROM freed";

pub(super) async fn join(
    database: &Database,
    worker: &Worker,
    lease: Duration,
) -> Result<Instant, StoreError> {
    let mut tx = database.begin().await?;
    register::complete(&mut tx, &worker.registration).await?;
    let asked = Instant::now();
    sqlx::query(JOIN)
        .bind(worker.id.as_uuid())
        .bind(&worker.app)
        .bind(&worker.host)
        .bind(i64::from(worker.pid))
        .bind(lease.as_secs_f64())
        .bind(worker.drives.iter().map(|drive| drive.workflow.as_str()).collect::<Vec<_>>())
        .bind(
            worker
                .drives
                .iter()
                .map(|drive| drive.pinned.then_some(drive.shape))
                .collect::<Vec<_>>(),
        )
        .bind(worker.registration.parts())
        .bind(worker.registration.schedule_names())
        .execute(&mut *tx)
        .await?;
    tx.commit(Stirred::nothing()).await?;
    Ok(asked)
}

pub(super) async fn renew(
    pool: &PgPool,
    worker: WorkerId,
    lease: Duration,
) -> Result<(), StoreError> {
    let renewed =
        sqlx::query(RENEW).bind(worker.as_uuid()).bind(lease.as_secs_f64()).execute(pool).await?;
    if renewed.rows_affected() == 0 { Err(StoreError::LeaseLost) } else { Ok(()) }
}

pub(super) async fn leave(database: &Database, worker: WorkerId) -> Result<(), StoreError> {
    let mut tx = database.begin().await?;
    let left = sqlx::query_as(LEAVE).bind(worker.as_uuid()).fetch_all(&mut *tx).await?;
    let (gone, stirred) = bury(&mut tx, left).await?;
    let (_, released) = release(&mut tx, gone, Vec::new()).await?;
    tx.commit(stirred.and(released)).await
}

pub(super) async fn take_over(database: &Database) -> Result<u64, StoreError> {
    let mut tx = database.begin().await?;
    let expired = sqlx::query_as(EXPIRE).fetch_all(&mut *tx).await?;
    let (runs, stirred) = inherit(&mut tx, expired).await?;
    tx.commit(stirred).await?;
    Ok(runs)
}

/// Puts back what workers that are gone held, by their ids and apps; gives how many runs.
pub(super) async fn inherit(
    connection: &mut PgConnection,
    gone: Vec<(Uuid, String)>,
) -> Result<(u64, Stirred), StoreError> {
    let (gone, stirred) = bury(connection, gone).await?;
    if gone.is_empty() {
        return Ok((0, stirred));
    }
    let released = sqlx::query_scalar(TAKE_OVER).bind(gone).bind(RunStatus::Queued.name());
    let apps: Vec<String> = released.fetch_all(connection).await?;
    Ok((apps.len() as u64, stirred.and(Stirred::each(&apps, Work::READY))))
}

/// Lets others look at what workers that are gone could not tell what to make of, and at what these
/// looked after. Gives their ids.
async fn bury(
    connection: &mut PgConnection,
    gone: Vec<(Uuid, String)>,
) -> Result<(Vec<Uuid>, Stirred), StoreError> {
    let (gone, apps): (Vec<Uuid>, Vec<String>) = gone.into_iter().unzip();
    if gone.is_empty() {
        return Ok((gone, Stirred::nothing()));
    }
    let freed: Vec<String> = sqlx::query_scalar(UNBLOCK).bind(&gone).fetch_all(connection).await?;
    let stirred = Stirred::each(&apps, Work::GONE).and(Stirred::each(&freed, Work::DELIVERIES));
    Ok((gone, stirred))
}

pub(super) async fn disown(
    database: &Database,
    worker: WorkerId,
    driven: &[RunId],
) -> Result<u64, StoreError> {
    let driven = driven.iter().map(|run| run.as_uuid()).collect();
    let mut connection = database.acquire().await?;
    let (runs, stirred) = release(&mut connection, vec![worker.as_uuid()], driven).await?;
    database.committed(stirred);
    Ok(runs)
}

async fn release(
    connection: &mut PgConnection,
    workers: Vec<Uuid>,
    kept: Vec<Uuid>,
) -> Result<(u64, Stirred), StoreError> {
    if workers.is_empty() {
        return Ok((0, Stirred::nothing()));
    }
    let released =
        sqlx::query_scalar(RELEASE).bind(workers).bind(RunStatus::Queued.name()).bind(kept);
    let apps: Vec<String> = released.fetch_all(connection).await?;
    Ok((apps.len() as u64, Stirred::each(&apps, Work::READY)))
}
