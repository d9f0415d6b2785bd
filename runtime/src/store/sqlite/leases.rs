use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tokio::time::Instant;
use uuid::Uuid;

use super::database::SqliteStore;
use super::file::DatabaseFile;
use super::value::{batch, micros, now};
use super::{claim, registry, runs, workers};
use crate::id::WorkerId;
use crate::journal::RunId;
use crate::store::hints::{Stirred, Work};
use crate::store::{
    Claim, Claimed, Driven, Judge, Leases, Orphan, Renewals, RunStatus, Standing, StoreError,
    Worker,
};

const JOIN: &str = "
    INSERT INTO indelible_workers
        (id, app, host, pid, joined_at, drives, parts, schedules)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

/// Served by the primary key.
const REMOVE: &str = "
    DELETE FROM indelible_workers WHERE id IN (SELECT value FROM json_each(?1)) RETURNING id";

/// What workers that are gone held. Served by `indelible_runs_of_worker` and the primary key of the
/// journal.
const ORPHANS: &str = "
    SELECT r.id, r.worker, r.take_overs, r.suspects, r.beginning IS NOT NULL AS began,
           r.last_seq IS NOT (
               SELECT max(seq) FROM indelible_journal WHERE run_id = r.id
           ) AS got_on
    FROM indelible_runs r WHERE r.worker IN (SELECT value FROM json_each(?1)) ORDER BY r.id";

/// Puts it back to be claimed, with what is held against it. Served by the primary keys.
const TAKE_OVER: &str = "
    UPDATE indelible_runs SET
        worker = NULL, status = ?2, take_overs = orphan.value ->> 1, suspects = orphan.value ->> 2,
        suspected = coalesce(beginning, suspected), beginning = NULL,
        last_seq = (SELECT max(seq) FROM indelible_journal WHERE run_id = indelible_runs.id)
    FROM json_each(?1) orphan WHERE indelible_runs.id = orphan.value ->> 0
    RETURNING id";

/// Served by `indelible_ready_by_rank`.
const COHORTS: &str = "
    SELECT DISTINCT suspects FROM indelible_ready WHERE app = ?1 AND suspects > 0";

/// Served by `indelible_runs_of_worker`.
const RELEASE: &str = "
    UPDATE indelible_runs SET worker = NULL, status = ?2, beginning = NULL
    WHERE worker IN (SELECT value FROM json_each(?1))
      AND id NOT IN (SELECT value FROM json_each(?3))
    RETURNING id";

/// What a worker drives: with a shape only runs of that shape.
#[derive(Serialize)]
struct DriveRow<'a> {
    workflow: &'a str,
    shape: Option<Uuid>,
}

impl<'a> DriveRow<'a> {
    fn of(driven: &'a Driven) -> Self {
        Self { workflow: &driven.workflow, shape: driven.pinned.then_some(driven.shape) }
    }
}

/// Events that workers that are gone could not tell what to make of: another version may. Served by `indelible_blocked_by_worker`.
pub(super) const UNBLOCK: &str = "
    INSERT INTO indelible_deliveries (app, event_id, part)
    SELECT app, event_id, part FROM indelible_blocked
    WHERE worker IN (SELECT value FROM json_each(?1)) ORDER BY event_id";

/// Served by `indelible_blocked_by_worker`.
const FORGET_BLOCKED: &str = "
    DELETE FROM indelible_blocked WHERE worker IN (SELECT value FROM json_each(?1))";

/// Runs that workers that are gone could not go on with: another version may. Served by
/// `indelible_runs_held_by`.
pub(super) const TRY_HELD: &str = "
    SELECT id FROM indelible_runs
    WHERE held_by IN (SELECT value FROM json_each(?1)) AND status = ?2";

#[async_trait]
impl Leases for SqliteStore {
    async fn begin_lease(&self, worker: &Worker, _: Duration) -> Result<Instant, StoreError> {
        let life = self.lives.begin(worker.id).map_err(sqlx::Error::Io)?;
        let mut tx = self.write().await?;
        registry::complete(&mut tx, &worker.registration).await?;
        let asked = Instant::now();
        sqlx::query(JOIN)
            .bind(worker.id.to_string())
            .bind(&worker.app)
            .bind(&worker.host)
            .bind(worker.pid)
            .bind(micros(now()))
            .bind(batch(worker.drives.iter().map(DriveRow::of)))
            .bind(batch(worker.registration.parts()))
            .bind(batch(worker.registration.schedule_names()))
            .execute(&mut *tx)
            .await?;
        tx.commit(Stirred::nothing()).await?;
        life.keep();
        Ok(asked)
    }

    fn renewals(&self) -> Box<dyn Renewals> {
        let (file, options) = (self.file.clone(), self.readers.connect_options());
        Box::new(OwnConnection { file, options, connection: None })
    }

    async fn end_lease(&self, worker: WorkerId) -> Result<(), StoreError> {
        // Whatever comes of this, it drives nothing any more.
        self.lives.end(worker);
        let mut tx = self.write().await?;
        let gone = remove(&mut tx, &[worker]).await?;
        let stirred = bury(&mut tx, &gone).await?;
        let (_, released) = release(&mut tx, &gone, &[]).await?;
        tx.commit(stirred.and(released)).await
    }

