use async_trait::async_trait;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::value::Time;
use super::{PostgresStore, limits};
use crate::event::EventId;
use crate::journal::{Row, RunId};
use crate::store::columns::written;
use crate::store::{History, LimitRecord, RunCount, RunQuery, RunRecord, StoreError};

/// The columns that [`RunRecord::read`] reads.
macro_rules! select {
    () => {
        "
    SELECT run.id, run.workflow, run.status, run.event_id, run.parent, run.input::text AS input,
           run.accepted_at, run.scheduled_at, run.started_at, run.ended_at, run.output::text AS output,
           run.error::text AS error, run.cancelled, run.held, run.generation, run.began_at, run.seed,
           run.retries, run.trace_context"
    };
}

/// Served by the primary key.
const RUN: &str = concat!(
    select!(),
    "
    FROM indelible.runs run WHERE run.id = $1"
);

/// Served by the primary key.
const JOURNAL: &str = "
    SELECT seq, key, kind, transition, attempt, due_at, child, outcome::text AS outcome,
           error::text AS error, started_at, first_seq, at
    FROM indelible.journal WHERE run_id = $1 ORDER BY seq";

/// What [`RunSummary::read`] reads.
macro_rules! summary {
    () => {
        "
    SELECT run.id, run.workflow, run.status, run.event_id, run.parent, run.accepted_at, run.scheduled_at,
           run.started_at, run.ended_at, run.error::text AS error, run.cancelled, run.held, run.generation,
           run.retries"
    };
}

/// Whether a run's error or reason has a text.
macro_rules! says {
    ($run:literal) => {
        concat!(
            "($13::text IS NULL OR strpos(lower(concat_ws(' ', ",
            $run,
            ".error ->> 'message', ",
            $run,
            ".error ->> 'causes', ",
            $run,
            ".cancelled, ",
            $run,
            ".held)), lower($13)) > 0)"
        )
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
    WHERE run.app = $1 AND run.id > $2 AND run.id < $12 AND ($3::text IS NULL OR run.workflow = $3)
      AND run.status = ANY ($4) AND ($6::uuid IS NULL OR run.parent = $6)
      AND ($7::uuid IS NULL OR run.event_id = $7 OR EXISTS (
          SELECT 1 FROM indelible.reached reached
          WHERE reached.event_id = $7 AND reached.run_id = run.id AND reached.key = ''
      ))
      AND ($8::text IS NULL OR EXISTS (
          SELECT 1 FROM indelible.attributes attribute
          WHERE attribute.run_id = run.id AND attribute.key = $8 AND attribute.value = $9
      ))
      AND run.accepted_at >= coalesce($10, '-infinity')
      AND run.accepted_at < coalesce($11, 'infinity')
      AND ",
            says!("run"),
            "
      AND ",
            $narrowed,
            "
    ORDER BY run.id",
            $order,
            " LIMIT $5"
        )
    };
}

/// First come the pages of each workflow and status, then that of all. Which workflows there are is
/// found by leaps through `runs_by_status`, which serves the rest as well.
macro_rules! among_all {
    ($columns:ident, $order:literal) => {
        concat!(
            "
    WITH RECURSIVE part (status, workflow) AS (
        SELECT status, (
            SELECT min(workflow) FROM indelible.runs
            WHERE app = $1 AND runs.status = asked.status AND workflow >= coalesce($3, '')
        )
        FROM unnest($4::text[]) AS asked (status)
        UNION ALL
        SELECT part.status, (
            SELECT min(workflow) FROM indelible.runs
            WHERE app = $1 AND runs.status = part.status AND runs.workflow > part.workflow
        )
        FROM part WHERE part.workflow IS NOT NULL AND $3 IS NULL
    ), run AS (
        SELECT listed.* FROM part, LATERAL (
            SELECT * FROM indelible.runs
            WHERE app = $1 AND runs.status = part.status AND runs.workflow = part.workflow
              AND id > $2 AND id < $12
              AND accepted_at >= coalesce($10, '-infinity') AND accepted_at < coalesce($11, 'infinity')
              AND ",
            says!("runs"),
            "
            ORDER BY id",
            $order,
            " LIMIT $5
        ) listed
    )",
            page!($columns, $order, "run", "true")
        )
    };
}

