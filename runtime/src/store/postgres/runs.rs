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
use crate::flow::NewRun;
use crate::store::gated::Subject;
use crate::store::hints::{Stirred, Work};
use crate::store::{RunStatus, StoreError};
use crate::trace::TraceContext;

/// Runs whose triggers were accepted at `$3`, each its own. A run that is there already was
/// committed by an earlier attempt, and is left alone. From `$4` on it has [`RunArrays`]. Served by the
/// primary keys of runs and events.
pub(super) const INSERT: &str = concat!(
    "
    WITH new AS (
        SELECT run.id, $1 AS app, run.workflow, $2 AS status, run.event_id,
               run.input::json AS input, run.seed, run.gated,
               (extract(epoch FROM run.accepted_at) * 1000000)::bigint
                   - run.ahead::bigint * 1000000 AS rank,
               run.accepted_at, run.scheduled_at, run.trace_context, coalesce(event.since, ",
    last_event!(),
    ") AS since
        FROM unnest($3::timestamptz[],
                    $4::uuid[], $5::text[], $6::uuid[], $7::text[], $8::uuid[], $9::timestamptz[],
                    $10::text[], $11::boolean[], $12::integer[])
            AS run (accepted_at, id, workflow, event_id, input, seed, scheduled_at, trace_context,
                    gated, ahead)
        LEFT JOIN indelible.events event ON event.id = run.event_id
    ),
    ",
    started!("new", "event_id, scheduled_at, trace_context, gated", "ON CONFLICT (id) DO NOTHING"),
    "
    SELECT count(*) FROM started"
);

/// The last parameters of each statement that starts [`NewRun`]s, so that one more moves no others.
#[derive(Default)]
pub(super) struct RunArrays<'a> {
    ids: Vec<Uuid>,
    workflows: Vec<&'a str>,
    events: Vec<Option<Uuid>>,
    inputs: Vec<&'a str>,
    seeds: Vec<Uuid>,
    scheduled: Vec<Option<Time>>,
    traces: Vec<Option<&'a str>>,
    gated: Vec<bool>,
    ahead: Vec<i32>,
}

impl<'a> RunArrays<'a> {
    fn push(&mut self, run: &'a NewRun) {
        self.ids.push(run.id.as_uuid());
        self.workflows.push(&run.workflow);
        self.events.push(run.event.map(|event| event.as_uuid()));
        self.inputs.push(run.input.as_str());
        self.seeds.push(run.seed);
        self.scheduled.push(run.scheduled_at.map(Time));
        self.traces.push(run.trace.as_ref().map(TraceContext::as_str));
        self.gated.push(!run.gates.is_empty());
        self.ahead.push(run.ahead);
    }

    /// What it leaves to be done that these runs are made.
    pub(super) fn work(&self) -> Work {
        let kinds = self.gated.iter().map(|gated| if *gated { Work::GATES } else { Work::READY });
        kinds.collect()
    }

    /// Binds what is unnested as `id`, `workflow`, `event_id`, `input`, `seed`, `scheduled_at`,
    /// `trace_context`, `gated` and `ahead`.
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
            .bind(self.scheduled)
            .bind(self.traces)
            .bind(self.gated)
            .bind(self.ahead)
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
    let insert = sqlx::query(INSERT).bind(app).bind(RunStatus::Queued.name()).bind(times);
    let stirred = Stirred::of(app, arrays.work());
    arrays.bind(insert).execute(&mut *connection).await?;
    gates::enter(connection, app, &Subject::among(runs.iter().map(|(run, _)| run))).await?;
    Ok(stirred)
}
