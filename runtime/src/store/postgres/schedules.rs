use std::time::Duration;

use jiff::Timestamp;
use sqlx::{PgConnection, PgPool, Row as _};

use super::connect::{BEGIN, begin};
use super::runs;
use super::value::{Columns as _, Time};
use crate::store::{DueSchedule, Promoted, Schedule, StoreError, Timetable};

/// The schedules of this program that are due and that nobody else fires at this moment. An app has
/// few: its rows are found by the primary key.
const DUE: &str = "
    SELECT schedule.workflow, schedule.due_at, schedule.last_at, now() AS at
    FROM indelible.schedules schedule
    JOIN unnest($2::text[], $3::text[]) AS own (workflow, rule)
        ON own.workflow = schedule.workflow AND own.rule = schedule.rule
    WHERE schedule.app = $1 AND (schedule.due_at IS NULL OR schedule.due_at <= now())
    ORDER BY schedule.workflow
    FOR UPDATE OF schedule SKIP LOCKED";

/// Served by the primary key.
const MOVE_ON: &str = "
    UPDATE indelible.schedules schedule
    SET due_at = moved.due_at, last_at = coalesce(moved.last_at, schedule.last_at)
    FROM unnest($2::text[], $3::timestamptz[], $4::timestamptz[])
        AS moved (workflow, due_at, last_at)
    WHERE schedule.app = $1 AND schedule.workflow = moved.workflow";

/// Served by the primary key.
const NEXT: &str = "
    SELECT extract(epoch FROM min(due_at) - clock_timestamp())::float8
    FROM indelible.schedules WHERE app = $1";

pub(super) async fn fire(
    pool: &PgPool,
    app: &str,
    schedules: &[Schedule],
    timetable: Timetable<'_>,
) -> Result<Promoted, StoreError> {
    let (workflows, rules): (Vec<&str>, Vec<&str>) =
        schedules.iter().map(|schedule| (&*schedule.workflow, &*schedule.rule)).unzip();
    let mut tx = begin(pool, BEGIN).await?;
    let rows = sqlx::query(DUE).bind(app).bind(workflows).bind(rules).fetch_all(&mut *tx).await?;
    let mut started = Vec::new();
    let mut moved = Moved::default();
    for row in &rows {
        let due = DueSchedule {
            workflow: row.try_get("workflow")?,
            due: row.time_or_null("due_at")?,
            last: row.time_or_null("last_at")?,
            now: row.time("at")?,
        };
        let firing = timetable(&due);
        moved.push(due.workflow, firing.next, firing.last());
        started.extend(firing.runs.into_iter().map(|run| (run, Time(due.now))));
    }
    runs::insert(&mut tx, app, &started).await?;
    moved.write(&mut tx, app).await?;
    let next: Option<f64> = sqlx::query_scalar(NEXT).bind(app).fetch_one(&mut *tx).await?;
    tx.commit().await?;
    let next = next.map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default());
    Ok(Promoted { runs: started.len(), next })
}

#[derive(Default)]
struct Moved {
    workflows: Vec<String>,
    due: Vec<Time>,
    last: Vec<Option<Time>>,
}

impl Moved {
    fn push(&mut self, workflow: String, due: Timestamp, last: Option<Timestamp>) {
        self.workflows.push(workflow);
        self.due.push(Time(due));
        self.last.push(last.map(Time));
    }

    async fn write(self, connection: &mut PgConnection, app: &str) -> Result<(), StoreError> {
        if !self.workflows.is_empty() {
            sqlx::query(MOVE_ON)
                .bind(app)
                .bind(self.workflows)
                .bind(self.due)
                .bind(self.last)
                .execute(connection)
                .await?;
        }
        Ok(())
    }
}
