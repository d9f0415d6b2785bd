//! How events are written, whoever accepts them, now or later.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{Executor, Postgres, Row as _};
use uuid::Uuid;

use super::database::Link;
use super::queue::started;
use super::runs::RunArrays;
use super::value::Time;
use super::waits::last_event;
use crate::event::EventId;
use crate::flow::NewRun;
use crate::id::RunId;
use crate::journal::{Due, round_up};
use crate::store::dedupe::REMEMBERED;
use crate::store::hints::{Stirred, Work};
use crate::store::{NewEvent, RunStatus, StoreError};
use crate::trace::TraceContext;

/// Served by the table's primary key. A key that was forgotten by the time this transaction began is
/// taken anew; one that another transaction is about to write is waited for.
const REMEMBER: &str = "
    INSERT INTO indelible.dedupe AS known (event_name, key, event_id, expires_at)
    SELECT event_name, key, event_id, clock_timestamp() + $4 * interval '1 second'
    FROM unnest($1::text[], $2::text[], $3::uuid[]) AS new (event_name, key, event_id)
    ON CONFLICT (event_name, key) DO UPDATE SET
        event_id = CASE WHEN known.expires_at <= now()
            THEN excluded.event_id ELSE known.event_id END,
        expires_at = CASE WHEN known.expires_at <= now()
            THEN excluded.expires_at ELSE known.expires_at END
    RETURNING event_name, key, event_id";

/// Events, one delivery for each app that subscribes to their names, and the runs that come with
/// them. `$1` has started the runs of `$7`, hosted events, and is told of those only for parts that are
/// not in `$3`: another version of its program has them. From `$9` on it has [`RunArrays`].
///
/// What is there already was committed by an earlier attempt, and is left alone. What another
/// transaction is about to write is a duplicate: then this statement fails, to be run again. Gives the
/// apps that have deliveries, the runs that were started, and the names that nobody subscribes to.
/// Served by the primary keys of events, subscriptions and runs.
pub(super) const ACCEPT: &str = concat!(
    "
    WITH clock AS MATERIALIZED (
        SELECT clock_timestamp() AS at, ",
    last_event!(),
    " AS since
    ),
    event AS MATERIALIZED (
        SELECT id, name, data, hosted, trace_context, place
        FROM unnest($4::uuid[], $5::text[], $6::text[], $7::boolean[], $8::text[])
            WITH ORDINALITY AS event (id, name, data, hosted, trace_context, place)
        WHERE NOT EXISTS (SELECT 1 FROM indelible.events known WHERE known.id = event.id)
    ),
    new AS (
        SELECT id, $1 AS app, workflow, $2 AS status, event_id, input::json AS input, seed,
               (extract(epoch FROM at) * 1000000)::bigint - ahead::bigint * 1000000 AS rank,
               at AS accepted_at, scheduled_at, trace_context, gated, since
        FROM clock,
             unnest($9::uuid[], $10::text[], $11::uuid[], $12::text[], $13::uuid[],
                    $14::timestamptz[], $15::text[], $16::boolean[], $17::integer[])
                 AS run (id, workflow, event_id, input, seed, scheduled_at, trace_context, gated, ahead)
        WHERE NOT EXISTS (SELECT 1 FROM indelible.runs known WHERE known.id = run.id)
    ),
    accepted AS (
        INSERT INTO indelible.events (id, name, data, accepted_at, since, trace_context)
        SELECT id, name, data::json, at, since, trace_context FROM clock, event ORDER BY place
    ),
    delivered AS (
        INSERT INTO indelible.deliveries (app, event_id, part)
        SELECT subscription.app, event.id, subscription.part
        FROM event
        JOIN indelible.subscriptions subscription ON subscription.event_name = event.name
        WHERE CASE WHEN event.hosted AND subscription.app = $1 THEN subscription.part <> ALL ($3)
            ELSE subscription.part = event.name END
        ORDER BY event.place
        RETURNING app
    ),
    ",
    started!("new", "event_id, scheduled_at, trace_context, gated"),
    "
    SELECT DISTINCT app, NULL::uuid, NULL::text FROM delivered
    UNION ALL
    SELECT NULL, id, NULL FROM started
    UNION ALL
    SELECT NULL, NULL, event.name FROM event
    WHERE NOT event.hosted AND NOT EXISTS (
        SELECT 1 FROM indelible.subscriptions known WHERE known.event_name = event.name
    )"
);

/// Events that are accepted later. Those without a time are due at once. What was kept or accepted by an earlier attempt is left alone.
/// Served by the primary keys of `later` and of events.
pub(super) const KEEP: &str = "
    INSERT INTO indelible.later (id, name, data, due_at, trace_context)
    SELECT id, name, data::json,
           coalesce(due_at, clock_timestamp() + wait * interval '1 microsecond', '-infinity'),
           trace_context
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::float8[], $6::text[])
        WITH ORDINALITY AS event (id, name, data, due_at, wait, trace_context, place)
    WHERE NOT EXISTS (SELECT 1 FROM indelible.events known WHERE known.id = event.id)
    ORDER BY place
    ON CONFLICT (id) DO NOTHING";

