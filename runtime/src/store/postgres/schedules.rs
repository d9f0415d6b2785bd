use std::time::Duration;

use sqlx::Row as _;

use super::database::{Database, Link};
use super::register::columns;
use super::runs;
use super::value::{Columns as _, Time};
use crate::store::{DueSchedule, Firing, Promoted, Schedule, StoreError, Timetable};

/// The schedules of this program that are due and that nobody else fires at this moment. Served by the
/// primary key.
const DUE: &str = "
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
const NEXT: &str = "
    SELECT extract(epoch FROM min(schedule.due_at) - clock_timestamp())::float8
    FROM indelible.schedules schedule
    JOIN unnest($2::text[], $3::text[]) AS own (workflow, rule)
        ON own.workflow = schedule.workflow AND own.rule = schedule.rule
    WHERE schedule.app = $1";

pub(super) async fn fire(
    database: &Database,
    app: &str,
    schedules: &[Schedule],
    timetable: Timetable<'_>,
) -> Result<Promoted, StoreError> {
    let (workflows, rules) = columns(schedules);
    let mut tx = database.begin().await?;
    let rows = sqlx::query(DUE).bind(app).bind(&workflows).bind(&rules).fetch_all(&mut *tx).await?;
    let mut started = Vec::new();
    let mut moved = Moved::default();
    for row in &rows {
        let due = DueSchedule {
            workflow: row.try_get("workflow")?,
            rule: row.try_get("rule")?,
            due: row.time_or_null("due_at")?,
            last: row.time_or_null("last_at")?,
            now: row.time("at")?,
        };
        let firing = timetable(&due);
        moved.push(&due, &firing);
        started.extend(firing.runs.into_iter().map(|run| (run, Time(due.now))));
    }
    let stirred = runs::insert(&mut tx, app, &started).await?;
    moved.write(&mut tx, app).await?;
    let next: Option<f64> =
        sqlx::query_scalar(NEXT).bind(app).bind(workflows).bind(rules).fetch_one(&mut *tx).await?;
    tx.commit(stirred).await?;
    let next = next.map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default());
    Ok(Promoted { runs: started.len(), next, late: None })
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
