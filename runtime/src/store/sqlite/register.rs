use super::SqliteStore;
use super::value::{batch, micros, now};
use crate::store::{Registration, RunStatus, StoreError, Stranded};

/// What this program does not want another version of it may, while one is alive.
const UNSUBSCRIBE: &str = "
    DELETE FROM indelible_subscriptions
    WHERE app = ?1 AND NOT EXISTS (
        SELECT 1 FROM indelible_workers WHERE app = ?1 AND expires_at > ?2
    )";

const SUBSCRIBE: &str = "
    INSERT INTO indelible_subscriptions (event_name, app)
    SELECT DISTINCT value, ?1 FROM json_each(?2) WHERE true
    ON CONFLICT DO NOTHING";

const FORGET_WORKFLOWS: &str = "
    DELETE FROM indelible_workflows
    WHERE app = ?1 AND id NOT IN (SELECT value FROM json_each(?2))";

const INSERT_WORKFLOWS: &str = "
    INSERT INTO indelible_workflows (app, id, registered_at)
    SELECT DISTINCT ?1, value, ?3 FROM json_each(?2) WHERE true
    ON CONFLICT DO NOTHING";

/// Served by `indelible_runs_by_status`.
const STRANDED: &str = "
    SELECT workflow, count(*) FROM indelible_runs
    WHERE app = ?1 AND status IN (SELECT value FROM json_each(?2))
      AND workflow NOT IN (SELECT value FROM json_each(?3))
    GROUP BY workflow ORDER BY workflow";

/// Runs that an earlier program could not go on with: this one may. Served by
/// `indelible_runs_by_status`.
const TRY_HELD: &str = "
    INSERT INTO indelible_ready (run_id, app, workflow, rank)
    SELECT id, app, workflow, rank FROM indelible_runs
    WHERE app = ?1 AND status = ?2 AND workflow IN (SELECT value FROM json_each(?3))
    ON CONFLICT DO NOTHING";

/// Events that an earlier program could not tell what to make of: this one may. Served by the primary
/// key of blocked.
const UNBLOCK: &str = "
    INSERT INTO indelible_deliveries (app, event_id, workflow)
    SELECT app, event_id, workflow FROM indelible_blocked
    WHERE app = ?1 AND workflow IN (SELECT value FROM json_each(?2))
    ORDER BY event_id";

/// Served by the primary key.
const FORGET_BLOCKED: &str = "
    DELETE FROM indelible_blocked
    WHERE app = ?1 AND workflow IN (SELECT value FROM json_each(?2))";

const FORGET_SCHEDULES: &str = "
    DELETE FROM indelible_schedules
    WHERE app = ?1 AND workflow NOT IN (SELECT value ->> 0 FROM json_each(?2))";

/// A schedule whose rule has changed begins anew.
const SCHEDULE: &str = "
    INSERT INTO indelible_schedules (app, workflow, rule)
    SELECT ?1, value ->> 0, value ->> 1 FROM json_each(?2) WHERE true
    ON CONFLICT (app, workflow) DO UPDATE SET rule = excluded.rule, due_at = NULL
    WHERE rule <> excluded.rule";

pub(super) async fn register(
    store: &SqliteStore,
    registration: &Registration,
) -> Result<Vec<Stranded>, StoreError> {
    let Registration { app, workflows, subscriptions, schedules } = registration;
    let schedules = batch(schedules.iter().map(|schedule| (&schedule.workflow, &schedule.rule)));
    let mut tx = store.write().await?;
    sqlx::query(UNSUBSCRIBE).bind(app).bind(micros(now())).execute(&mut *tx).await?;
    sqlx::query(SUBSCRIBE).bind(app).bind(batch(subscriptions)).execute(&mut *tx).await?;
    sqlx::query(FORGET_WORKFLOWS).bind(app).bind(batch(workflows)).execute(&mut *tx).await?;
    sqlx::query(INSERT_WORKFLOWS)
        .bind(app)
        .bind(batch(workflows))
        .bind(micros(now()))
        .execute(&mut *tx)
        .await?;
    for statement in [UNBLOCK, FORGET_BLOCKED] {
        sqlx::query(statement).bind(app).bind(batch(workflows)).execute(&mut *tx).await?;
    }
    for statement in [FORGET_SCHEDULES, SCHEDULE] {
        sqlx::query(statement).bind(app).bind(&schedules).execute(&mut *tx).await?;
    }
    let stranded: Vec<(String, i64)> = sqlx::query_as(STRANDED)
        .bind(app)
        .bind(batch(RunStatus::unfinished()))
        .bind(batch(workflows))
        .fetch_all(&mut *tx)
        .await?;
    sqlx::query(TRY_HELD)
        .bind(app)
        .bind(RunStatus::Held.name())
        .bind(batch(workflows))
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(stranded
        .into_iter()
        .map(|(workflow, runs)| Stranded { workflow, runs: runs.unsigned_abs() })
        .collect())
}
