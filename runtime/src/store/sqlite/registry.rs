use async_trait::async_trait;
use sqlx::sqlite::SqliteConnection;

use super::database::SqliteStore;
use super::value::{batch, micros, now};
use super::{limits, runs, workers};
use crate::store::gated::AllowanceColumns;
use crate::store::hints::{Stirred, Work};
use crate::store::{
    EventSchema, Recorded, Registration, Registry, RunStatus, StoreError, Stranded, StrandedRuns,
};
use crate::workflow::Declared;

/// Deliveries of what [`UNSUBSCRIBE`] is about to remove.
const FORGET_DELIVERIES: &str = "
    DELETE FROM indelible_deliveries
    WHERE app = ?1 AND part NOT IN (SELECT value FROM json_each(?2))
      AND part NOT IN (
        SELECT part.value FROM indelible_workers worker, json_each(worker.parts) part
        WHERE worker.app = ?1 AND worker.id IN (SELECT value FROM json_each(?3))
    )";

/// What this program does not want, nor another version of it that is alive.
const UNSUBSCRIBE: &str = "
    DELETE FROM indelible_subscriptions
    WHERE app = ?1 AND part NOT IN (SELECT value FROM json_each(?2))
      AND part NOT IN (
        SELECT part.value FROM indelible_workers worker, json_each(worker.parts) part
        WHERE worker.app = ?1 AND worker.id IN (SELECT value FROM json_each(?3))
    )";

const SUBSCRIBE: &str = "
    INSERT INTO indelible_subscriptions (event_name, app, part)
    SELECT value ->> 0, ?1, value ->> 1 FROM json_each(?2) WHERE true
    ON CONFLICT DO NOTHING";

/// What this program does not have another version of it may, while one is alive.
const FORGET_WORKFLOWS: &str = "
    DELETE FROM indelible_workflows
    WHERE app = ?1 AND id NOT IN (SELECT value FROM json_each(?2)) AND NOT EXISTS (
        SELECT 1 FROM indelible_workers
        WHERE app = ?1 AND id IN (SELECT value FROM json_each(?3))
    )";

const INSERT_WORKFLOWS: &str = "
    INSERT INTO indelible_workflows (app, id, registered_at)
    SELECT DISTINCT ?1, value, ?3 FROM json_each(?2) WHERE true
    ON CONFLICT DO NOTHING";

/// Served by the primary key.
const WORKFLOWS: &str = "SELECT id FROM indelible_workflows WHERE app = ?1 ORDER BY id";

/// Served by `indelible_runs_by_status`.
const STRANDED: &str = "
    SELECT workflow, count(*) FROM indelible_runs
    WHERE app = ?1 AND status IN (SELECT value FROM json_each(?2))
      AND workflow NOT IN (SELECT value FROM json_each(?3))
    GROUP BY workflow ORDER BY workflow";

/// Runs that an earlier program could not go on with: this one may. Served by
/// `indelible_runs_by_status`.
const TRY_HELD: &str = "
    SELECT id FROM indelible_runs
    WHERE app = ?1 AND status = ?2 AND workflow IN (SELECT value FROM json_each(?3))";

/// Events that an earlier program could not tell what to make of: this one may. Goes over all
/// that is blocked in the app, by the primary key of blocked.
const UNBLOCK: &str = "
    INSERT INTO indelible_deliveries (app, event_id, part)
    SELECT app, event_id, part FROM indelible_blocked
    WHERE app = ?1 AND part IN (SELECT value FROM json_each(?2))
    ORDER BY event_id";

/// As [`UNBLOCK`] finds them.
const FORGET_BLOCKED: &str = "
    DELETE FROM indelible_blocked
    WHERE app = ?1 AND part IN (SELECT value FROM json_each(?2))";

/// Schedules that neither this program has nor another version of it that is alive.
const FORGET_SCHEDULES: &str = "
    DELETE FROM indelible_schedules
    WHERE app = ?1 AND workflow || ' ' || rule NOT IN (SELECT value FROM json_each(?2))
      AND workflow || ' ' || rule NOT IN (
        SELECT own.value FROM indelible_workers worker, json_each(worker.schedules) own
        WHERE worker.app = ?1 AND worker.id IN (SELECT value FROM json_each(?3))
    )";

/// A schedule begins anew if workers lived lately of which none had it: what was due is not missed.
const BEGIN_ANEW: &str = "
    UPDATE indelible_schedules SET due_at = NULL
    WHERE app = ?1 AND workflow || ' ' || rule IN (SELECT value FROM json_each(?2))
      AND EXISTS (SELECT 1 FROM indelible_workers
        WHERE app = ?1 AND id IN (SELECT value FROM json_each(?3)))
      AND workflow || ' ' || rule NOT IN (
        SELECT own.value FROM indelible_workers worker, json_each(worker.schedules) own
        WHERE worker.app = ?1 AND worker.id IN (SELECT value FROM json_each(?3))
    )";

