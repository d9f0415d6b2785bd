//! The plans of the statements that run all day: by index, whatever the planner knows of the tables.
//!
//! A prepared statement is planned once, maybe when its tables were empty, and kept.

use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::pool::SETTINGS;
use super::{
    accept, batches, checks, children, claim, flush, gates, history, inbox, later, leases,
    operators, route, runs, sent, sweep, unsettled, upkeep, views, waits, why,
};
use crate::store::conformance::{World, on_postgres};

const LISTED: &str = "text, uuid, text, text[], bigint, uuid, uuid, text, text, timestamptz, timestamptz, uuid, text";

const FLUSHED: &str = "uuid, uuid, text, uuid[], uuid[], integer[], text[], text[], text[], bigint[], \
     timestamptz[], float8[], uuid[], text[], text[], integer[], timestamptz[], uuid[], uuid[], text[], \
     text[], uuid[], text[], timestamptz[], boolean[], text[], text[], text[], text[]";

/// Name, statement, types of its parameters.
pub(super) const STATEMENTS: [(&str, &str, &str); 90] = [
    ("flush", flush::FLUSH, FLUSHED),
    ("flush ends", flush::FLUSH_ENDS, FLUSHED),
    ("landed", flush::LANDED, "uuid[], integer[], uuid"),
    (
        "claim",
        claim::CLAIM,
        "uuid, text, text[], bigint, bigint, text, text, uuid[], text[], text, integer",
    ),
    ("paused", operators::PAUSED, "text"),
    ("release", leases::RELEASE, "uuid[], text, uuid[]"),
    ("orphans", leases::ORPHANS, "uuid[]"),
    ("take over", leases::TAKE_OVER, "uuid[], uuid[], integer[], integer[], text"),
    ("cohorts", leases::COHORTS, "text"),
    ("what is about to begin", flush::BEGINNING, "uuid[], text[]"),
    ("try blocked events again", leases::UNBLOCK, "uuid[]"),
    ("try held runs again", leases::TRY_HELD, "uuid[], text"),
    ("wake", upkeep::WAKE, "bigint, text, text, float8"),
    ("route", route::TAKE, "text, bigint, float8, text[]"),
    (
        "accept",
        accept::ACCEPT,
        "text, text, text[], uuid[], text[], text[], boolean[], text[], uuid[], text[], uuid[], text[], \
         uuid[], timestamptz[], text[], boolean[], integer[]",
    ),
    ("open states of a run", why::OPEN, "uuid, bigint"),
    ("the gate of a run", why::GATE, "uuid, bigint"),
    ("runs that an event has reached", why::REACHED, "uuid, bigint"),
    ("keep events", accept::KEEP, "uuid[], text[], text[], timestamptz[], float8[], text[]"),
    ("take kept events", later::TAKE, "bigint"),
    ("events that are there", sent::SEEN, "uuid[]"),
    ("counts", history::COUNTS, "text"),
    ("children", history::CHILDREN, LISTED),
    ("runs", history::RUNS, LISTED),
    ("runs of an event", history::OF_EVENT, LISTED),
    ("runs with an attribute", history::WITH_ATTRIBUTE, LISTED),
    ("newest children", history::NEWEST_CHILDREN, LISTED),
    ("newest runs", history::NEWEST, LISTED),
    ("newest runs of an event", history::NEWEST_OF_EVENT, LISTED),
    ("newest runs with an attribute", history::NEWEST_WITH_ATTRIBUTE, LISTED),
    ("newest events", views::EVENTS, "uuid, text, bigint, bigint"),
    ("workflows", views::WORKFLOWS, "text, text[], bigint"),
    ("attributes", views::ATTRIBUTES, "uuid"),
    ("lock runs", operators::LOCK, "uuid[]"),
    ("rows", operators::ROWS, "uuid[]"),
    ("cut rows", operators::CUT, "uuid[], integer[]"),
    ("revive", operators::REVIVE, "uuid[], text, text"),
    ("runs that an operator begins", operators::BEGUN, "uuid[]"),
    ("fork", operators::FORK, "uuid, uuid, integer[], text, text, text"),
    ("events that were taken", operators::HAD, "uuid[], text"),
    ("replay", operators::REPLAY, "text, text, uuid[], uuid[], uuid[], text[]"),
    (
        "start",
        runs::INSERT,
        "text, text, timestamptz[], uuid[], text[], uuid[], text[], uuid[], timestamptz[], text[], boolean[], \
         integer[]",
    ),
    (
        "start children",
        children::START,
        "text, timestamptz, bigint, uuid[], uuid[], uuid[], text[], boolean[], text[], uuid[], boolean[], \
         integer[]",
    ),
    ("mark deliveries", route::MARK, "text, bigint[]"),
    ("remove deliveries", route::REMOVE, "text, bigint[]"),
    ("name runs", flush::NAME, "uuid[], text[], text[]"),
    ("drop rows", flush::DROP, "uuid[], integer[], integer[], text"),
    ("begin waits", waits::BEGIN, "uuid[], text[], uuid[], boolean[], bigint, text[]"),
    ("end waits", waits::END, "uuid[], text[], uuid[]"),
    ("look for events", waits::LOOK, "uuid[], text[], text, text, boolean"),
    ("begin waits with runs", waits::BEGIN_WITH_RUNS, "uuid[], text[], uuid[], text[], boolean"),
    ("begin waits of settled runs", waits::BEGIN_UNSETTLED, "uuid[], text[], uuid[], text[]"),
    ("unsettle runs", unsettled::UNSETTLE, "uuid[], boolean"),
    ("look for unsettled runs", unsettled::LOOK, "text, text[]"),
    ("take unsettled runs", unsettled::TAKE, "text, text[], bigint, text"),
    ("settle runs", unsettled::SETTLE, "text, uuid[], uuid[], text[]"),
    ("late waits", waits::LATE, "float8, bigint"),
    ("know events", waits::KNOW, "text, uuid[], uuid[]"),
    ("find waits", waits::FIND, "text, uuid[], uuid[], text, text"),
    ("settle messages", inbox::SETTLE, "uuid[], uuid[], boolean[], text, text"),
    ("ask children", inbox::ASK_CHILDREN, "uuid[], uuid[], text[], text"),
    ("messages", inbox::MESSAGES, "uuid, text"),
    ("rouse", inbox::ROUSE, "uuid[], text, text, text, text, uuid[], bigint"),
    ("sweep", inbox::TOLD, "uuid, bigint"),
    ("empty inboxes", inbox::EMPTY, "uuid[]"),
    (
        "add to batches",
        batches::OPEN,
        "text, text[], text[], bigint[], bigint[], timestamptz[], boolean[], timestamptz[]",
    ),
    ("overtake events", batches::OVERTAKE, "text, text[], text[], bigint[], uuid[]"),
    ("due batches", batches::DUE, "text, bigint, text[]"),
    ("next batch", batches::NEXT, "text"),
    ("events of batches", batches::EVENTS, "text, text[], text[]"),
    ("take from batches", batches::TAKE, "text, text[], text[], bigint[]"),
    ("close batches", batches::CLOSE, "text, text[], text[]"),
    (
        "keep batches",
        batches::KEEP,
        "text, text[], text[], bigint[], bigint[], timestamptz[], timestamptz[]",
    ),
    ("admit", gates::ADMIT, "uuid[], boolean[], integer[]"),
    ("enter", gates::ENTER, "uuid[], uuid[], text[], text[], text[], smallint[]"),
    ("look at gates", gates::LOOK, "text"),
    ("gather gates", gates::GATHER, "text, bigint, bigint, text"),
    ("sweep counters", sweep::COUNTERS, "text, bigint, float8"),
    ("sweep what was skipped", sweep::SKIPPED, "text, bigint, float8"),
    ("sweep idempotency keys", sweep::KEYS, "bigint, float8"),
    ("how gates stand", gates::STATES, "uuid[]"),
    ("who waits at gates", gates::WAITERS, "uuid[], bigint[]"),
    ("pass gates", gates::PASS, "uuid[]"),
    ("move to other gates", gates::MOVE, "uuid[], uuid[], uuid[]"),
    ("count at gates", gates::COUNT, "uuid[], timestamptz[], timestamptz[]"),
    ("windows", checks::WINDOWS, "text, uuid[], text[]"),
    ("present runs", checks::PRESENT, "uuid[]"),
    (
        "count in windows",
        checks::COUNT,
        "text, uuid[], text[], text[], timestamptz[], bigint[], bigint[]",
    ),
    ("skip", checks::SKIP, "text, uuid[], text[], text[], timestamptz[]"),
    ("cancel", operators::ASK, "uuid[], uuid[], text, text"),
];

