use std::time::Duration;

use sqlx::Row as _;

use super::database::SqliteStore;
use super::runs;
use super::value::{Columns as _, batch, micros, now};
use crate::store::{DueSchedule, Promoted, Schedule, StoreError, Timetable};

/// The schedules of this program that are due. Served by the primary key.
const DUE: &str = "
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
const NEXT: &str = "
    SELECT min(schedule.due_at)
    FROM json_each(?2) own JOIN indelible_schedules schedule
        ON schedule.app = ?1 AND schedule.workflow = own.value ->> 0
           AND schedule.rule = own.value ->> 1";

pub(super) async fn fire(
    store: &SqliteStore,
    app: &str,
    schedules: &[Schedule],
    timetable: Timetable<'_>,
) -> Result<Promoted, StoreError> {
    let own = batch(schedules.iter().map(|schedule| (&schedule.workflow, &schedule.rule)));
    let mut tx = store.write().await?;
    let now = now();
    let rows = sqlx::query(DUE).bind(app).bind(&own).bind(micros(now)).fetch_all(&mut *tx).await?;
    let (mut started, mut moved) = (Vec::new(), Vec::new());
    for row in &rows {
        let due = DueSchedule {
            workflow: row.try_get("workflow")?,
            rule: row.try_get("rule")?,
            due: row.time_or_null("due_at")?,
            last: row.time_or_null("last_at")?,
            now,
        };
        let firing = timetable(&due);
        moved.push((due.workflow, due.rule, micros(firing.next), firing.last().map(micros)));
        started.extend(firing.runs);
    }
    let stirred = runs::insert(&mut tx, app, started.iter().map(|run| (run, now))).await?;
    if !moved.is_empty() {
        sqlx::query(MOVE_ON).bind(app).bind(batch(moved)).execute(&mut *tx).await?;
    }
    let next: Option<i64> =
        sqlx::query_scalar(NEXT).bind(app).bind(&own).fetch_one(&mut *tx).await?;
    tx.commit(stirred).await?;
    let wait =
        |due: i64| Duration::from_micros(due.saturating_sub(micros(now)).max(0).unsigned_abs());
    Ok(Promoted { runs: started.len(), next: next.map(wait), late: None })
}