/// A new rule of a workflow knows the last tick of the one before.
const SCHEDULE: &str = "
    INSERT INTO indelible_schedules (app, workflow, rule, last_at)
    SELECT ?1, value ->> 0, value ->> 1, (
        SELECT max(last_at) FROM indelible_schedules known
        WHERE known.app = ?1 AND known.workflow = value ->> 0
    )
    FROM json_each(?2) WHERE true
    ON CONFLICT DO NOTHING";

/// Served by the primary key.
const SHAPE: &str = "SELECT shape FROM indelible_workflows WHERE app = ?1 AND id = ?2";

/// Served by the primary key.
const RESHAPE: &str = "UPDATE indelible_workflows SET shape = ?3 WHERE app = ?1 AND id = ?2";

/// Served by `indelible_runs_by_status` and the primary key of the journal.
const RECORDED: &str = "
    SELECT written.key, count(DISTINCT run.id) AS runs, min(run.id) AS example
    FROM indelible_runs run JOIN indelible_journal written ON written.run_id = run.id
    WHERE run.app = ?1 AND run.status IN (SELECT value FROM json_each(?2)) AND run.workflow = ?3
    GROUP BY written.key";

/// What living workers drive: there is one row a process. Then all unfinished runs, by
/// `indelible_runs_by_status`: for an operator who asks.
const STRANDED_RUNS: &str = "
    WITH driven AS MATERIALIZED (
        SELECT DISTINCT d.value ->> 'workflow' AS workflow, d.value ->> 'shape' AS shape
        FROM indelible_workers w, json_each(w.drives) d
        WHERE w.app = ?1 AND w.id IN (SELECT value FROM json_each(?3))
    ),
    standing AS (
        SELECT workflow, shape, count(*) AS runs, min(id) AS example
        FROM indelible_runs
        WHERE app = ?1 AND status IN (SELECT value FROM json_each(?2)) GROUP BY workflow, shape
    )
    SELECT workflow, shape, runs, example FROM standing
    WHERE NOT EXISTS (
        SELECT 1 FROM driven
        WHERE driven.workflow = standing.workflow
          AND (driven.shape IS NULL OR standing.shape IS NULL OR driven.shape = standing.shape)
    )
    ORDER BY workflow, example";

/// What a limit allows from now on. Gives those that allow something else than before.
const DECLARE: &str = "
    INSERT INTO indelible_limits (app, name, kind, most, period, burst)
    SELECT ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4
    FROM json_each(?2) WHERE true
    ON CONFLICT (app, name) DO UPDATE SET
        kind = excluded.kind, most = excluded.most, period = excluded.period, burst = excluded.burst
    WHERE (kind, most, period, burst)
        IS NOT (excluded.kind, excluded.most, excluded.period, excluded.burst)
    RETURNING name";

/// Limits that this program does not have, while no worker of another version is alive.
const FORGET_LIMITS: &str = "
    DELETE FROM indelible_limits
    WHERE app = ?1 AND name NOT IN (SELECT value ->> 0 FROM json_each(?2)) AND NOT EXISTS (
        SELECT 1 FROM indelible_workers
        WHERE app = ?1 AND id IN (SELECT value FROM json_each(?3))
    )
    RETURNING name";

/// Schemas that are there already are left alone, and cost no write.
const KEEP_SCHEMAS: &str = "
    INSERT INTO indelible_event_schemas (app, event_name, version, schema, registered_at)
    SELECT ?1, value ->> 0, value ->> 1, value ->> 2, ?3 FROM json_each(?2) WHERE true
    ON CONFLICT DO NOTHING";

/// Served by the primary key.
const SCHEMAS: &str = "
    SELECT event_name, version, schema, registered_at FROM indelible_event_schemas WHERE app = ?1
    ORDER BY event_name, registered_at DESC, version";

#[async_trait]
impl Registry for SqliteStore {
    async fn register_app(&self, registration: &Registration) -> Result<Vec<Stranded>, StoreError> {
        let Registration { app, workflows, .. } = registration;
        let parts = batch(registration.parts());
        let schedules = batch(registration.schedule_names());
        let mut tx = self.write().await?;
        let living = batch(workers::living(&self.lives, &mut *tx).await?);
        let before = [
            (FORGET_DELIVERIES, &parts),
            (UNSUBSCRIBE, &parts),
            (FORGET_WORKFLOWS, &batch(workflows)),
            (BEGIN_ANEW, &schedules),
        ];
        for (statement, own) in before {
            sqlx::query(statement).bind(app).bind(own).bind(&living).execute(&mut *tx).await?;
        }
        let unblocked = sqlx::query(UNBLOCK).bind(app).bind(&parts).execute(&mut *tx).await?;
        sqlx::query(FORGET_BLOCKED).bind(app).bind(&parts).execute(&mut *tx).await?;
        complete(&mut tx, registration).await?;
        let schemas = registration.schemas.iter();
        let schemas = batch(schemas.map(|own| (&own.event, own.version, &own.schema)));
        sqlx::query(KEEP_SCHEMAS)
            .bind(app)
            .bind(schemas)
            .bind(micros(now()))
            .execute(&mut *tx)
            .await?;
        sqlx::query(FORGET_SCHEDULES)
            .bind(app)
            .bind(&schedules)
            .bind(&living)
            .execute(&mut *tx)
            .await?;
        let stranded: Vec<(String, i64)> = sqlx::query_as(STRANDED)
            .bind(app)
            .bind(batch(RunStatus::unfinished()))
            .bind(batch(workflows))
            .fetch_all(&mut *tx)
            .await?;
        let held: Vec<String> = sqlx::query_scalar(TRY_HELD)
            .bind(app)
            .bind(RunStatus::Held.name())
            .bind(batch(workflows))
            .fetch_all(&mut *tx)
            .await?;
        let tried = runs::ready(&mut tx, &held).await?;
        let stirred = Stirred::here(Work::DELIVERIES)
            .if_any(unblocked.rows_affected())
            .and(declare(&mut tx, app, &registration.limits, &living).await?)
            .and(Stirred::here(Work::READY).if_any(tried));
        tx.commit(stirred).await?;
        Ok(stranded
            .into_iter()
            .map(|(workflow, runs)| Stranded { workflow, runs: runs.unsigned_abs() })
            .collect())
    }

