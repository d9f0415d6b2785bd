use sqlx::postgres::PgRow;
use sqlx::{PgPool, Row as _};

use super::value::Columns as _;
use crate::journal::{Row, RunId};
use crate::payload::Payload;
use crate::store::columns::{RowColumns, error_record};
use crate::store::{RunCount, RunQuery, RunRecord, RunStatus, StoreError};

/// Served by the primary key.
const RUN: &str = "
    SELECT id, workflow, status, event_id, input::text AS input, accepted_at, started_at, ended_at,
           output::text AS output, error::text AS error, held
    FROM indelible.runs WHERE id = $1";

/// Served by the primary key.
const JOURNAL: &str = "
    SELECT seq, key, kind, transition, attempt, due_at, outcome::text AS outcome,
           error::text AS error, at
    FROM indelible.journal WHERE run_id = $1 ORDER BY seq";

/// Served by the primary key, from which it goes on in order until the page is full.
const RUNS: &str = "
    SELECT id, workflow, status, event_id, input::text AS input, accepted_at, started_at, ended_at,
           output::text AS output, error::text AS error, held
    FROM indelible.runs
    WHERE app = $1 AND id > $2 AND ($3::text IS NULL OR workflow = $3)
      AND ($4::text IS NULL OR status = $4)
    ORDER BY id LIMIT $5";

/// Served by `runs_by_status` alone.
pub(super) const COUNTS: &str = "
    SELECT workflow, status, count(*) FROM indelible.runs
    WHERE app = $1 GROUP BY workflow, status ORDER BY workflow, status";

pub(super) async fn run(pool: &PgPool, id: RunId) -> Result<Option<RunRecord>, StoreError> {
    let row = sqlx::query(RUN).bind(id.as_uuid()).fetch_optional(pool).await?;
    row.as_ref().map(record).transpose()
}

pub(super) async fn journal(pool: &PgPool, id: RunId) -> Result<Vec<Row>, StoreError> {
    let rows = sqlx::query(JOURNAL).bind(id.as_uuid()).fetch_all(pool).await?;
    rows.iter().map(journal_row).collect()
}

pub(super) async fn runs(
    pool: &PgPool,
    app: &str,
    query: &RunQuery,
) -> Result<Vec<RunRecord>, StoreError> {
    let rows = sqlx::query(RUNS)
        .bind(app)
        .bind(query.after.map(RunId::as_uuid).unwrap_or_default())
        .bind(query.workflow.as_deref())
        .bind(query.status.map(RunStatus::name))
        .bind(query.page())
        .fetch_all(pool)
        .await?;
    rows.iter().map(record).collect()
}

pub(super) async fn counts(pool: &PgPool, app: &str) -> Result<Vec<RunCount>, StoreError> {
    let rows: Vec<(String, String, i64)> = sqlx::query_as(COUNTS).bind(app).fetch_all(pool).await?;
    rows.into_iter()
        .map(|(workflow, status, runs)| {
            Ok(RunCount { workflow, status: parse(&status)?, runs: runs.unsigned_abs() })
        })
        .collect()
}

fn parse(status: &str) -> Result<RunStatus, StoreError> {
    status.parse().map_err(StoreError::Corrupt)
}

fn record(row: &PgRow) -> Result<RunRecord, StoreError> {
    let error: Option<&str> = row.try_get("error")?;
    Ok(RunRecord {
        id: row.uuid("id")?,
        workflow: row.try_get("workflow")?,
        status: parse(row.try_get("status")?)?,
        event: row.uuid_or_null("event_id")?,
        input: row.payload("input")?,
        accepted_at: row.time("accepted_at")?,
        started_at: row.time_or_null("started_at")?,
        ended_at: row.time_or_null("ended_at")?,
        output: row.try_get::<Option<String>, _>("output")?.map(Payload::stored),
        error: error.map(error_record).transpose()?,
        held: row.try_get("held")?,
    })
}

/// Reads a row of the journal.
pub(super) fn journal_row(row: &PgRow) -> Result<Row, StoreError> {
    RowColumns {
        seq: row.try_get::<i32, _>("seq")?.into(),
        key: row.try_get("key")?,
        kind: row.try_get("kind")?,
        transition: row.try_get("transition")?,
        attempt: row.try_get("attempt")?,
        due: row.time_or_null("due_at")?,
        outcome: row.try_get("outcome")?,
        error: row.try_get("error")?,
        at: row.time("at")?,
    }
    .row()
}