const GROW_HISTORY: &str = "
    INSERT INTO indelible.runs (id, app, workflow, status, input, seed, rank, accepted_at, since)
    SELECT gen_random_uuid(), 'shop', 'on-order', 'completed', '{}', gen_random_uuid(), n, now(), 0
    FROM generate_series(1, 20000) n;
    INSERT INTO indelible.attributes (run_id, key, app, value)
    SELECT id, 'customer', app, id::text FROM indelible.runs;
    INSERT INTO indelible.journal (run_id, seq, key, kind, transition, commit_id, at)
    SELECT id, 0, 'a', 'run', 'succeeded', gen_random_uuid(), now() FROM indelible.runs;
    INSERT INTO indelible.events (id, name, data, accepted_at, since)
    SELECT id, 'order/placed', '{}', now(), 0 FROM indelible.runs";

const GROW_QUEUES: &str = "
    INSERT INTO indelible.ready (run_id, app, workflow, rank)
    SELECT id, app, workflow, rank FROM indelible.runs;
    INSERT INTO indelible.timers (run_id, due_at) SELECT id, now() FROM indelible.runs;
    INSERT INTO indelible.deliveries (app, event_id, part)
    SELECT app, id, 'order/placed' FROM indelible.runs;
    INSERT INTO indelible.batches (app, workflow, key, events, bytes, due_at, slides)
    SELECT app, workflow, id, 1, 3, now(), false FROM indelible.runs;
    INSERT INTO indelible.slots (run_id, gate, app, name, key, hold, place, state, rank, since)
    SELECT id, id, app, 'on-order/concurrency', '', 'active', 0, 'waits', rank, now()
    FROM indelible.runs;
    INSERT INTO indelible.openings (app, gate) SELECT app, id FROM indelible.runs;
    INSERT INTO indelible.unsettled (app, workflow, run_id, since)
    SELECT app, workflow, id, 0 FROM indelible.runs;
    INSERT INTO indelible.counters (gate, app, name, key, until, due_at)
    SELECT id, app, 'on-order/throttle', '', now(), now() FROM indelible.runs;
    INSERT INTO indelible.batched (app, workflow, key, seq, event_id)
    SELECT app, workflow, id, 1, id FROM indelible.runs;
    INSERT INTO indelible.waits (run_id, key, app, hash, since, made_at, looked)
    SELECT gen_random_uuid(), 'paid', 'shop', gen_random_uuid(), 0, now(), true
    FROM generate_series(1, 100000);
    INSERT INTO indelible.event_keys (app, hash, position)
    SELECT 'shop', gen_random_uuid(), position FROM indelible.events;
    INSERT INTO indelible.inbox (run_id, id, kind, at)
    SELECT id, id, 'event', now() FROM indelible.runs";

