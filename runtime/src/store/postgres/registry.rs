use async_trait::async_trait;

use super::database::{Link, again};
use super::queue::released;
use super::{PostgresStore, limits, queue};
use crate::store::gated::AllowanceColumns;
use crate::store::hints::{Stirred, Work};
use crate::store::{
    EventSchema, NewSchema, Recorded, Registration, Registry, RunStatus, Schedule, StoreError,
    Stranded, StrandedRuns,
};
use crate::workflow::Declared;

/// Makes processes of one app that start at once take turns, until the end of the transaction.
const TAKE_TURNS: &str =
    "SELECT pg_advisory_xact_lock(hashtext('indelible.register'), hashtext($1))";

/// What this program does not want, nor another version of it that is alive, with what was kept for it.
const UNSUBSCRIBE: &str = "
    WITH gone AS (
        DELETE FROM indelible.subscriptions known
        WHERE app = $1 AND part <> ALL ($2) AND NOT EXISTS (
            SELECT 1 FROM indelible.workers worker
            WHERE worker.app = $1 AND worker.expires_at > now() AND known.part = ANY (worker.parts)
        )
        RETURNING part
    )
    DELETE FROM indelible.deliveries delivery USING gone
    WHERE delivery.app = $1 AND delivery.part = gone.part";

const SUBSCRIBE: &str = "
    INSERT INTO indelible.subscriptions (event_name, app, part)
    SELECT event_name, $1, part FROM unnest($2::text[], $3::text[]) AS own (event_name, part)
    ON CONFLICT DO NOTHING";

/// What this program does not have another version of it may, while one is alive.
const FORGET_WORKFLOWS: &str = "
    DELETE FROM indelible.workflows
    WHERE app = $1 AND id <> ALL ($2) AND NOT EXISTS (
        SELECT 1 FROM indelible.workers WHERE app = $1 AND expires_at > now()
    )";

const INSERT_WORKFLOWS: &str = "
    INSERT INTO indelible.workflows (app, id)
    SELECT $1, id FROM unnest($2::text[]) AS workflow (id)
    ON CONFLICT DO NOTHING";

/// Served by the primary key.
const WORKFLOWS: &str = "SELECT id FROM indelible.workflows WHERE app = $1 ORDER BY id";

/// Served by `runs_by_status`.
const STRANDED: &str = "
    SELECT workflow, count(*) FROM indelible.runs
    WHERE app = $1 AND status = ANY ($2) AND workflow <> ALL ($3)
    GROUP BY workflow ORDER BY workflow";

/// Runs that an earlier program could not go on with: this one may. One that is claimed at this moment, as
/// it was ready already, is left to that claim. Served by `runs_by_status`.
const TRY_HELD: &str = concat!(
    "
    WITH held AS MATERIALIZED (
        SELECT id, app, workflow, rank, suspects, gated FROM indelible.runs
        WHERE app = $1 AND status = $2 AND workflow = ANY ($3)
        FOR NO KEY UPDATE SKIP LOCKED
    ),
    ",
    released!("held", "ON CONFLICT (run_id) DO NOTHING"),
    "
    SELECT DISTINCT app, asks FROM released"
);

/// Events that an earlier program could not tell what to make of: this one may. Goes over all
/// that is blocked in the app, by the primary key of blocked.
const UNBLOCK: &str = "
    WITH freed AS (
        DELETE FROM indelible.blocked WHERE app = $1 AND part = ANY ($2)
        RETURNING event_id, part
    ),
    delivered AS (
        INSERT INTO indelible.deliveries (app, event_id, part)
        SELECT $1, event_id, part FROM freed ORDER BY event_id
    )
    SELECT count(*) FROM freed";

