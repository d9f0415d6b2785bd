use std::time::Duration;

use async_trait::async_trait;

use super::database::SqliteStore;
use super::value::{batch, micros, now};
use super::{batches, later, opener, runs, sweep, unsettled};
use crate::store::hints::{Stirred, Work};
use crate::store::{
    Accepted, Deliveries, DueSchedule, Readied, Router, RunStatus, Schedule, StoreError, Terms,
    Timetable, Upkeep,
};

/// Served by `indelible_timers_by_time`.
const DUE: &str = "
    SELECT run_id, due_at FROM indelible_timers
    WHERE due_at <= ?1 ORDER BY due_at, run_id LIMIT ?2";

/// Served by the primary key.
const REMOVE: &str = "
    DELETE FROM indelible_timers WHERE run_id IN (SELECT value FROM json_each(?1))";

/// Served by the primary key. A message may have made a run ready before its timer.
const QUEUE: &str = "
    UPDATE indelible_runs SET status = ?2
    WHERE id IN (SELECT value FROM json_each(?1)) AND status = ?3
    RETURNING id";

/// Served by `indelible_timers_by_time`.
const NEXT: &str = "SELECT min(due_at) FROM indelible_timers";

/// The schedules of this program that are due. Served by the primary key.
const DUE_SCHEDULES: &str = "
    SELECT schedule.workflow, schedule.rule, schedule.due_at, schedule.last_at
    FROM json_each(?2) own JOIN indelible_schedules schedule
        ON schedule.app = ?1 AND schedule.workflow = own.value ->> 0
           AND schedule.rule = own.value ->> 1
    WHERE schedule.due_at IS NULL OR schedule.due_at <= ?3
    ORDER BY schedule.workflow, schedule.rule";

/// Served by the primary key.
const MOVE_ON: &str = "
    UPDATE indelible_schedules
    SET due_at = moved.value ->> 2, last_at = coalesce(moved.value ->> 3, last_at)
    FROM json_each(?2) moved
    WHERE app = ?1 AND workflow = moved.value ->> 0 AND rule = moved.value ->> 1";

/// Served by the primary key.
const NEXT_SCHEDULE: &str = "
    SELECT min(schedule.due_at)
    FROM json_each(?2) own JOIN indelible_schedules schedule
        ON schedule.app = ?1 AND schedule.workflow = own.value ->> 0
           AND schedule.rule = own.value ->> 1";

/// Served by the primary key.
const SCHEDULES: &str = "
    SELECT own.value ->> 0 AS workflow, own.value ->> 1 AS rule, schedule.due_at, schedule.last_at
    FROM json_each(?2) own LEFT JOIN indelible_schedules schedule
        ON schedule.app = ?1 AND schedule.workflow = own.value ->> 0
           AND schedule.rule = own.value ->> 1
    ORDER BY 1";

#[async_trait]
impl Upkeep for SqliteStore {
    async fn wake_due(&self, limit: usize) -> Result<Readied, StoreError> {
        let mut tx = self.write().await?;
        let now = micros(now());
        let due: Vec<(String, i64)> =
            sqlx::query_as(DUE).bind(now).bind(limit as i64).fetch_all(&mut *tx).await?;
        let mut queued = Vec::new();
        if !due.is_empty() {
            let due = batch(due.iter().map(|(run, _)| run));
            sqlx::query(REMOVE).bind(&due).execute(&mut *tx).await?;
            queued = sqlx::query_scalar(QUEUE)
                .bind(&due)
                .bind(RunStatus::Queued.name())
                .bind(RunStatus::Waiting.name())
                .fetch_all(&mut *tx)
                .await?;
            runs::ready(&mut tx, &queued).await?;
        }
        let next: Option<i64> = sqlx::query_scalar(NEXT).fetch_one(&mut *tx).await?;
        tx.commit(Stirred::here(Work::READY).if_any(queued.len() as u64)).await?;
        let between = |from: i64, to: i64| {
            Duration::from_micros(to.saturating_sub(from).max(0).unsigned_abs())
        };
        let late = due.first().map(|(_, due)| between(*due, now));
        let next = next.map(|next| between(now, next));
        Ok(Readied { runs: queued.len(), next, late })
    }

    async fn accept_due(&self, limit: usize) -> Result<Accepted, StoreError> {
        later::accept_due(self, limit).await
    }

    async fn open_gates(&self, app: &str) -> Result<Readied, StoreError> {
        opener::open(self, app).await
    }

    async fn settle_runs(
        &self,
        app: &str,
        workflows: &[String],
        terms: &dyn Terms,
    ) -> Result<usize, StoreError> {
        unsettled::settle(self, app, workflows, terms).await
    }

    async fn fire_schedules(
        &self,
        app: &str,
        schedules: &[Schedule],
        timetable: Timetable<'_>,
    ) -> Result<Readied, StoreError> {
        let own = batch(schedules.iter().map(|schedule| (&schedule.workflow, &schedule.rule)));
        let mut tx = self.write().await?;
        let now = now();
        let rows = sqlx::query(DUE_SCHEDULES)
            .bind(app)
            .bind(&own)
            .bind(micros(now))
            .fetch_all(&mut *tx)
            .await?;
        let (mut started, mut moved) = (Vec::new(), Vec::new());
        for row in &rows {
            let due = DueSchedule::read(row, now)?;
            let firing = timetable(&due);
            moved.push((due.workflow, due.rule, micros(firing.next), firing.last().map(micros)));
            started.extend(firing.runs);
        }
        let stirred = runs::insert(&mut tx, app, started.iter().map(|run| (run, now))).await?;
        if !moved.is_empty() {
            sqlx::query(MOVE_ON).bind(app).bind(batch(moved)).execute(&mut *tx).await?;
        }
        let next: Option<i64> =
            sqlx::query_scalar(NEXT_SCHEDULE).bind(app).bind(&own).fetch_one(&mut *tx).await?;
        tx.commit(stirred).await?;
        let wait =
            |due: i64| Duration::from_micros(due.saturating_sub(micros(now)).max(0).unsigned_abs());
        Ok(Readied { runs: started.len(), next: next.map(wait), late: None })
    }

    async fn schedules(
        &self,
        app: &str,
        schedules: &[Schedule],
    ) -> Result<Vec<DueSchedule>, StoreError> {
        let own = batch(schedules.iter().map(|schedule| (&schedule.workflow, &schedule.rule)));
        let rows = sqlx::query(SCHEDULES).bind(app).bind(own).fetch_all(self.readers()?).await?;
        let now = now();
        rows.iter().map(|row| DueSchedule::read(row, now)).collect()
    }

    async fn complete_batches(
        &self,
        deliveries: Deliveries<'_>,
        router: Router<'_>,
    ) -> Result<Readied, StoreError> {
        batches::complete(self, deliveries, router).await
    }

    async fn sweep(&self, app: &str) -> Result<bool, StoreError> {
        sweep::sweep(self, app).await
    }
}
