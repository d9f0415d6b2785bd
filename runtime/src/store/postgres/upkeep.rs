use std::time::Duration;

use async_trait::async_trait;

use super::database::{Link, again};
use super::inbox;
use super::queue::released;
use super::registry::columns;
use super::value::Time;
use super::waits::{self, OVERDUE};
use super::{PostgresStore, batches, gates, later, runs, sweep, unsettled};
use crate::flow::Firing;
use crate::store::hints::{Stirred, Work};
use crate::store::read::Columns as _;
use crate::store::{
    Accepted, Deliveries, DueSchedule, Readied, Router, RunStatus, Schedule, StoreError, Terms,
    Timetable, Upkeep,
};

/// Served by `timers_by_time` and the primary key of runs, and `waits_unlooked`. Nobody holds a
/// parked run, and whoever removes its timer may write it, unless a message was first. Gives how late
/// the first of them is. The next timer is the first that this leaves behind.
pub(super) const WAKE: &str = concat!(
    "
    WITH due AS MATERIALIZED (
        SELECT run_id, due_at FROM indelible.timers
        WHERE due_at <= now() ORDER BY due_at, run_id LIMIT $1
        FOR UPDATE SKIP LOCKED
    ),
    fired AS (
        DELETE FROM indelible.timers timer USING due WHERE timer.run_id = due.run_id
        RETURNING timer.run_id
    ),
    queued AS (
        UPDATE indelible.runs run SET status = $2
        FROM fired WHERE run.id = fired.run_id AND run.status = $3
        RETURNING run.id, run.app, run.workflow, run.rank, run.suspects, run.gated
    ),
    ",
    released!("queued"),
    "
    SELECT (SELECT count(*) FROM queued), ARRAY(SELECT DISTINCT app FROM queued WHERE NOT gated),
        ARRAY(SELECT DISTINCT app FROM queued WHERE gated), (
        SELECT extract(epoch FROM now() - min(due_at))::float8 FROM due
    ), (
        SELECT extract(epoch FROM due_at - now())::float8 FROM indelible.timers
        WHERE due_at < 'infinity' ORDER BY due_at, run_id OFFSET (SELECT count(*) FROM due) LIMIT 1
    ), EXISTS (
        SELECT 1 FROM indelible.waits
        WHERE NOT looked AND made_at <= now() - $4 * interval '1 second'
    )"
);

/// The schedules of this program that are due and that nobody else fires at this moment. Served by the
/// primary key.
const DUE_SCHEDULES: &str = "
    SELECT schedule.workflow, schedule.rule, schedule.due_at, schedule.last_at, now() AS at
    FROM indelible.schedules schedule
    JOIN unnest($2::text[], $3::text[]) AS own (workflow, rule)
        ON own.workflow = schedule.workflow AND own.rule = schedule.rule
    WHERE schedule.app = $1 AND (schedule.due_at IS NULL OR schedule.due_at <= now())
    ORDER BY schedule.workflow, schedule.rule
    FOR UPDATE OF schedule SKIP LOCKED";

/// Served by the primary key.
const MOVE_ON: &str = "
    UPDATE indelible.schedules schedule
    SET due_at = moved.due_at, last_at = coalesce(moved.last_at, schedule.last_at)
    FROM unnest($2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[])
        AS moved (workflow, rule, due_at, last_at)
    WHERE schedule.app = $1 AND schedule.workflow = moved.workflow
      AND schedule.rule = moved.rule";

/// Served by the primary key.
const NEXT_SCHEDULE: &str = "
    SELECT extract(epoch FROM min(schedule.due_at) - clock_timestamp())::float8
    FROM indelible.schedules schedule
    JOIN unnest($2::text[], $3::text[]) AS own (workflow, rule)
        ON own.workflow = schedule.workflow AND own.rule = schedule.rule
    WHERE schedule.app = $1";

/// Served by the primary key.
const SCHEDULES: &str = "
    SELECT own.workflow, own.rule, schedule.due_at, schedule.last_at, now() AS at
    FROM unnest($2::text[], $3::text[]) AS own (workflow, rule)
    LEFT JOIN indelible.schedules schedule
        ON schedule.app = $1 AND schedule.workflow = own.workflow AND schedule.rule = own.rule
    ORDER BY own.workflow";