pub(super) async fn insert<'a>(
    connection: &mut Link,
    hosted_by: Option<&str>,
    events: impl Iterator<Item = &'a NewEvent> + Clone,
) -> Result<Written, StoreError> {
    // Without a host there is no app to file the runs under.
    let hosted = events.clone().filter(|_| hosted_by.is_some());
    let runs = hosted.filter_map(|event| event.hosted.as_ref()).flat_map(|hosted| &hosted.runs);
    write(connection, hosted_by, events.collect(), runs).await
}

/// What a statement of [`ACCEPT`] has written.
pub(super) struct Written {
    pub(super) stirred: Stirred,
    /// The runs that were not there before.
    pub(super) started: HashSet<RunId>,
    /// The names of events that nobody subscribes to.
    pub(super) unheard: Vec<String>,
}

pub(super) async fn write<'a>(
    connection: &mut Link,
    app: Option<&str>,
    events: EventArrays<'_>,
    runs: impl Iterator<Item = &'a NewRun>,
) -> Result<Written, StoreError> {
    let runs: RunArrays<'_> = runs.collect();
    let parts: Vec<&str> = events.parts.into_iter().collect();
    let mut stirred = app.map_or_else(Stirred::nothing, |app| Stirred::of(app, runs.work()));
    let accept = sqlx::query(ACCEPT)
        .bind(app)
        .bind(RunStatus::Queued.name())
        .bind(parts)
        .bind(events.ids)
        .bind(events.names)
        .bind(events.data)
        .bind(events.hosted)
        .bind(events.traces);
    let rows = runs.bind(accept).fetch_all(connection).await?;
    let (mut started, mut unheard) = (HashSet::new(), Vec::new());
    for row in &rows {
        if let Some(app) = row.try_get(0)? {
            stirred.add(app, Work::DELIVERIES);
        }
        started.extend(row.try_get::<Option<Uuid>, _>(1)?.map(RunId::from));
        unheard.extend(row.try_get::<Option<String>, _>(2)?);
    }
    Ok(Written { stirred, started, unheard })
}

#[derive(Default)]
pub(super) struct EventArrays<'a> {
    ids: Vec<Uuid>,
    names: Vec<&'a str>,
    data: Vec<&'a str>,
    hosted: Vec<bool>,
    traces: Vec<Option<&'a str>>,
    parts: BTreeSet<&'a str>,
}

impl<'a> FromIterator<&'a NewEvent> for EventArrays<'a> {
    fn from_iter<I: IntoIterator<Item = &'a NewEvent>>(events: I) -> Self {
        let mut arrays = Self::default();
        for event in events {
            arrays.ids.push(event.id.as_uuid());
            arrays.names.push(&event.name);
            arrays.data.push(event.data.as_str());
            arrays.hosted.push(event.hosted.is_some());
            arrays.traces.push(trace(event));
            let parts = event.hosted.iter().flat_map(|hosted| &*hosted.parts);
            arrays.parts.extend(parts.map(String::as_str));
        }
        arrays
    }
}

/// Which event each idempotency key of the batch names.
pub(super) async fn remember<'e>(
    executor: impl Executor<'e, Database = Postgres>,
    keys: BTreeMap<(&str, &str), EventId>,
) -> Result<HashMap<(String, String), EventId>, StoreError> {
    let (names, texts): (Vec<&str>, Vec<&str>) = keys.keys().copied().unzip();
    let ids: Vec<Uuid> = keys.values().map(|id| id.as_uuid()).collect();
    let rows: Vec<(String, String, Uuid)> = sqlx::query_as(REMEMBER)
        .bind(names)
        .bind(texts)
        .bind(ids)
        .bind(REMEMBERED.as_secs_f64())
        .fetch_all(executor)
        .await?;
    Ok(rows.into_iter().map(|(name, key, id)| ((name, key), id.into())).collect())
}

/// Keeps events until they are due.
pub(super) fn keep(events: &[NewEvent]) -> Query<'_, Postgres, PgArguments> {
    let due = |event: &NewEvent| event.due.map(Due::bounded);
    let at = |event| match due(event) {
        Some(Due::At(at)) => Some(Time(round_up(at))),
        _ => None,
    };
    let wait = |event| match due(event) {
        Some(Due::After(wait)) => Some(wait.as_micros() as f64),
        _ => None,
    };
    sqlx::query(KEEP)
        .bind(events.iter().map(|event| event.id.as_uuid()).collect::<Vec<_>>())
        .bind(events.iter().map(|event| &*event.name).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.data.as_str()).collect::<Vec<_>>())
        .bind(events.iter().map(at).collect::<Vec<_>>())
        .bind(events.iter().map(wait).collect::<Vec<_>>())
        .bind(events.iter().map(trace).collect::<Vec<_>>())
}

/// What is stored of an event's trace.
pub(super) fn trace(event: &NewEvent) -> Option<&str> {
    event.trace.as_ref().map(TraceContext::as_str)
}