/// Schedules that neither this program has nor another version of it that is alive.
const FORGET_SCHEDULES: &str = "
    DELETE FROM indelible.schedules known
    WHERE app = $1 AND known.workflow || ' ' || known.rule <> ALL ($2) AND NOT EXISTS (
        SELECT 1 FROM indelible.workers worker
        WHERE worker.app = $1 AND worker.expires_at > now()
          AND known.workflow || ' ' || known.rule = ANY (worker.schedules)
    )";

/// A schedule begins anew if workers lived lately of which none had it: what was due is not missed.
const BEGIN_ANEW: &str = "
    UPDATE indelible.schedules known SET due_at = NULL
    WHERE app = $1 AND known.workflow || ' ' || known.rule = ANY ($2)
      AND EXISTS (SELECT 1 FROM indelible.workers WHERE app = $1 AND expires_at > now())
      AND NOT EXISTS (
        SELECT 1 FROM indelible.workers worker
        WHERE worker.app = $1 AND worker.expires_at > now()
          AND known.workflow || ' ' || known.rule = ANY (worker.schedules)
    )";

/// A new rule of a workflow knows the last tick of the one before.
const SCHEDULE: &str = "
    INSERT INTO indelible.schedules (app, workflow, rule, last_at)
    SELECT $1, workflow, rule, (
        SELECT max(last_at) FROM indelible.schedules known
        WHERE known.app = $1 AND known.workflow = own.workflow
    )
    FROM unnest($2::text[], $3::text[]) AS own (workflow, rule)
    ON CONFLICT DO NOTHING";

/// Gives the shape that was there, and leaves the new one. Served by the primary key.
const RESHAPE: &str = "
    UPDATE indelible.workflows new SET shape = $3
    FROM (
        SELECT app, id, shape FROM indelible.workflows WHERE app = $1 AND id = $2 FOR UPDATE
    ) old
    WHERE new.app = old.app AND new.id = old.id
    RETURNING old.shape";

/// Served by `runs_by_status` and the primary key of the journal.
const RECORDED: &str = "
    SELECT written.key, count(DISTINCT run.id) AS runs, min(run.id::text)::uuid AS example
    FROM indelible.runs run JOIN indelible.journal written ON written.run_id = run.id
    WHERE run.app = $1 AND run.status = ANY ($2) AND run.workflow = $3
    GROUP BY written.key";

/// What living workers drive: there is one row a process. Then all unfinished runs, by
/// `runs_by_status`: for an operator who asks.
const STRANDED_RUNS: &str = "
    WITH driven AS MATERIALIZED (
        SELECT DISTINCT drive.workflow, drive.shape
        FROM indelible.workers worker, unnest(worker.workflows, worker.shapes)
            AS drive (workflow, shape)
        WHERE worker.app = $1 AND worker.expires_at > now()
    ),
    standing AS (
        SELECT workflow, shape, count(*) AS runs, min(id::text)::uuid AS example
        FROM indelible.runs WHERE app = $1 AND status = ANY ($2) GROUP BY workflow, shape
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
    INSERT INTO indelible.limits AS known (app, name, kind, most, period, burst)
    SELECT $1, name, kind, most, period, burst
    FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[])
        AS declared (name, kind, most, period, burst)
    ON CONFLICT (app, name) DO UPDATE SET
        kind = excluded.kind, most = excluded.most, period = excluded.period, burst = excluded.burst
    WHERE (known.kind, known.most, known.period, known.burst)
        IS DISTINCT FROM (excluded.kind, excluded.most, excluded.period, excluded.burst)
    RETURNING name";

/// Limits that this program does not have, while no worker of another version is alive.
const FORGET_LIMITS: &str = "
    DELETE FROM indelible.limits
    WHERE app = $1 AND name <> ALL ($2) AND NOT EXISTS (
        SELECT 1 FROM indelible.workers WHERE app = $1 AND expires_at > now()
    )
    RETURNING name";