    async fn registered_workflows(&self, app: &str) -> Result<Vec<String>, StoreError> {
        Ok(sqlx::query_scalar(WORKFLOWS).bind(app).fetch_all(self.readers()?).await?)
    }

    async fn reshape_workflow(
        &self,
        app: &str,
        workflow: &str,
        shape: &str,
    ) -> Result<Option<String>, StoreError> {
        let mut tx = self.write().await?;
        let before: Option<Option<String>> =
            sqlx::query_scalar(SHAPE).bind(app).bind(workflow).fetch_optional(&mut *tx).await?;
        sqlx::query(RESHAPE).bind(app).bind(workflow).bind(shape).execute(&mut *tx).await?;
        tx.commit(Stirred::nothing()).await?;
        Ok(before.flatten())
    }

    async fn recorded_lines(&self, app: &str, workflow: &str) -> Result<Vec<Recorded>, StoreError> {
        let rows = sqlx::query(RECORDED)
            .bind(app)
            .bind(batch(RunStatus::unfinished()))
            .bind(workflow)
            .fetch_all(self.readers()?)
            .await?;
        rows.iter().map(Recorded::read).collect()
    }

    async fn event_schemas(&self, app: &str) -> Result<Vec<EventSchema>, StoreError> {
        let rows = sqlx::query(SCHEMAS).bind(app).fetch_all(self.readers()?).await?;
        rows.iter().map(EventSchema::read).collect()
    }

    async fn stranded_runs(&self, app: &str) -> Result<Vec<StrandedRuns>, StoreError> {
        let living = workers::living(&self.lives, self.readers()?).await?;
        let rows = sqlx::query(STRANDED_RUNS)
            .bind(app)
            .bind(batch(RunStatus::unfinished()))
            .bind(batch(living))
            .fetch_all(self.readers()?)
            .await?;
        rows.iter().map(StrandedRuns::read).collect()
    }
}

/// Says what limits allow from now on.
async fn declare(
    tx: &mut SqliteConnection,
    app: &str,
    declared: &[Declared],
    living: &str,
) -> Result<Stirred, StoreError> {
    let declared = declared.iter().map(|Declared { limit, allows }| {
        let AllowanceColumns { kind, most, period, burst } = AllowanceColumns::of(allows);
        (limit, kind, most, period, burst)
    });
    let declared = batch(declared);
    let before = limits::allowances(tx, app, None).await?;
    let mut changed: Vec<String> =
        sqlx::query_scalar(DECLARE).bind(app).bind(&declared).fetch_all(&mut *tx).await?;
    let forgotten = sqlx::query_scalar(FORGET_LIMITS).bind(app).bind(&declared).bind(living);
    changed.extend(forgotten.fetch_all(&mut *tx).await?);
    limits::retime(tx, app, None, &before).await?;
    let opened = sqlx::query(limits::REOPEN).bind(app).bind(batch(changed)).execute(tx).await?;
    Ok(Stirred::here(Work::GATES).if_any(opened.rows_affected()))
}

/// Adds what is missing of a registration: another version may have been registered since.
pub(super) async fn complete(
    tx: &mut SqliteConnection,
    registration: &Registration,
) -> Result<(), StoreError> {
    let Registration { app, workflows, subscriptions, schedules, .. } = registration;
    let subscriptions = batch(subscriptions.iter().map(|own| (&own.event, &own.part)));
    let schedules = batch(schedules.iter().map(|schedule| (&schedule.workflow, &schedule.rule)));
    sqlx::query(SUBSCRIBE).bind(app).bind(subscriptions).execute(&mut *tx).await?;
    sqlx::query(INSERT_WORKFLOWS)
        .bind(app)
        .bind(batch(workflows))
        .bind(micros(now()))
        .execute(&mut *tx)
        .await?;
    sqlx::query(SCHEDULE).bind(app).bind(schedules).execute(tx).await?;
    Ok(())
}