/// The plan that is kept for a statement.
async fn plan(connection: &mut PgConnection, name: &str) -> String {
    let (_, sql, types) =
        STATEMENTS.iter().find(|(known, ..)| *known == name).expect("it is one of them");
    let nulls = vec!["NULL"; types.split(',').count()].join(", ");
    let prepare = format!("PREPARE statement ({types}) AS {sql}");
    sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut *connection).await.expect("it is prepared");
    let explain = format!("EXPLAIN EXECUTE statement ({nulls})");
    let lines: Vec<String> = sqlx::query_scalar(AssertSqlSafe(explain))
        .persistent(false)
        .fetch_all(&mut *connection)
        .await
        .expect("it is explained");
    sqlx::raw_sql("DEALLOCATE statement").execute(connection).await.expect("it is forgotten");
    lines.join("\n")
}

/// A connection that is set as the store's are.
async fn connect(world: &World) -> PgConnection {
    let options = PgConnectOptions::from_str(&world.database.url()).expect("it is a URL");
    let options = options.options(SETTINGS).options([("plan_cache_mode", "force_generic_plan")]);
    PgConnection::connect_with(&options).await.expect("it connects")
}

async fn assert_by_index(world: &World) {
    let mut connection = connect(world).await;
    for (name, ..) in STATEMENTS {
        let plan = plan(&mut connection, name).await;
        for refused in ["Seq Scan on", "Hash Join", "Merge Join", "Materialize"] {
            assert!(!plan.contains(refused), "{name}: {refused}\n{plan}");
        }
        assert_eq!(whole_indexes(&plan), [""; 0], "{name}\n{plan}");
        // Right for what concerns all that a worker holds; for an entry of a flush it is the wrong way.
        let by_worker = plan.contains("runs_of_worker");
        assert_eq!(by_worker, ["release", "orphans", "messages"].contains(&name), "{name}\n{plan}");
    }
}

