use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use uuid::Uuid;

use super::database::{Database, Link, again};
use super::queue::released;
use super::{PostgresStore, claim, neighbours, queue, registry};
use crate::id::WorkerId;
use crate::journal::RunId;
use crate::store::hints::{Stirred, Work};
use crate::store::{
    Claim, Claimed, Judge, Leases, Orphan, Renewals, RunStatus, Standing, StoreError, Worker,
};

const JOIN: &str = "
    INSERT INTO indelible.workers
        (id, app, host, pid, joined_at, expires_at, workflows, shapes, parts, schedules, machine)
    VALUES ($1, $2, $3, $4, clock_timestamp(), clock_timestamp() + $5 * interval '1 second',
            $6, $7, $8, $9, $10)";

/// Served by the primary key. Changes no key, so it does not wait for a flush.
const RENEW: &str = "
    UPDATE indelible.workers SET expires_at = now() + $2 * interval '1 second' WHERE id = $1";

/// Waits for a flush of this worker's that is under way.
const LEAVE: &str = "DELETE FROM indelible.workers WHERE id = $1 RETURNING id, app";

/// Deletes workers that are known to be gone, and those whose leases have run out. Goes over all: there is
/// one row a process. A worker whose flush is under way is left for the next time.
pub(super) const EXPIRE: &str = "
    DELETE FROM indelible.workers WHERE id IN (
        SELECT id FROM indelible.workers WHERE expires_at <= now() OR id = ANY ($1)
        FOR UPDATE SKIP LOCKED
    )
    RETURNING id, app";

/// What workers that are gone held. A statement of its own, after the one that deleted the workers, so
/// that it sees what their last flush committed. Served by `runs_of_worker` and the primary key of the
/// journal, of which it reads one entry a run.
pub(super) const ORPHANS: &str = "
    SELECT run.id, run.worker, run.take_overs, run.suspects, run.beginning IS NOT NULL AS began,
           last.seq IS DISTINCT FROM run.last_seq AS got_on
    FROM unnest($1::uuid[]) AS gone (worker)
    JOIN indelible.runs run ON run.worker = gone.worker,
         LATERAL (SELECT max(seq) AS seq FROM indelible.journal WHERE run_id = run.id) last
    ORDER BY run.id";

/// Puts it back to be claimed, with what is held against it. Served by the primary keys.
pub(super) const TAKE_OVER: &str = concat!(
    "
    WITH inherited AS (
        UPDATE indelible.runs run SET
            worker = NULL, status = $5, take_overs = orphan.take_overs, suspects = orphan.suspects,
            suspected = coalesce(run.beginning, run.suspected), beginning = NULL,
            last_seq = (SELECT max(seq) FROM indelible.journal WHERE run_id = run.id)
        FROM unnest($1::uuid[], $2::uuid[], $3::integer[], $4::integer[])
            AS orphan (run_id, worker, take_overs, suspects)
        WHERE run.id = orphan.run_id AND run.worker IS NOT DISTINCT FROM orphan.worker
        RETURNING run.id, run.app, run.workflow, run.rank, run.suspects, run.gated
    ),
    ",
    released!("inherited"),
    "
    SELECT app, asks FROM released"
);

/// Served by `ready_by_rank`.
pub(super) const COHORTS: &str = "
    SELECT DISTINCT suspects FROM indelible.ready WHERE app = $1 AND suspects > 0";

/// Puts what a worker held back to be claimed, but for some runs. Served by `runs_of_worker`.
pub(super) const RELEASE: &str = concat!(
    "
    WITH left_behind AS (
        UPDATE indelible.runs run SET worker = NULL, status = $2, beginning = NULL
        FROM unnest($1::uuid[]) AS gone (worker)
        WHERE run.worker = gone.worker AND run.id <> ALL ($3)
        RETURNING run.id, run.app, run.workflow, run.rank, run.suspects, run.gated
    ),
    ",
    released!("left_behind"),
    "
    SELECT app, asks FROM released"
);

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

/// Runs that workers that are gone could not go on with: another version may. One that is claimed at this
/// moment, as it was ready already, is left to that claim. Served by `runs_held_by`.
pub(super) const TRY_HELD: &str = concat!(
    "
    WITH held AS MATERIALIZED (
        SELECT id, app, workflow, rank, suspects, gated FROM indelible.runs
        WHERE held_by = ANY ($1) AND status = $2
        FOR NO KEY UPDATE SKIP LOCKED
    ),
    ",
    released!("held", "ON CONFLICT (run_id) DO NOTHING"),
    "
    SELECT app, asks FROM released"
);

#[async_trait]
impl Leases for PostgresStore {
    async fn begin_lease(&self, worker: &Worker, lease: Duration) -> Result<Instant, StoreError> {
        again(|| async {
            let mut tx = self.database.begin().await?;
            registry::complete(&mut tx, &worker.registration).await?;
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
                .bind(neighbours::machine())
                .execute(&mut *tx)
                .await?;
            tx.commit(Stirred::nothing()).await?;
            Ok(asked)
        })
        .await
    }

    fn renewals(&self) -> Box<dyn Renewals> {
        Box::new(OwnConnection { like: self.database.clone(), own: None })
    }

    async fn end_lease(&self, worker: WorkerId) -> Result<(), StoreError> {
        again(|| async {
            let mut tx = self.database.begin().await?;
            let left = sqlx::query_as(LEAVE).bind(worker.as_uuid()).fetch_all(&mut *tx).await?;
            let (gone, stirred) = bury(&mut tx, left).await?;
            let (_, released) = release(&mut tx, gone, Vec::new()).await?;
            tx.commit(stirred.and(released)).await
        })
        .await
    }

