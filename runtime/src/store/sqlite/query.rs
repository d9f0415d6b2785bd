use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::SqliteStore;
use super::value::Columns as _;
use crate::journal::{Row, RunId};
use crate::payload::Payload;
use crate::store::columns::{RowColumns, error_record};
use crate::store::{RunCount, RunQuery, RunRecord, RunStatus, StoreError};

/// Served by the primary key.
const RUN: &str = "
    SELECT id, workflow, status, event_id, parent, input, accepted_at, started_at, ended_at, output,
           error, cancelled, held
    FROM indelible_runs WHERE id = ?1";

/// Served by the primary key.
const JOURNAL: &str = "
    SELECT seq, key, kind, transition, attempt, due_at, child, outcome, error, at
    FROM indelible_journal WHERE run_id = ?1 ORDER BY seq";

/// Served by the primary key, from which it goes on in order until the page is full.
const RUNS: &str = "
    SELECT id, workflow, status, event_id, parent, input, accepted_at, started_at, ended_at, output,
           error, cancelled, held
    FROM indelible_runs
    WHERE app = ?1 AND id > ?2 AND (?3 IS NULL OR workflow = ?3) AND (?4 IS NULL OR status = ?4)
    ORDER BY id LIMIT ?5";

/// The same among the children of one run. Served by `indelible_runs_of_parent`.
pub(super) const CHILDREN: &str = "
    SELECT id, workflow, status, event_id, parent, input, accepted_at, started_at, ended_at, output,
           error, cancelled, held
    FROM indelible_runs
    WHERE app = ?1 AND id > ?2 AND (?3 IS NULL OR workflow = ?3) AND (?4 IS NULL OR status = ?4)
      AND parent = ?6
    ORDER BY id LIMIT ?5";

/// Served by `indelible_runs_by_status` alone.
const COUNTS: &str = "
    SELECT workflow, status, count(*) FROM indelible_runs
    WHERE app = ?1 GROUP BY workflow, status ORDER BY workflow, status";

pub(super) async fn run(store: &SqliteStore, id: RunId) -> Result<Option<RunRecord>, StoreError> {
    let row = sqlx::query(RUN).bind(id.to_string()).fetch_optional(&store.readers).await?;
    row.as_ref().map(record).transpose()
}

pub(super) async fn journal(store: &SqliteStore, id: RunId) -> Result<Vec<Row>, StoreError> {
    let rows = sqlx::query(JOURNAL).bind(id.to_string()).fetch_all(&store.readers).await?;
    rows.iter().map(journal_row).collect()
}

pub(super) async fn runs(
    store: &SqliteStore,
    app: &str,
    query: &RunQuery,
) -> Result<Vec<RunRecord>, StoreError> {
    let listed = sqlx::query(if query.parent.is_some() { CHILDREN } else { RUNS })
        .bind(app)
        .bind(query.after.map_or(String::new(), |id| id.to_string()))
        .bind(query.workflow.as_deref())
        .bind(query.status.map(RunStatus::name))
        .bind(query.page());
    let listed = match query.parent {
        Some(parent) => listed.bind(parent.to_string()),
        None => listed,
    };
    let rows = listed.fetch_all(&store.readers).await?;
    rows.iter().map(record).collect()
}

pub(super) async fn counts(store: &SqliteStore, app: &str) -> Result<Vec<RunCount>, StoreError> {
    let rows: Vec<(String, String, i64)> =
        sqlx::query_as(COUNTS).bind(app).fetch_all(&store.readers).await?;
    rows.into_iter()
        .map(|(workflow, status, runs)| {
            Ok(RunCount { workflow, status: parse(&status)?, runs: runs.unsigned_abs() })
        })
        .collect()
}

fn parse(status: &str) -> Result<RunStatus, StoreError> {
    status.parse().map_err(StoreError::Corrupt)
}

fn record(row: &SqliteRow) -> Result<RunRecord, StoreError> {
    let error: Option<&str> = row.try_get("error")?;
    Ok(RunRecord {
        id: row.uuid("id")?.into(),
        workflow: row.try_get("workflow")?,
        status: parse(row.try_get("status")?)?,
        event: row.uuid_or_null("event_id")?.map(Into::into),
        parent: row.uuid_or_null("parent")?.map(Into::into),
        input: Payload::stored(row.try_get::<String, _>("input")?),
        accepted_at: row.time("accepted_at")?,
        started_at: row.time_or_null("started_at")?,
        ended_at: row.time_or_null("ended_at")?,
        output: row.try_get::<Option<String>, _>("output")?.map(Payload::stored),
        error: error.map(error_record).transpose()?,
        cancelled: row.try_get("cancelled")?,
        held: row.try_get("held")?,
    })
}

/// Reads a row of the journal.
pub(super) fn journal_row(row: &SqliteRow) -> Result<Row, StoreError> {
    RowColumns {
        seq: row.try_get("seq")?,
        key: row.try_get("key")?,
        kind: row.try_get("kind")?,
        transition: row.try_get("transition")?,
        attempt: row.try_get("attempt")?,
        due: row.time_or_null("due_at")?,
        child: row.uuid_or_null("child")?,
        outcome: row.try_get("outcome")?,
        error: row.try_get("error")?,
        at: row.time("at")?,
    }
    .row()
}
