use std::collections::BTreeMap;

use async_trait::async_trait;

use super::database::SqliteStore;
use super::history::{NEWEST, NEWEST_CHILDREN, NEWEST_OF_EVENT, NEWEST_WITH_ATTRIBUTE};
use super::value::batch;
use crate::journal::RunId;
use crate::store::read::Columns;
use crate::store::views::{COUNTED, LOOKED_THROUGH, event_page, workflow_summaries};
use crate::store::{
    EventQuery, EventSummary, Page, RunQuery, RunStatus, RunSummary, StoreError, Views,
    WorkerRecord, WorkflowSummary,
};

/// Goes on in order of the primary key. The last row says how far was looked, if that was not to the end.
const EVENTS: &str = "
    WITH looked AS MATERIALIZED (
        SELECT id, name, position FROM indelible_events
        WHERE position < coalesce(
            (SELECT position FROM indelible_events WHERE id = ?1), 9223372036854775807
        )
        ORDER BY position DESC LIMIT ?3
    ), page AS (
        SELECT position FROM looked WHERE ?2 IS NULL OR name = ?2
        ORDER BY position DESC LIMIT ?4
    )
    SELECT event.id, event.name, event.accepted_at, event.data, event.position
    FROM page CROSS JOIN indelible_events event ON event.position = page.position
    UNION ALL
    SELECT last.id, NULL, NULL, NULL, last.position
    FROM (SELECT id, position FROM looked ORDER BY position LIMIT 1) AS last
    WHERE (SELECT count(*) FROM looked) = ?3
    ORDER BY position DESC";

/// Served by the primary keys and `indelible_runs_by_status`: up to so many rows of it for each workflow and
/// status.
const WORKFLOWS: &str = "
    SELECT workflow.id, workflow.registered_at, paused.at AS paused_at, asked.value AS status, (
        SELECT count(*) FROM (
            SELECT 1 FROM indelible_runs run
            WHERE run.app = workflow.app AND run.status = asked.value AND run.workflow = workflow.id
            LIMIT ?3
        )
    ) AS counted
    FROM indelible_workflows workflow
    CROSS JOIN json_each(?2) asked
    LEFT JOIN indelible_paused paused
      ON paused.app = workflow.app AND paused.workflow = workflow.id
    WHERE workflow.app = ?1
    ORDER BY workflow.id";

/// Goes over all workers: there is one row a process. Their runs are counted by `indelible_runs_of_worker`.
/// A worker that is gone is noticed as soon as somebody looks, so none has a lease.
const WORKERS: &str = "
    SELECT worker.id, worker.host, worker.pid, worker.joined_at, NULL AS expires_at, false AS is_late, (
        SELECT json_group_array(DISTINCT drives.value ->> '$.workflow') FROM json_each(worker.drives) drives
    ) AS workflows, (
        SELECT count(*) FROM (
            SELECT 1 FROM indelible_runs run WHERE run.worker = worker.id LIMIT ?2
        )
    ) AS counted
    FROM indelible_workers worker
    WHERE worker.app = ?1
    ORDER BY worker.joined_at, worker.id";

/// Served by the primary key.
const ATTRIBUTES: &str = "
    SELECT key, value FROM indelible_attributes WHERE run_id = ?1";

#[async_trait]
impl Views for SqliteStore {
    async fn run_summaries(
        &self,
        app: &str,
        query: &RunQuery,
    ) -> Result<Vec<RunSummary>, StoreError> {
        let page = match query {
            RunQuery { parent: Some(_), .. } => NEWEST_CHILDREN,
            RunQuery { event: Some(_), .. } => NEWEST_OF_EVENT,
            RunQuery { attribute: Some(_), .. } => NEWEST_WITH_ATTRIBUTE,
            _ => NEWEST,
        };
        let rows = self.list(page, app, query, query.downwards()).await?;
        rows.iter().map(RunSummary::read).collect()
    }

    async fn event_summaries(&self, query: &EventQuery) -> Result<Page<EventSummary>, StoreError> {
        let rows = sqlx::query(EVENTS)
            .bind(query.after.map(|event| event.to_string()))
            .bind(query.name.as_deref())
            .bind(if query.name.is_some() { LOOKED_THROUGH } else { query.page() })
            .bind(query.page())
            .fetch_all(self.readers()?)
            .await?;
        event_page(&rows, query)
    }

    async fn workflow_summaries(&self, app: &str) -> Result<Vec<WorkflowSummary>, StoreError> {
        let rows = sqlx::query(WORKFLOWS)
            .bind(app)
            .bind(batch(RunStatus::all()))
            .bind(COUNTED + 1)
            .fetch_all(self.readers()?)
            .await?;
        workflow_summaries(&rows)
    }

    async fn worker_records(&self, app: &str) -> Result<Vec<WorkerRecord>, StoreError> {
        let rows =
            sqlx::query(WORKERS).bind(app).bind(COUNTED + 1).fetch_all(self.readers()?).await?;
        rows.iter().map(WorkerRecord::read).collect()
    }

    async fn attributes(&self, run: RunId) -> Result<BTreeMap<String, String>, StoreError> {
        let rows = sqlx::query(ATTRIBUTES).bind(run.to_string()).fetch_all(self.readers()?).await?;
        rows.iter().map(|row| Ok((row.text("key")?, row.text("value")?))).collect()
    }
}