    async fn forfeit_lease(&self, worker: WorkerId, judge: Judge<'_>) -> Result<(), StoreError> {
        again(|| async {
            let mut tx = self.database.begin().await?;
            let left = sqlx::query_as(LEAVE).bind(worker.as_uuid()).fetch_all(&mut *tx).await?;
            let (_, stirred) = inherit(&mut tx, left, judge).await?;
            tx.commit(stirred).await
        })
        .await
    }

    async fn take_over_runs(&self, judge: Judge<'_>) -> Result<u64, StoreError> {
        again(|| async {
            let gone = neighbours::gone(&mut self.database.acquire().await?).await?;
            let mut tx = self.database.begin().await?;
            let expired = sqlx::query_as(EXPIRE).bind(gone).fetch_all(&mut *tx).await?;
            let (runs, stirred) = inherit(&mut tx, expired, judge).await?;
            tx.commit(stirred).await?;
            Ok(runs)
        })
        .await
    }

    async fn claim_runs(&self, claim: Claim<'_>) -> Result<Claimed, StoreError> {
        again(|| claim::claim(&self.database, &self.floors, claim.clone())).await
    }

    async fn cohorts(&self, app: &str) -> Result<Vec<u32>, StoreError> {
        let cohorts: Vec<i32> = sqlx::query_scalar(COHORTS)
            .bind(app)
            .fetch_all(&mut self.database.acquire().await?)
            .await?;
        Ok(cohorts.into_iter().map(i32::unsigned_abs).collect())
    }

    async fn disown_runs(&self, worker: WorkerId, driven: &[RunId]) -> Result<u64, StoreError> {
        again(|| async {
            let driven = driven.iter().map(|run| run.as_uuid()).collect();
            let mut connection = self.database.acquire().await?;
            let (runs, stirred) = release(&mut connection, vec![worker.as_uuid()], driven).await?;
            self.database.committed(stirred);
            Ok(runs)
        })
        .await
    }
}

/// See [`Renewals`].
struct OwnConnection {
    like: Database,
    own: Option<Database>,
}

#[async_trait]
impl Renewals for OwnConnection {
    async fn renew(&mut self, worker: WorkerId, lease: Duration) -> Result<(), StoreError> {
        let own = self.own.take().unwrap_or_else(|| self.like.with_own_connection());
        let renew = || async {
            let renew = sqlx::query(RENEW).bind(worker.as_uuid()).bind(lease.as_secs_f64());
            Ok(renew.execute(&mut own.acquire().await?).await?)
        };
        let renewed = again(renew).await?;
        self.own = Some(own);
        if renewed.rows_affected() == 0 { Err(StoreError::LeaseLost) } else { Ok(()) }
    }
}

/// Puts back what workers that are gone held, by their ids and apps; gives how many runs.
pub(super) async fn inherit(
    connection: &mut Link,
    gone: Vec<(Uuid, String)>,
    judge: Judge<'_>,
) -> Result<(u64, Stirred), StoreError> {
    let (gone, stirred) = bury(connection, gone).await?;
    if gone.is_empty() {
        return Ok((0, stirred));
    }
    let rows = sqlx::query(ORPHANS).bind(gone).fetch_all(&mut *connection).await?;
    let orphans = rows.iter().map(Orphan::read).collect::<Result<Vec<_>, _>>()?;
    let standings = judge(&orphans);
    let number = |of: fn(&Standing) -> u32| -> Vec<i32> {
        standings.iter().map(|standing| i32::try_from(of(standing)).unwrap_or(i32::MAX)).collect()
    };
    let released = sqlx::query_as(TAKE_OVER)
        .bind(orphans.iter().map(|orphan| orphan.run.as_uuid()).collect::<Vec<_>>())
        .bind(orphans.iter().map(|orphan| orphan.worker.as_uuid()).collect::<Vec<_>>())
        .bind(number(|standing| standing.take_overs))
        .bind(number(|standing| standing.suspects))
        .bind(RunStatus::Queued.name());
    let ready: Vec<(String, bool)> = released.fetch_all(connection).await?;
    Ok((ready.len() as u64, stirred.and(queue::stirred(&ready))))
}

/// Lets others look at what workers that are gone could not tell what to make of or go on with, and at
/// what these looked after. Gives their ids.
async fn bury(
    connection: &mut Link,
    gone: Vec<(Uuid, String)>,
) -> Result<(Vec<Uuid>, Stirred), StoreError> {
    let (gone, apps): (Vec<Uuid>, Vec<String>) = gone.into_iter().unzip();
    if gone.is_empty() {
        return Ok((gone, Stirred::nothing()));
    }
    let freed: Vec<String> =
        sqlx::query_scalar(UNBLOCK).bind(&gone).fetch_all(&mut *connection).await?;
    let tried: Vec<(String, bool)> = sqlx::query_as(TRY_HELD)
        .bind(&gone)
        .bind(RunStatus::Held.name())
        .fetch_all(connection)
        .await?;
    let stirred = Stirred::each(&apps, Work::GONE)
        .and(Stirred::each(&freed, Work::DELIVERIES))
        .and(queue::stirred(&tried));
    Ok((gone, stirred))
}

async fn release(
    connection: &mut Link,
    workers: Vec<Uuid>,
    kept: Vec<Uuid>,
) -> Result<(u64, Stirred), StoreError> {
    if workers.is_empty() {
        return Ok((0, Stirred::nothing()));
    }
    let released = sqlx::query_as(RELEASE).bind(workers).bind(RunStatus::Queued.name()).bind(kept);
    let ready: Vec<(String, bool)> = released.fetch_all(connection).await?;
    Ok((ready.len() as u64, queue::stirred(&ready)))
}
