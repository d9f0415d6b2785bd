use async_trait::async_trait;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::database::SqliteStore;
use super::limits;
use super::value::{batch, micros};
use crate::journal::{Row, RunId};
use crate::store::columns::written;
use crate::store::{History, LimitRecord, RunCount, RunQuery, RunRecord, StoreError};

/// The columns that [`RunRecord::read`] reads.
macro_rules! select {
    () => {
        "
    SELECT run.id, run.workflow, run.status, run.event_id, run.parent, run.input, run.accepted_at,
           run.scheduled_at, run.started_at, run.ended_at, run.output, run.error, run.cancelled, run.held,
           run.generation, run.began_at, run.seed, run.retries, run.trace_context"
    };
}

/// Served by the primary key.
const RUN: &str = concat!(
    select!(),
    "
    FROM indelible_runs run WHERE run.id = ?1"
);

/// Served by the primary key.
const JOURNAL: &str = "
    SELECT seq, key, kind, transition, attempt, due_at, child, outcome, error, started_at, at,
           first_seq
    FROM indelible_journal WHERE run_id = ?1 ORDER BY seq";

/// What [`RunSummary::read`] reads.
macro_rules! summary {
    () => {
        "
    SELECT run.id, run.workflow, run.status, run.event_id, run.parent, run.accepted_at, run.scheduled_at,
           run.started_at, run.ended_at, run.error, run.cancelled, run.held, run.generation, run.retries"
    };
}

/// A page of runs in order of id, out of those that a query is narrowed down to; the other conditions
/// are looked at on the way.
macro_rules! page {
    ($columns:ident, $order:literal, $from:literal, $narrowed:literal) => {
        concat!(
            $columns!(),
            "
    FROM ",
            $from,
            "
    WHERE run.app = ?1 AND run.id > ?2 AND run.id < ?12 AND (?3 IS NULL OR run.workflow = ?3)
      AND run.status IN (SELECT value FROM json_each(?4)) AND (?6 IS NULL OR run.parent = ?6)
      AND (?7 IS NULL OR run.event_id = ?7 OR EXISTS (
          SELECT 1 FROM indelible_reached reached
          WHERE reached.event_id = ?7 AND reached.run_id = run.id AND reached.key = ''
      ))
      AND (?8 IS NULL OR EXISTS (
          SELECT 1 FROM indelible_attributes a
          WHERE a.run_id = run.id AND a.key = ?8 AND a.value = ?9
      ))
      AND (?10 IS NULL OR run.accepted_at >= ?10) AND (?11 IS NULL OR run.accepted_at < ?11)
      AND (?13 IS NULL OR instr(lower(
          coalesce(run.error ->> '$.message', '') || ' ' || coalesce(run.error ->> '$.causes', '')
          || ' ' || coalesce(run.cancelled, '') || ' ' || coalesce(run.held, '')
      ), lower(?13)) > 0)
      AND ",
            $narrowed,
            "
    ORDER BY run.id",
            $order,
            " LIMIT ?5"
        )
    };
}

/// Served by the primary key, from which it goes on in order until the page is full.
macro_rules! among_all {
    ($columns:ident, $order:literal) => {
        page!($columns, $order, "indelible_runs run", "true")
    };
}

const RUNS: &str = among_all!(select, "");
pub(super) const NEWEST: &str = among_all!(summary, " DESC");

/// Among the children of one run. Served by `indelible_runs_of_parent`.
macro_rules! among_children {
    ($columns:ident, $order:literal) => {
        page!($columns, $order, "indelible_runs run", "run.parent = ?6")
    };
}

pub(super) const CHILDREN: &str = among_children!(select, "");
pub(super) const NEWEST_CHILDREN: &str = among_children!(summary, " DESC");

