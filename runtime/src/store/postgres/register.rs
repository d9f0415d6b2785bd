use sqlx::PgPool;

use super::connect::{BEGIN, begin};
use crate::store::{Registration, RunStatus, StoreError, Stranded};

/// Makes processes of one app that start at once take turns, until the end of the transaction.
const TAKE_TURNS: &str =
    "SELECT pg_advisory_xact_lock(hashtext('indelible.register'), hashtext($1))";

/// What this program does not want another version of it may, while one is alive.
const UNSUBSCRIBE: &str = "
    DELETE FROM indelible.subscriptions
    WHERE app = $1 AND event_name <> ALL ($2) AND NOT EXISTS (
        SELECT FROM indelible.workers WHERE app = $1 AND expires_at > now()
    )";

const SUBSCRIBE: &str = "
    INSERT INTO indelible.subscriptions (event_name, app)
    SELECT event_name, $1 FROM unnest($2::text[]) AS name (event_name)
    ON CONFLICT DO NOTHING";

const FORGET_WORKFLOWS: &str = "
    DELETE FROM indelible.workflows WHERE app = $1 AND id <> ALL ($2)";

const INSERT_WORKFLOWS: &str = "
    INSERT INTO indelible.workflows (app, id)
    SELECT $1, id FROM unnest($2::text[]) AS workflow (id)
    ON CONFLICT DO NOTHING";

/// Served by `runs_by_status`.
const STRANDED: &str = "
    SELECT workflow, count(*) FROM indelible.runs
    WHERE app = $1 AND status = ANY ($2) AND workflow <> ALL ($3)
    GROUP BY workflow ORDER BY workflow";

/// Runs that an earlier program could not go on with: this one may. Served by `runs_by_status`.
const TRY_HELD: &str = "
    INSERT INTO indelible.ready (run_id, app, workflow, rank)
    SELECT id, app, workflow, rank FROM indelible.runs
    WHERE app = $1 AND status = $2 AND workflow = ANY ($3)
    ON CONFLICT DO NOTHING";

/// Events that an earlier program could not tell what to make of: this one may. Served by the primary
/// key of blocked.
const UNBLOCK: &str = "
    WITH freed AS (
        DELETE FROM indelible.blocked WHERE app = $1 AND workflow = ANY ($2)
        RETURNING event_id, workflow
    )
    INSERT INTO indelible.deliveries (app, event_id, workflow)
    SELECT $1, event_id, workflow FROM freed ORDER BY event_id";

const FORGET_SCHEDULES: &str = "
    DELETE FROM indelible.schedules WHERE app = $1 AND workflow <> ALL ($2)";

/// A schedule whose rule has changed begins anew.
const SCHEDULE: &str = "
    INSERT INTO indelible.schedules AS known (app, workflow, rule)
    SELECT $1, workflow, rule
    FROM unnest($2::text[], $3::text[]) AS schedule (workflow, rule)
    ON CONFLICT (app, workflow) DO UPDATE SET rule = excluded.rule, due_at = NULL
    WHERE known.rule <> excluded.rule";

pub(super) async fn register(
    pool: &PgPool,
    registration: &Registration,
) -> Result<Vec<Stranded>, StoreError> {
    let Registration { app, workflows, subscriptions, schedules } = registration;
    let (scheduled, rules): (Vec<&str>, Vec<&str>) =
        schedules.iter().map(|schedule| (&*schedule.workflow, &*schedule.rule)).unzip();
    let unfinished: Vec<&str> = RunStatus::unfinished().collect();
    let mut tx = begin(pool, BEGIN).await?;
    sqlx::query(TAKE_TURNS).bind(app).execute(&mut *tx).await?;
    for statement in [UNSUBSCRIBE, SUBSCRIBE] {
        sqlx::query(statement).bind(app).bind(subscriptions).execute(&mut *tx).await?;
    }
    for statement in [FORGET_WORKFLOWS, INSERT_WORKFLOWS, UNBLOCK] {
        sqlx::query(statement).bind(app).bind(workflows).execute(&mut *tx).await?;
    }
    sqlx::query(FORGET_SCHEDULES).bind(app).bind(&scheduled).execute(&mut *tx).await?;
    sqlx::query(SCHEDULE).bind(app).bind(scheduled).bind(rules).execute(&mut *tx).await?;
    let stranded: Vec<(String, i64)> = sqlx::query_as(STRANDED)
        .bind(app)
        .bind(unfinished)
        .bind(workflows)
        .fetch_all(&mut *tx)
        .await?;
    sqlx::query(TRY_HELD)
        .bind(app)
        .bind(RunStatus::Held.name())
        .bind(workflows)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(stranded
        .into_iter()
        .map(|(workflow, runs)| Stranded { workflow, runs: runs.unsigned_abs() })
        .collect())
}