/// Schemas that are there already are left alone, and cost no write.
const KEEP_SCHEMAS: &str = "
    INSERT INTO indelible.event_schemas (app, event_name, version, schema, registered_at)
    SELECT $1, event_name, version, schema::json, now()
    FROM unnest($2::text[], $3::uuid[], $4::text[]) AS own (event_name, version, schema)
    ON CONFLICT DO NOTHING";

/// Served by the primary key.
const SCHEMAS: &str = "
    SELECT event_name, version, schema::text AS schema, registered_at
    FROM indelible.event_schemas WHERE app = $1
    ORDER BY event_name, registered_at DESC, version";

#[async_trait]
impl Registry for PostgresStore {
    async fn register_app(&self, registration: &Registration) -> Result<Vec<Stranded>, StoreError> {
        again(|| async {
            let Registration { app, workflows, .. } = registration;
            let (parts, schedules) = (registration.parts(), registration.schedule_names());
            let unfinished: Vec<&str> = RunStatus::unfinished().collect();
            let mut tx = self.database.begin().await?;
            sqlx::query(TAKE_TURNS).bind(app).execute(&mut *tx).await?;
            sqlx::query(UNSUBSCRIBE).bind(app).bind(&parts).execute(&mut *tx).await?;
            let unblocked: i64 =
                sqlx::query_scalar(UNBLOCK).bind(app).bind(&parts).fetch_one(&mut *tx).await?;
            sqlx::query(FORGET_WORKFLOWS).bind(app).bind(workflows).execute(&mut *tx).await?;
            sqlx::query(BEGIN_ANEW).bind(app).bind(&schedules).execute(&mut *tx).await?;
            add(&mut tx, registration).await?;
            keep_schemas(&mut tx, app, &registration.schemas).await?;
            sqlx::query(FORGET_SCHEDULES).bind(app).bind(&schedules).execute(&mut *tx).await?;
            let stranded: Vec<(String, i64)> = sqlx::query_as(STRANDED)
                .bind(app)
                .bind(unfinished)
                .bind(workflows)
                .fetch_all(&mut *tx)
                .await?;
            let tried: Vec<(String, bool)> = sqlx::query_as(TRY_HELD)
                .bind(app)
                .bind(RunStatus::Held.name())
                .bind(workflows)
                .fetch_all(&mut *tx)
                .await?;
            let stirred = Stirred::of(app, Work::DELIVERIES)
                .if_any(unblocked.unsigned_abs())
                .and(declare(&mut tx, app, &registration.limits).await?)
                .and(queue::stirred(&tried));
            tx.commit(stirred).await?;
            Ok(stranded
                .into_iter()
                .map(|(workflow, runs)| Stranded { workflow, runs: runs.unsigned_abs() })
                .collect())
        })
        .await
    }

    async fn registered_workflows(&self, app: &str) -> Result<Vec<String>, StoreError> {
        let known = sqlx::query_scalar(WORKFLOWS).bind(app);
        Ok(known.fetch_all(&mut self.database.acquire().await?).await?)
    }

    async fn reshape_workflow(
        &self,
        app: &str,
        workflow: &str,
        shape: &str,
    ) -> Result<Option<String>, StoreError> {
        again(|| async {
            let before: Option<Option<String>> = sqlx::query_scalar(RESHAPE)
                .bind(app)
                .bind(workflow)
                .bind(shape)
                .fetch_optional(&mut self.database.acquire().await?)
                .await?;
            Ok(before.flatten())
        })
        .await
    }

    async fn recorded_lines(&self, app: &str, workflow: &str) -> Result<Vec<Recorded>, StoreError> {
        let unfinished: Vec<&str> = RunStatus::unfinished().collect();
        let rows = sqlx::query(RECORDED)
            .bind(app)
            .bind(unfinished)
            .bind(workflow)
            .fetch_all(&mut self.database.acquire().await?)
            .await?;
        rows.iter().map(Recorded::read).collect()
    }

