use async_trait::async_trait;

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

/// A page of runs in order of id, out of those that a query is narrowed down to; the other conditions
/// are looked at on the way.
macro_rules! page {
    ($from:literal, $narrowed:literal) => {
        concat!(
            select!(),
            "
    FROM ",
            $from,
            "
    WHERE run.app = ?1 AND run.id > ?2 AND (?3 IS NULL OR run.workflow = ?3)
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
      AND ",
            $narrowed,
            "
    ORDER BY run.id LIMIT ?5"
        )
    };
}

/// Served by the primary key, from which it goes on in order until the page is full.
const RUNS: &str = page!("indelible_runs run", "true");

/// Among the children of one run. Served by `indelible_runs_of_parent`.
pub(super) const CHILDREN: &str = page!("indelible_runs run", "run.parent = ?6");

/// Among what one event has started, alone or with others. Served by `indelible_runs_of_event` and the
/// primary keys.
pub(super) const OF_EVENT: &str = page!(
    "(
        SELECT id FROM indelible_runs WHERE event_id = ?7
        UNION SELECT run_id FROM indelible_reached WHERE event_id = ?7 AND key = ''
    ) began CROSS JOIN indelible_runs run ON run.id = began.id",
    "true"
);

/// Among the runs with an attribute. Served by `indelible_attributes_by_value` and the primary key of
/// runs.
pub(super) const WITH_ATTRIBUTE: &str = page!(
    "indelible_attributes named CROSS JOIN indelible_runs run ON run.id = named.run_id",
    "named.app = ?1 AND named.key = ?8 AND named.value = ?9 AND named.run_id > ?2"
);

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
        let attribute = query.attribute.as_ref();
        let listed = sqlx::query(page)
            .bind(app)
            .bind(query.first().to_string())
            .bind(query.workflow.as_deref())
            .bind(batch(query.statuses()))
            .bind(query.page())
            .bind(query.parent.map(|run| run.to_string()))
            .bind(query.event.map(|event| event.to_string()))
            .bind(attribute.map(|(key, _)| key))
            .bind(attribute.map(|(_, value)| value))
            .bind(query.since.map(micros))
            .bind(query.before.map(micros));
        let rows = listed.fetch_all(self.readers()?).await?;
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
