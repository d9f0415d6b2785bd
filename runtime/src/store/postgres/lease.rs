use std::time::Duration;

use sqlx::{PgConnection, PgPool};
use tokio::time::Instant;
use uuid::Uuid;

use super::connect::{BEGIN, begin};
use super::register;
use crate::id::WorkerId;
use crate::journal::RunId;
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
const LEAVE: &str = "DELETE FROM indelible.workers WHERE id = $1 RETURNING id";

/// Goes over all workers: there is one row a process. A worker whose flush is under way is left for
/// the next time.
pub(super) const EXPIRE: &str = "
    DELETE FROM indelible.workers WHERE id IN (
        SELECT id FROM indelible.workers WHERE expires_at <= now() FOR UPDATE SKIP LOCKED
    )
    RETURNING id";

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
    )
    INSERT INTO indelible.ready (run_id, app, workflow, rank)
    SELECT id, app, workflow, rank FROM released";

/// Puts what a worker held back to be claimed, but for some runs. Served by `runs_of_worker`.
pub(super) const RELEASE: &str = "
    WITH released AS (
        UPDATE indelible.runs run SET worker = NULL, status = $2
        FROM unnest($1::uuid[]) AS gone (worker)
        WHERE run.worker = gone.worker AND run.id <> ALL ($3)
        RETURNING run.id, run.app, run.workflow, run.rank
    )
    INSERT INTO indelible.ready (run_id, app, workflow, rank)
    SELECT id, app, workflow, rank FROM released";

/// Events that workers that are gone could not tell what to make of: another version may. Served by `blocked_by_worker`.
pub(super) const UNBLOCK: &str = "
    WITH freed AS (
        DELETE FROM indelible.blocked WHERE worker = ANY ($1) RETURNING app, event_id, part
    )
    INSERT INTO indelible.deliveries (app, event_id, part)
    SELECT app, event_id, part FROM freed ORDER BY event_id";

pub(super) async fn join(
    pool: &PgPool,
    worker: &Worker,
    lease: Duration,
) -> Result<Instant, StoreError> {
    let mut tx = begin(pool, BEGIN).await?;
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
    tx.commit().await?;
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

pub(super) async fn leave(pool: &PgPool, worker: WorkerId) -> Result<(), StoreError> {
    let mut tx = begin(pool, BEGIN).await?;
    let gone: Vec<Uuid> =
        sqlx::query_scalar(LEAVE).bind(worker.as_uuid()).fetch_all(&mut *tx).await?;
    unblock(&mut tx, &gone).await?;
    release(&mut tx, gone, Vec::new()).await?;
    Ok(tx.commit().await?)
}

pub(super) async fn take_over(pool: &PgPool) -> Result<u64, StoreError> {
    let mut tx = begin(pool, BEGIN).await?;
    let gone: Vec<Uuid> = sqlx::query_scalar(EXPIRE).fetch_all(&mut *tx).await?;
    let released = inherit(&mut tx, gone).await?;
    tx.commit().await?;
    Ok(released)
}

/// Puts back what workers that are gone held.
pub(super) async fn inherit(
    connection: &mut PgConnection,
    gone: Vec<Uuid>,
) -> Result<u64, StoreError> {
    if gone.is_empty() {
        return Ok(0);
    }
    unblock(connection, &gone).await?;
    let released = sqlx::query(TAKE_OVER).bind(gone).bind(RunStatus::Queued.name());
    Ok(released.execute(connection).await?.rows_affected())
}

/// Lets others look at what workers that are gone could not tell what to make of.
async fn unblock(connection: &mut PgConnection, gone: &[Uuid]) -> Result<(), StoreError> {
    if !gone.is_empty() {
        sqlx::query(UNBLOCK).bind(gone).execute(connection).await?;
    }
    Ok(())
}

pub(super) async fn disown(
    pool: &PgPool,
    worker: WorkerId,
    driven: &[RunId],
) -> Result<u64, StoreError> {
    let driven = driven.iter().map(|run| run.as_uuid()).collect();
    release(&mut *pool.acquire().await?, vec![worker.as_uuid()], driven).await
}

async fn release(
    connection: &mut PgConnection,
    workers: Vec<Uuid>,
    kept: Vec<Uuid>,
) -> Result<u64, StoreError> {
    if workers.is_empty() {
        return Ok(0);
    }
    let released = sqlx::query(RELEASE)
        .bind(workers)
        .bind(RunStatus::Queued.name())
        .bind(kept)
        .execute(connection)
        .await?;
    Ok(released.rows_affected())
}