/// Among what one event has started, alone or with others. Served by `indelible_runs_of_event` and the
/// primary keys.
macro_rules! among_those_of_event {
    ($columns:ident, $order:literal) => {
        page!(
            $columns,
            $order,
            "(
        SELECT id FROM indelible_runs WHERE event_id = ?7
        UNION SELECT run_id FROM indelible_reached WHERE event_id = ?7 AND key = ''
    ) began CROSS JOIN indelible_runs run ON run.id = began.id",
            "true"
        )
    };
}

pub(super) const OF_EVENT: &str = among_those_of_event!(select, "");
pub(super) const NEWEST_OF_EVENT: &str = among_those_of_event!(summary, " DESC");

/// Among the runs with an attribute. Served by `indelible_attributes_by_value` and the primary key of
/// runs.
macro_rules! among_those_with_attribute {
    ($columns:ident, $order:literal) => {
        page!(
            $columns,
            $order,
            "indelible_attributes named CROSS JOIN indelible_runs run ON run.id = named.run_id",
            "named.app = ?1 AND named.key = ?8 AND named.value = ?9 AND named.run_id > ?2
      AND named.run_id < ?12"
        )
    };
}

pub(super) const WITH_ATTRIBUTE: &str = among_those_with_attribute!(select, "");
pub(super) const NEWEST_WITH_ATTRIBUTE: &str = among_those_with_attribute!(summary, " DESC");

/// Served by `indelible_runs_by_status` alone.
const COUNTS: &str = "
    SELECT workflow, status, count(*) AS runs FROM indelible_runs
    WHERE app = ?1 GROUP BY workflow, status ORDER BY workflow, status";

#[async_trait]
impl History for SqliteStore {
    async fn run(&self, id: RunId) -> Result<Option<RunRecord>, StoreError> {
        let row = sqlx::query(RUN).bind(id.to_string()).fetch_optional(self.readers()?).await?;
        row.as_ref().map(RunRecord::read).transpose()
    }

    async fn journal(&self, id: RunId) -> Result<Vec<Row>, StoreError> {
        let rows = sqlx::query(JOURNAL).bind(id.to_string()).fetch_all(self.readers()?).await?;
        rows.iter().map(written).collect()
    }

    async fn runs(&self, app: &str, query: &RunQuery) -> Result<Vec<RunRecord>, StoreError> {
        let page = match query {
            RunQuery { parent: Some(_), .. } => CHILDREN,
            RunQuery { event: Some(_), .. } => OF_EVENT,
            RunQuery { attribute: Some(_), .. } => WITH_ATTRIBUTE,
            _ => RUNS,
        };
        let rows = self.list(page, app, query, query.upwards()).await?;
        rows.iter().map(RunRecord::read).collect()
    }

    async fn run_counts(&self, app: &str) -> Result<Vec<RunCount>, StoreError> {
        let rows = sqlx::query(COUNTS).bind(app).fetch_all(self.readers()?).await?;
        rows.iter().map(RunCount::read).collect()
    }

    async fn limits(&self, app: &str) -> Result<Vec<LimitRecord>, StoreError> {
        limits::all(self, app).await
    }
}

impl SqliteStore {
    /// A page of the runs whose ids are between two others.
    pub(super) async fn list(
        &self,
        page: &'static str,
        app: &str,
        query: &RunQuery,
        (above, below): (Uuid, Uuid),
    ) -> Result<Vec<SqliteRow>, StoreError> {
        let attribute = query.attribute.as_ref();
        let listed = sqlx::query(page)
            .bind(app)
            .bind(above.to_string())
            .bind(query.workflow.as_deref())
            .bind(batch(query.statuses()))
            .bind(query.page())
            .bind(query.parent.map(|run| run.to_string()))
            .bind(query.event.map(|event| event.to_string()))
            .bind(attribute.map(|(key, _)| key))
            .bind(attribute.map(|(_, value)| value))
            .bind(query.since.map(micros))
            .bind(query.before.map(micros))
            .bind(below.to_string())
            .bind(query.error.as_deref());
        Ok(listed.fetch_all(self.readers()?).await?)
    }
}
