use std::time::Duration;

use super::database::Database;
use super::inbox::{self, Broom};
use super::queue::released;
use super::waits::{self, OVERDUE};
use crate::store::hints::{Stirred, Work};
use crate::store::{Promoted, RunStatus, StoreError};

/// Served by `timers_by_time` and the primary key of runs, and `waits_unlooked`. Nobody holds a
/// parked run, and whoever removes its timer may write it, unless a message was first. Gives how late
/// the first of them is. The next timer is the first that this leaves behind.
pub(super) const PROMOTE: &str = concat!(
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
    SELECT (SELECT count(*) FROM queued), ARRAY(SELECT DISTINCT app FROM queued), (
        SELECT extract(epoch FROM now() - min(due_at))::float8 FROM due
    ), (
        SELECT extract(epoch FROM due_at - now())::float8 FROM indelible.timers
        ORDER BY due_at, run_id OFFSET (SELECT count(*) FROM due) LIMIT 1
    ), EXISTS (
        SELECT 1 FROM indelible.waits
        WHERE NOT looked AND made_at <= now() - $4 * interval '1 second'
    )"
);

pub(super) async fn promote(
    database: &Database,
    broom: &Broom,
    limit: usize,
) -> Result<Promoted, StoreError> {
    let mut connection = database.acquire().await?;
    type Row = (i64, Vec<String>, Option<f64>, Option<f64>, bool);
    let (queued, apps, late, next, unlooked): Row = sqlx::query_as(PROMOTE)
        .bind(limit as i64)
        .bind(RunStatus::Queued.name())
        .bind(RunStatus::Waiting.name())
        .bind(OVERDUE.as_secs_f64())
        .fetch_one(&mut connection)
        .await?;
    database.committed(Stirred::each(&apps, Work::READY));
    let mut runs = queued.unsigned_abs() as usize;
    let mut made_good = vec![inbox::sweep(&mut connection, broom).await?];
    if unlooked {
        let told = waits::look_late(&mut connection, limit).await?;
        made_good.push(inbox::rouse(&mut connection, &told, &[]).await?);
    }
    for roused in made_good {
        runs += roused.ready;
        database.committed(roused.stirred);
    }
    let duration = |seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default();
    let (next, late) = (next.map(duration), late.map(duration));
    Ok(Promoted { runs, next, late })
}