    async fn event_schemas(&self, app: &str) -> Result<Vec<EventSchema>, StoreError> {
        let schemas = sqlx::query(SCHEMAS).bind(app);
        let rows = schemas.fetch_all(&mut self.database.acquire().await?).await?;
        rows.iter().map(EventSchema::read).collect()
    }

    async fn stranded_runs(&self, app: &str) -> Result<Vec<StrandedRuns>, StoreError> {
        let unfinished: Vec<&str> = RunStatus::unfinished().collect();
        let rows = sqlx::query(STRANDED_RUNS)
            .bind(app)
            .bind(unfinished)
            .fetch_all(&mut self.database.acquire().await?)
            .await?;
        rows.iter().map(StrandedRuns::read).collect()
    }
}

/// Keeps the schemas of events that are new.
async fn keep_schemas(tx: &mut Link, app: &str, schemas: &[NewSchema]) -> Result<(), StoreError> {
    sqlx::query(KEEP_SCHEMAS)
        .bind(app)
        .bind(schemas.iter().map(|own| &*own.event).collect::<Vec<_>>())
        .bind(schemas.iter().map(|own| own.version).collect::<Vec<_>>())
        .bind(schemas.iter().map(|own| &*own.schema).collect::<Vec<_>>())
        .execute(tx)
        .await?;
    Ok(())
}

/// Says what limits allow from now on.
async fn declare(tx: &mut Link, app: &str, declared: &[Declared]) -> Result<Stirred, StoreError> {
    let names: Vec<&str> = declared.iter().map(|limit| &*limit.limit).collect();
    let allows = || declared.iter().map(|limit| AllowanceColumns::of(&limit.allows));
    let before = limits::allowances(tx, app, None).await?;
    let changed = sqlx::query_scalar(DECLARE)
        .bind(app)
        .bind(&names)
        .bind(allows().map(|allows| allows.kind).collect::<Vec<_>>())
        .bind(allows().map(|allows| allows.most).collect::<Vec<_>>())
        .bind(allows().map(|allows| allows.period).collect::<Vec<_>>())
        .bind(allows().map(|allows| allows.burst).collect::<Vec<_>>());
    let mut changed: Vec<String> = changed.fetch_all(&mut *tx).await?;
    let forgotten = sqlx::query_scalar(FORGET_LIMITS).bind(app).bind(&names);
    changed.extend(forgotten.fetch_all(&mut *tx).await?);
    if changed.is_empty() {
        return Ok(Stirred::nothing());
    }
    limits::retime(tx, app, None, &before).await?;
    let opened = sqlx::query(limits::REOPEN).bind(app).bind(changed).execute(tx).await?;
    Ok(Stirred::of(app, Work::GATES).if_any(opened.rows_affected()))
}

/// Adds what is missing of a registration: another version may have been registered since.
pub(super) async fn complete(tx: &mut Link, registration: &Registration) -> Result<(), StoreError> {
    sqlx::query(TAKE_TURNS).bind(&registration.app).execute(&mut *tx).await?;
    add(tx, registration).await
}

async fn add(tx: &mut Link, registration: &Registration) -> Result<(), StoreError> {
    let Registration { app, workflows, subscriptions, schedules, .. } = registration;
    let (events, parts): (Vec<&str>, Vec<&str>) =
        subscriptions.iter().map(|own| (&*own.event, &*own.part)).unzip();
    let (scheduled, rules) = columns(schedules);
    sqlx::query(SUBSCRIBE).bind(app).bind(events).bind(parts).execute(&mut *tx).await?;
    sqlx::query(INSERT_WORKFLOWS).bind(app).bind(workflows).execute(&mut *tx).await?;
    sqlx::query(SCHEDULE).bind(app).bind(scheduled).bind(rules).execute(tx).await?;
    Ok(())
}

/// The workflows and the rules of schedules.
pub(super) fn columns(schedules: &[Schedule]) -> (Vec<&str>, Vec<&str>) {
    schedules.iter().map(|schedule| (&*schedule.workflow, &*schedule.rule)).unzip()
}