    async fn forfeit_lease(&self, worker: WorkerId, judge: Judge<'_>) -> Result<(), StoreError> {
        self.lives.end(worker);
        let mut tx = self.write().await?;
        let gone = remove(&mut tx, &[worker]).await?;
        let (_, stirred) = inherit(&mut tx, &gone, judge).await?;
        tx.commit(stirred).await
    }

    async fn take_over_runs(&self, judge: Judge<'_>) -> Result<u64, StoreError> {
        let mut dead = workers::all(self.readers()?).await?;
        // None of these comes back to life.
        dead.retain(|worker| self.lives.is_dead(*worker));
        if dead.is_empty() {
            return Ok(0);
        }
        let mut tx = self.write().await?;
        let gone = remove(&mut tx, &dead).await?;
        let (runs, stirred) = inherit(&mut tx, &gone, judge).await?;
        tx.commit(stirred).await?;
        dead.into_iter().for_each(|worker| self.lives.end(worker));
        Ok(runs)
    }

    async fn claim_runs(&self, claim: Claim<'_>) -> Result<Claimed, StoreError> {
        claim::claim(self, claim).await
    }

    async fn cohorts(&self, app: &str) -> Result<Vec<u32>, StoreError> {
        Ok(sqlx::query_scalar(COHORTS).bind(app).fetch_all(self.readers()?).await?)
    }

    async fn disown_runs(&self, worker: WorkerId, driven: &[RunId]) -> Result<u64, StoreError> {
        let mut tx = self.write().await?;
        let (released, stirred) = release(&mut tx, &[worker.to_string()], driven).await?;
        tx.commit(stirred).await?;
        Ok(released)
    }
}

/// See [`Renewals`]. The lock is the lease, so this only reads, and readers wait for nobody: neither for
/// a transaction of this process that is blocked nor for one of another.
struct OwnConnection {
    file: Arc<DatabaseFile>,
    options: Arc<SqliteConnectOptions>,
    connection: Option<SqliteConnection>,
}

#[async_trait]
impl Renewals for OwnConnection {
    async fn renew(&mut self, worker: WorkerId, _: Duration) -> Result<(), StoreError> {
        self.file.check()?;
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => SqliteConnection::connect_with(&self.options).await?,
        };
        workers::hold(&mut connection, worker).await?;
        self.connection = Some(connection);
        Ok(())
    }
}

/// Removes workers; gives those that were there.
async fn remove(
    tx: &mut SqliteConnection,
    workers: &[WorkerId],
) -> Result<Vec<String>, StoreError> {
    Ok(sqlx::query_scalar(REMOVE).bind(batch(workers)).fetch_all(tx).await?)
}

/// Puts back what workers that are gone held; gives how many runs.
async fn inherit(
    tx: &mut SqliteConnection,
    gone: &[String],
    judge: Judge<'_>,
) -> Result<(u64, Stirred), StoreError> {
    let stirred = bury(tx, gone).await?;
    if gone.is_empty() {
        return Ok((0, stirred));
    }
    let rows = sqlx::query(ORPHANS).bind(batch(gone)).fetch_all(&mut *tx).await?;
    let orphans = rows.iter().map(Orphan::read).collect::<Result<Vec<_>, _>>()?;
    let standings = orphans.iter().zip(judge(&orphans));
    let rows = standings
        .map(|(orphan, Standing { take_overs, suspects })| (orphan.run, take_overs, suspects));
    let released: Vec<String> = sqlx::query_scalar(TAKE_OVER)
        .bind(batch(rows))
        .bind(RunStatus::Queued.name())
        .fetch_all(&mut *tx)
        .await?;
    runs::ready(tx, &released).await?;
    let released = released.len() as u64;
    Ok((released, stirred.and(Stirred::here(Work::READY).if_any(released))))
}

/// Lets others look at what workers that are gone could not tell what to make of or go on with, and at
/// what these looked after.
async fn bury(tx: &mut SqliteConnection, gone: &[String]) -> Result<Stirred, StoreError> {
    if gone.is_empty() {
        return Ok(Stirred::nothing());
    }
    let gone = batch(gone);
    let freed = sqlx::query(UNBLOCK).bind(&gone).execute(&mut *tx).await?;
    sqlx::query(FORGET_BLOCKED).bind(&gone).execute(&mut *tx).await?;
    let held: Vec<String> = sqlx::query_scalar(TRY_HELD)
        .bind(&gone)
        .bind(RunStatus::Held.name())
        .fetch_all(&mut *tx)
        .await?;
    let tried = runs::ready(tx, &held).await?;
    let freed = Stirred::here(Work::DELIVERIES).if_any(freed.rows_affected());
    let tried = Stirred::here(Work::READY).if_any(tried);
    Ok(freed.and(tried).and(Stirred::here(Work::GONE)))
}

/// Puts what workers held back to be claimed, but for some runs.
async fn release(
    tx: &mut SqliteConnection,
    workers: &[String],
    kept: &[RunId],
) -> Result<(u64, Stirred), StoreError> {
    if workers.is_empty() {
        return Ok((0, Stirred::nothing()));
    }
    let released: Vec<String> = sqlx::query_scalar(RELEASE)
        .bind(batch(workers))
        .bind(RunStatus::Queued.name())
        .bind(batch(kept))
        .fetch_all(&mut *tx)
        .await?;
    runs::ready(tx, &released).await?;
    let released = released.len() as u64;
    Ok((released, Stirred::here(Work::READY).if_any(released)))
}
