use std::collections::BTreeMap;

use async_trait::async_trait;

use super::PostgresStore;
use super::history::{NEWEST, NEWEST_CHILDREN, NEWEST_OF_EVENT, NEWEST_WITH_ATTRIBUTE};
use crate::event::EventId;
use crate::journal::RunId;
use crate::store::read::Columns;
use crate::store::views::{COUNTED, LOOKED_THROUGH, event_page, workflow_summaries};
use crate::store::{
    EventQuery, EventSummary, Page, RunQuery, RunStatus, RunSummary, StoreError, Views,
    WorkerRecord, WorkflowSummary,
};

/// Served by `events_in_order` and the primary key. The last row says how far was looked, if that was not to
/// the end.
pub(super) const EVENTS: &str = "
    WITH looked AS MATERIALIZED (
        SELECT id, name, position FROM indelible.events
        WHERE position < coalesce(
            (SELECT position FROM indelible.events WHERE id = $1), 9223372036854775807
        )
        ORDER BY position DESC LIMIT $3
    ), page AS (
        SELECT id, position FROM looked WHERE $2::text IS NULL OR name = $2
        ORDER BY position DESC LIMIT $4
    )
    SELECT event.id, event.name, event.accepted_at, event.data::text AS data, event.position
    FROM page JOIN indelible.events event ON event.id = page.id
    UNION ALL
    SELECT last.id, NULL, NULL, NULL, last.position
    FROM (SELECT id, position FROM looked ORDER BY position LIMIT 1) AS last
    WHERE (SELECT count(*) FROM looked) = $3
    ORDER BY position DESC";

/// Served by the primary keys and `runs_by_status`: up to so many rows of it for each workflow and status.
pub(super) const WORKFLOWS: &str = "
    SELECT workflow.id, workflow.registered_at, paused.at AS paused_at, asked.status, counted.counted
    FROM indelible.workflows workflow
    LEFT JOIN indelible.paused paused
      ON paused.app = workflow.app AND paused.workflow = workflow.id
    CROSS JOIN unnest($2::text[]) AS asked (status)
    CROSS JOIN LATERAL (
        SELECT count(*) AS counted FROM (
            SELECT 1 FROM indelible.runs run
            WHERE run.app = workflow.app AND run.status = asked.status AND run.workflow = workflow.id
            LIMIT $3
        ) bounded
    ) counted
    WHERE workflow.app = $1
    ORDER BY workflow.id";

/// Goes over all workers: there is one row a process. Their runs are counted by `runs_of_worker`.
pub(super) const WORKERS: &str = "
    SELECT worker.id, worker.host, worker.pid, worker.joined_at, worker.expires_at,
           worker.expires_at <= now() AS is_late, worker.workflows, counted.counted
    FROM indelible.workers worker
    CROSS JOIN LATERAL (
        SELECT count(*) AS counted FROM (
            SELECT 1 FROM indelible.runs run WHERE run.worker = worker.id LIMIT $2
        ) bounded
    ) counted
    WHERE worker.app = $1
    ORDER BY worker.joined_at, worker.id";

/// Served by the primary key.
pub(super) const ATTRIBUTES: &str = "
    SELECT key, value FROM indelible.attributes WHERE run_id = $1";

#[async_trait]
impl Views for PostgresStore {
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
            .bind(query.after.map(EventId::as_uuid))
            .bind(query.name.as_deref())
            .bind(if query.name.is_some() { LOOKED_THROUGH } else { query.page() })
            .bind(query.page())
            .fetch_all(&mut self.database.acquire().await?)
            .await?;
        event_page(&rows, query)
    }

    async fn workflow_summaries(&self, app: &str) -> Result<Vec<WorkflowSummary>, StoreError> {
        let statuses: Vec<_> = RunStatus::all().collect();
        let rows = sqlx::query(WORKFLOWS)
            .bind(app)
            .bind(statuses)
            .bind(COUNTED + 1)
            .fetch_all(&mut self.database.acquire().await?)
            .await?;
        workflow_summaries(&rows)
    }

    async fn worker_records(&self, app: &str) -> Result<Vec<WorkerRecord>, StoreError> {
        let rows = sqlx::query(WORKERS)
            .bind(app)
            .bind(COUNTED + 1)
            .fetch_all(&mut self.database.acquire().await?)
            .await?;
        rows.iter().map(WorkerRecord::read).collect()
    }

    async fn attributes(&self, run: RunId) -> Result<BTreeMap<String, String>, StoreError> {
        let rows = sqlx::query(ATTRIBUTES)
            .bind(run.as_uuid())
            .fetch_all(&mut self.database.acquire().await?)
            .await?;
        rows.iter().map(|row| Ok((row.text("key")?, row.text("value")?))).collect()
    }
}