pub(super) const RUNS: &str = among_all!(select, "");
pub(super) const NEWEST: &str = among_all!(summary, " DESC");

/// Among the children of one run. Served by `runs_of_parent`.
macro_rules! among_children {
    ($columns:ident, $order:literal) => {
        page!($columns, $order, "indelible.runs run", "run.parent = $6")
    };
}

pub(super) const CHILDREN: &str = among_children!(select, "");
pub(super) const NEWEST_CHILDREN: &str = among_children!(summary, " DESC");

/// Among what one event has started, alone or with others. Served by `runs_of_event` and the primary keys.
macro_rules! among_those_of_event {
    ($columns:ident, $order:literal) => {
        page!(
            $columns,
            $order,
            "(
        SELECT id FROM indelible.runs WHERE event_id = $7
        UNION SELECT run_id FROM indelible.reached WHERE event_id = $7 AND key = ''
    ) began JOIN indelible.runs run ON run.id = began.id",
            "true"
        )
    };
}

pub(super) const OF_EVENT: &str = among_those_of_event!(select, "");
pub(super) const NEWEST_OF_EVENT: &str = among_those_of_event!(summary, " DESC");

/// Among the runs with an attribute. Served by `attributes_by_value` and the primary key of runs.
macro_rules! among_those_with_attribute {
    ($columns:ident, $order:literal) => {
        page!(
            $columns,
            $order,
            "indelible.attributes named JOIN indelible.runs run ON run.id = named.run_id",
            "named.app = $1 AND named.key = $8 AND named.value = $9 AND named.run_id > $2
      AND named.run_id < $12"
        )
    };
}

pub(super) const WITH_ATTRIBUTE: &str = among_those_with_attribute!(select, "");
pub(super) const NEWEST_WITH_ATTRIBUTE: &str = among_those_with_attribute!(summary, " DESC");

/// Served by `runs_by_status` alone.
pub(super) const COUNTS: &str = "
    SELECT workflow, status, count(*) AS runs FROM indelible.runs
    WHERE app = $1 GROUP BY workflow, status ORDER BY workflow, status";

#[async_trait]
impl History for PostgresStore {
    async fn run(&self, id: RunId) -> Result<Option<RunRecord>, StoreError> {
        let row = sqlx::query(RUN)
            .bind(id.as_uuid())
            .fetch_optional(&mut self.database.acquire().await?)
            .await?;
        row.as_ref().map(RunRecord::read).transpose()
    }

    async fn journal(&self, id: RunId) -> Result<Vec<Row>, StoreError> {
        let rows = sqlx::query(JOURNAL)
            .bind(id.as_uuid())
            .fetch_all(&mut self.database.acquire().await?)
            .await?;
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
        let rows =
            sqlx::query(COUNTS).bind(app).fetch_all(&mut self.database.acquire().await?).await?;
        rows.iter().map(RunCount::read).collect()
    }

    async fn limits(&self, app: &str) -> Result<Vec<LimitRecord>, StoreError> {
        limits::all(&self.database, app).await
    }
}

impl PostgresStore {
    /// A page of the runs whose ids are between two others.
    pub(super) async fn list(
        &self,
        page: &'static str,
        app: &str,
        query: &RunQuery,
        (above, below): (Uuid, Uuid),
    ) -> Result<Vec<PgRow>, StoreError> {
        let attribute = query.attribute.as_ref();
        let listed = sqlx::query(page)
            .bind(app)
            .bind(above)
            .bind(query.workflow.as_deref())
            .bind(query.statuses())
            .bind(query.page())
            .bind(query.parent.map(RunId::as_uuid))
            .bind(query.event.map(EventId::as_uuid))
            .bind(attribute.map(|(key, _)| key))
            .bind(attribute.map(|(_, value)| value))
            .bind(query.since.map(Time))
            .bind(query.before.map(Time))
            .bind(below)
            .bind(query.error.as_deref());
        Ok(listed.fetch_all(&mut self.database.acquire().await?).await?)
    }
}