#[async_trait]
impl Upkeep for PostgresStore {
    async fn wake_due(&self, limit: usize) -> Result<Readied, StoreError> {
        again(|| async {
            let mut connection = self.database.acquire().await?;
            type Row = (i64, Vec<String>, Vec<String>, Option<f64>, Option<f64>, bool);
            let (queued, ready, gated, late, next, unlooked): Row = sqlx::query_as(WAKE)
                .bind(limit as i64)
                .bind(RunStatus::Queued.name())
                .bind(RunStatus::Waiting.name())
                .bind(OVERDUE.as_secs_f64())
                .fetch_one(&mut connection)
                .await?;
            let stirred = Stirred::each(&ready, Work::READY);
            self.database.committed(stirred.and(Stirred::each(&gated, Work::GATES)));
            let mut runs = queued.unsigned_abs() as usize;
            let mut made_good = vec![inbox::sweep(&mut connection, &self.broom).await?];
            if unlooked {
                let told = waits::look_late(&mut connection, limit).await?;
                made_good.push(inbox::rouse(&mut connection, &told, &[]).await?);
            }
            for roused in made_good {
                runs += roused.ready;
                self.database.committed(roused.stirred);
            }
            let duration = |seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default();
            let (next, late) = (next.map(duration), late.map(duration));
            Ok(Readied { runs, next, late })
        })
        .await
    }

    async fn accept_due(&self, limit: usize) -> Result<Accepted, StoreError> {
        again(|| later::accept_due(&self.database, &self.unheard, limit)).await
    }

    async fn open_gates(&self, app: &str) -> Result<Readied, StoreError> {
        again(|| gates::open(&self.database, app)).await
    }

    async fn settle_runs(
        &self,
        app: &str,
        workflows: &[String],
        terms: &dyn Terms,
    ) -> Result<usize, StoreError> {
        again(|| unsettled::settle(&self.database, app, workflows, terms)).await
    }

    async fn fire_schedules(
        &self,
        app: &str,
        schedules: &[Schedule],
        timetable: Timetable<'_>,
    ) -> Result<Readied, StoreError> {
        again(|| async {
            let (workflows, rules) = columns(schedules);
            let mut tx = self.database.begin().await?;
            let rows = sqlx::query(DUE_SCHEDULES)
                .bind(app)
                .bind(&workflows)
                .bind(&rules)
                .fetch_all(&mut *tx)
                .await?;
            let mut started = Vec::new();
            let mut moved = Moved::default();
            for row in &rows {
                let due = DueSchedule::read(row, row.time("at")?)?;
                let firing = timetable(&due);
                moved.push(&due, &firing);
                started.extend(firing.runs.into_iter().map(|run| (run, Time(due.now))));
            }
            let stirred = runs::insert(&mut tx, app, &started).await?;
            moved.write(&mut tx, app).await?;
            let next: Option<f64> = sqlx::query_scalar(NEXT_SCHEDULE)
                .bind(app)
                .bind(workflows)
                .bind(rules)
                .fetch_one(&mut *tx)
                .await?;
            tx.commit(stirred).await?;
            let next = next.map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default());
            Ok(Readied { runs: started.len(), next, late: None })
        })
        .await
    }

    async fn schedules(
        &self,
        app: &str,
        schedules: &[Schedule],
    ) -> Result<Vec<DueSchedule>, StoreError> {
        let (workflows, rules) = columns(schedules);
        let rows = sqlx::query(SCHEDULES)
            .bind(app)
            .bind(workflows)
            .bind(rules)
            .fetch_all(&mut self.database.acquire().await?)
            .await?;
        rows.iter().map(|row| DueSchedule::read(row, row.time("at")?)).collect()
    }

    async fn complete_batches(
        &self,
        deliveries: Deliveries<'_>,
        router: Router<'_>,
    ) -> Result<Readied, StoreError> {
        again(|| batches::complete(&self.database, deliveries, router)).await
    }

    async fn sweep(&self, app: &str) -> Result<bool, StoreError> {
        again(|| sweep::sweep(&self.database, app)).await
    }
}

#[derive(Default)]
struct Moved {
    workflows: Vec<String>,
    rules: Vec<String>,
    due: Vec<Time>,
    last: Vec<Option<Time>>,
}

impl Moved {
    fn push(&mut self, due: &DueSchedule, firing: &Firing) {
        self.workflows.push(due.workflow.clone());
        self.rules.push(due.rule.clone());
        self.due.push(Time(firing.next));
        self.last.push(firing.last().map(Time));
    }

    async fn write(self, connection: &mut Link, app: &str) -> Result<(), StoreError> {
        if !self.workflows.is_empty() {
            sqlx::query(MOVE_ON)
                .bind(app)
                .bind(self.workflows)
                .bind(self.rules)
                .bind(self.due)
                .bind(self.last)
                .execute(connection)
                .await?;
        }
        Ok(())
    }
}