/// The growing tables that a plan goes through by an index without looking anything up. (The next
/// timer is the index's first; there are few workers and subscriptions.)
fn whole_indexes(plan: &str) -> Vec<&str> {
    const GROWING: [&str; 13] = [
        "runs",
        "timers",
        "journal",
        "events",
        "ready",
        "deliveries",
        "waits",
        "event_keys",
        "inbox",
        "slots",
        "openings",
        "unsettled",
        "counters",
    ];
    let lines: Vec<&str> = plan.lines().collect();
    let scans = lines.iter().enumerate().filter(|(_, line)| line.contains("Scan using "));
    scans
        .filter(|(at, _)| !lines.get(at + 1).is_some_and(|next| next.contains("Index Cond")))
        .filter_map(|(_, line)| line.split_once(" on ")?.1.split(' ').next())
        .filter(|table| GROWING.contains(table))
        .collect()
}

#[tokio::test]
async fn plans_are_by_index_when_the_tables_are_new() {
    on_postgres(|world: World| async move { assert_by_index(&world).await }).await;
}

#[tokio::test]
async fn plans_are_by_index_when_the_tables_have_grown_unseen() {
    on_postgres(|world: World| async move {
        let queues = [
            "ready",
            "timers",
            "deliveries",
            "batches",
            "batched",
            "waits",
            "event_keys",
            "inbox",
            "slots",
            "openings",
            "unsettled",
            "counters",
        ];
        for table in ["runs", "journal", "events"].into_iter().chain(queues) {
            let unseen = format!("ALTER TABLE indelible.{table} SET (autovacuum_enabled = off)");
            world.database.execute(&unseen).await;
        }
        world.database.execute(GROW_HISTORY).await;
        world.database.execute(GROW_QUEUES).await;
        assert_by_index(&world).await;
    })
    .await;
}

/// Queues are empty most of the time, and that is when they are vacuumed.
#[tokio::test]
async fn plans_are_by_index_when_the_queues_are_known_to_be_empty() {
    on_postgres(|world: World| async move {
        world.database.execute(GROW_HISTORY).await;
        world.database.execute("VACUUM ANALYZE").await;
        assert_by_index(&world).await;
    })
    .await;
}

#[tokio::test]
async fn plans_are_by_index_when_the_tables_are_known() {
    on_postgres(|world: World| async move {
        world.database.execute(GROW_HISTORY).await;
        world.database.execute(GROW_QUEUES).await;
        world.database.execute("ANALYZE").await;
        assert_by_index(&world).await;
    })
    .await;
}

/// The planner takes a scan for so expensive that it would have it compiled.
#[tokio::test]
async fn what_has_to_be_scanned_is_not_compiled() {
    on_postgres(|world: World| async move {
        let scan = "EXPLAIN SELECT 1 FROM indelible.workers WHERE expires_at < now()";
        let mut connection = connect(&world).await;
        let plan: Vec<String> =
            sqlx::query_scalar(scan).fetch_all(&mut connection).await.expect("it is explained");
        let plan = plan.join("\n");
        assert!(plan.contains("Seq Scan") && !plan.contains("JIT"), "{plan}");
    })
    .await;
}
