//! Runs to be started, as one array a column.

use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use uuid::Uuid;

use super::database::Link;
use super::gates;
use super::queue::started;
use super::value::Time;
use super::waits::last_event;
use crate::store::gated::Subject;
use crate::store::hints::{Stirred, Work};
use crate::store::{NewRun, RunStatus, StoreError};

/// Runs whose triggers were accepted at `$7`, each its own. A run that is there already was
/// committed by an earlier attempt, and is left alone. Served by the primary keys of runs and events.
pub(super) const INSERT: &str = concat!(
    "
    WITH new AS (
        SELECT run.id, $1 AS app, run.workflow, $9 AS status, run.event_id,
               run.input::json AS input, run.seed,
               (extract(epoch FROM run.accepted_at) * 1000000)::bigint AS rank, run.accepted_at,
               run.scheduled_at, coalesce(event.since, ",
    last_event!(),
    ") AS since
        FROM unnest($2::uuid[], $3::text[], $4::uuid[], $5::text[], $6::uuid[], $7::timestamptz[],
                    $8::timestamptz[])
            AS run (id, workflow, event_id, input, seed, accepted_at, scheduled_at)
        LEFT JOIN indelible.events event ON event.id = run.event_id
    ),
    ",
    started!("new", "event_id, scheduled_at", "ON CONFLICT (id) DO NOTHING"),
    "
    SELECT count(*) FROM started"
);

#[derive(Default)]
pub(super) struct RunArrays<'a> {
    ids: Vec<Uuid>,
    workflows: Vec<&'a str>,
    events: Vec<Option<Uuid>>,
    inputs: Vec<&'a str>,
    seeds: Vec<Uuid>,
}

impl<'a> RunArrays<'a> {
    pub(super) fn are_none(&self) -> bool {
        self.ids.is_empty()
    }

    pub(super) fn push(&mut self, run: &'a NewRun) {
        self.ids.push(run.id.as_uuid());
        self.workflows.push(&run.workflow);
        self.events.push(run.event.map(|event| event.as_uuid()));
        self.inputs.push(run.input.as_str());
        self.seeds.push(run.seed);
    }

    /// Binds ids, workflows, events, inputs and seeds, in this order.
    pub(super) fn bind(
        self,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Query<'_, Postgres, PgArguments> {
        query
            .bind(self.ids)
            .bind(self.workflows)
            .bind(self.events)
            .bind(self.inputs)
            .bind(self.seeds)
    }
}

impl<'a> FromIterator<&'a NewRun> for RunArrays<'a> {
    fn from_iter<I: IntoIterator<Item = &'a NewRun>>(runs: I) -> Self {
        let mut arrays = Self::default();
        runs.into_iter().for_each(|run| arrays.push(run));
        arrays
    }
}

/// Starts runs whose triggers were accepted at the given times.
pub(super) async fn insert(
    connection: &mut Link,
    app: &str,
    runs: &[(NewRun, Time)],
) -> Result<Stirred, StoreError> {
    if runs.is_empty() {
        return Ok(Stirred::nothing());
    }
    let arrays: RunArrays<'_> = runs.iter().map(|(run, _)| run).collect();
    let times: Vec<Time> = runs.iter().map(|(_, at)| *at).collect();
    let scheduled: Vec<_> = runs.iter().map(|(run, _)| run.scheduled_at.map(Time)).collect();
    arrays
        .bind(sqlx::query(INSERT).bind(app))
        .bind(times)
        .bind(scheduled)
        .bind(RunStatus::Queued.name())
        .execute(&mut *connection)
        .await?;
    gates::admit(connection, app, &Subject::among(runs.iter().map(|(run, _)| run))).await?;
    Ok(Stirred::of(app, Work::READY))
}
