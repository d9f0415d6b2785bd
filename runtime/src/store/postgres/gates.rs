//! Gates: what a run has to pass before it can be claimed.
//!
//! A run that has gates waits at the first of them from when it is made. One that goes on after it was parked is
//! ready like any other, in a lane of its own, where no worker claims it; the opener of its app has it wait at the
//! first gate that it has not passed. Whoever comes to a gate or frees a slot leaves an opening in the same commit.
//! The opener lets runs through, as [`Opened`] says, and only it does: the openers of an app take turns, so each
//! sees what the one before has let through.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::database::{Database, Link};
use super::queue::released;
use super::value::Time;
use crate::flow::{GateState, Opened};
use crate::store::gated::{
    ASKING, StandRow, Subject, hold_name, read_gate, unfinished, waiters, wanted,
};
use crate::store::hints::{Stirred, Work};
use crate::store::message::CANCEL;
use crate::store::read::Columns as _;
use crate::store::{Readied, StoreError};

/// Makes the openers of an app take turns, until the end of the transaction.
const TAKE_TURNS: &str = "SELECT pg_advisory_xact_lock(hashtext('indelible.gates'), hashtext($1))";

/// Says of runs that were there before what they have to pass, and how much they are ahead. Those that have gates
/// are no longer ready. Served by the primary keys.
pub(super) const ADMIT: &str = "
    WITH subject AS (
        UPDATE indelible.runs run SET
            gated = asked.gated,
            rank = CASE WHEN asked.ahead = 0 THEN run.rank
                ELSE (extract(epoch FROM run.accepted_at) * 1000000)::bigint
                    - asked.ahead::bigint * 1000000 END
        FROM unnest($1::uuid[], $2::boolean[], $3::integer[]) AS asked (run_id, gated, ahead)
        WHERE run.id = asked.run_id
        RETURNING run.id, run.rank, run.suspects, run.gated
    ),
    unqueued AS (
        DELETE FROM indelible.ready USING subject
        WHERE ready.run_id = subject.id AND subject.gated
    )
    UPDATE indelible.ready SET rank = subject.rank, suspects = subject.suspects
    FROM subject WHERE ready.run_id = subject.id AND NOT subject.gated";

/// Has runs wait at the first of their gates, and leaves an opening there. A run whose parent holds a slot of the
/// same gate until it ends runs under that one, and a run that is invoked queues where its parent would. One that
/// has to wait nowhere asks.
///
/// Served by the primary keys.
pub(super) const ENTER: &str = concat!(
    "
    WITH entry AS MATERIALIZED (
        SELECT run.id AS run_id, run.app, run.rank, entry.gate, entry.name, entry.key, entry.hold,
               entry.place,
               entry.hold = 'run' AND NOT run.detached AND above.run_id IS NOT NULL AS lent
        FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::smallint[])
            AS entry (run_id, gate, name, key, hold, place)
        JOIN indelible.runs run ON run.id = entry.run_id
        LEFT JOIN indelible.slots above
            ON above.run_id = run.parent AND above.gate = entry.gate
    ),
    standing AS MATERIALIZED (
        SELECT *, min(place) FILTER (WHERE NOT lent) OVER (PARTITION BY run_id) AS first FROM entry
    ),
    entered AS (
        INSERT INTO indelible.slots
            (run_id, gate, app, name, key, hold, place, state, rank, since)
        SELECT run_id, gate, app, name, key, hold, place,
               CASE WHEN lent THEN 'lent' WHEN place = first THEN 'waits' ELSE 'rests' END,
               rank, clock_timestamp()
        FROM standing
    ),
    opening AS (
        INSERT INTO indelible.openings (app, gate)
        SELECT DISTINCT app, gate FROM standing WHERE place = first
    ),
    asking AS (
        SELECT run.id, run.app, run.workflow, run.rank, run.suspects, run.gated
        FROM (SELECT DISTINCT run_id FROM standing WHERE first IS NULL) asking
        JOIN indelible.runs run ON run.id = asking.run_id
    ),
    ",
    released!("asking"),
    "
    SELECT count(*) FROM released"
);

/// Whether there is anything to open, and when a gate opens by itself. Served by `ready_by_rank`, the
/// primary key of openings and `counters_due`.
pub(super) const LOOK: &str = "
    SELECT EXISTS (SELECT 1 FROM indelible.ready WHERE app = $1 AND suspects = -1)
        OR EXISTS (SELECT 1 FROM indelible.openings WHERE app = $1)
        OR EXISTS (SELECT 1 FROM indelible.counters WHERE app = $1 AND due_at <= now()),
        (SELECT extract(epoch FROM min(due_at) - now())::float8
         FROM indelible.counters WHERE app = $1 AND due_at IS NOT NULL)";

/// What is to be opened: gates at which runs ask, gates with openings at which somebody waits, and those that time
/// has opened.
///
/// Runs that ask wait at the first gate that they have not passed; those that have none left can be
/// claimed. One that is being undone is the next to pass. Gives also how many have asked, how many of them can be claimed, and how many openings there were.
/// Served by `ready_by_rank`, `slots_of_gate`, `counters_due` and the primary keys of slots, runs, inbox and openings.
pub(super) const GATHER: &str = "
    WITH asking AS MATERIALIZED (
        SELECT run_id, rank FROM indelible.ready
        WHERE app = $1 AND suspects = -1 ORDER BY rank, run_id LIMIT $2
        FOR UPDATE SKIP LOCKED
    ),
    stand AS MATERIALIZED (
        SELECT asking.run_id, asking.rank, slot.gate, slot.place, slot.state
        FROM asking JOIN indelible.slots slot ON slot.run_id = asking.run_id
        WHERE slot.state IN ('rests', 'waits')
    ),
    first AS MATERIALIZED (
        SELECT DISTINCT ON (run_id) run_id, rank, gate FROM stand
        ORDER BY run_id, state DESC, place
    ),
    queued AS (
        UPDATE indelible.slots slot SET
            state = 'waits', since = now(),
            rank = CASE WHEN EXISTS (
                SELECT 1 FROM indelible.inbox message
                WHERE message.run_id = slot.run_id AND message.kind = $4
            ) THEN $3 ELSE first.rank END
        FROM first WHERE slot.run_id = first.run_id AND slot.gate = first.gate
        RETURNING slot.run_id
    ),
    unasked AS (
        DELETE FROM indelible.ready USING queued WHERE ready.run_id = queued.run_id
    ),
    through AS (
        UPDATE indelible.ready SET suspects = run.suspects
        FROM asking JOIN indelible.runs run ON run.id = asking.run_id
        WHERE ready.run_id = asking.run_id
          -- Looked up in a hash table: an anti-join would go over all of them for each.
          AND asking.run_id NOT IN (SELECT run_id FROM stand)
        RETURNING ready.run_id
    ),
    taken AS (
        DELETE FROM indelible.openings WHERE app = $1 AND seq <= (
            SELECT max(seq) FROM (
                SELECT seq FROM indelible.openings WHERE app = $1 ORDER BY seq LIMIT $2
            ) first
        )
        RETURNING gate
    ),
    due AS (
        UPDATE indelible.counters SET due_at = NULL
        WHERE app = $1 AND due_at <= now()
        RETURNING gate
    )
    SELECT (SELECT count(*) FROM asking), (SELECT count(*) FROM through),
           (SELECT count(*) FROM taken), ARRAY(
        SELECT gate FROM first
        -- Looked up at each gate: a join might go over all that wait.
        UNION SELECT gate FROM taken WHERE (
            SELECT true FROM indelible.slots slot
            WHERE slot.gate = taken.gate AND slot.state = 'waits' LIMIT 1
        )
        UNION SELECT gate FROM due
    )";

/// How gates stand. Served by `slots_of_gate`, and the primary keys of limits and counters.
pub(super) const STATES: &str = "
    SELECT gate.id, coalesce(limits.kind, '') AS kind,
           coalesce(limits.set_most, limits.most, 0) AS most,
           coalesce(limits.set_period, limits.period) AS period,
           coalesce(limits.set_burst, limits.burst) AS burst,
           counters.until, now() AS at,
           CASE WHEN limits.kind = 'slots' THEN (
               SELECT count(*) FROM indelible.slots held
               WHERE held.gate = gate.id AND held.state = 'holds'
           ) ELSE 0 END AS held
    FROM unnest($1::uuid[]) AS gate (id)
    LEFT JOIN LATERAL (
        SELECT app, name FROM indelible.slots slot WHERE slot.gate = gate.id LIMIT 1
    ) named ON true
    LEFT JOIN indelible.limits ON limits.app = named.app AND limits.name = named.name
    LEFT JOIN indelible.counters ON counters.gate = gate.id";

/// The first runs that wait at gates, each with all that it has to pass. Served by `slots_of_gate` and the
/// primary key.
pub(super) const WAITERS: &str = "
    SELECT first.run_id, first.rank, stand.gate, stand.state = 'waits' AS waits
    FROM unnest($1::uuid[], $2::bigint[]) AS gate (id, wanted),
         LATERAL (
             SELECT slot.run_id, slot.rank FROM indelible.slots slot
             WHERE slot.gate = gate.id AND slot.state = 'waits'
             ORDER BY slot.rank, slot.run_id LIMIT gate.wanted
         ) first
    JOIN indelible.slots stand
        ON stand.run_id = first.run_id AND stand.state IN ('waits', 'rests')";

/// Runs that have passed hold their slots, and can be claimed. One that was cancelled meanwhile has no gate any
/// more, and asks. Served by the primary keys.
pub(super) const PASS: &str = concat!(
    "
    WITH held AS (
        UPDATE indelible.slots slot SET state = 'holds', since = now()
        FROM unnest($1::uuid[]) AS passed (run_id)
        WHERE slot.run_id = passed.run_id AND slot.hold <> 'pass'
          AND slot.state IN ('waits', 'rests')
        RETURNING slot.run_id
    ),
    gone AS (
        DELETE FROM indelible.slots slot USING unnest($1::uuid[]) AS passed (run_id)
        WHERE slot.run_id = passed.run_id AND slot.hold = 'pass'
        RETURNING slot.run_id
    ),
    through AS (
        SELECT run.id, run.app, run.workflow, run.rank, run.suspects, FALSE AS gated
        FROM (SELECT run_id FROM held UNION SELECT run_id FROM gone) passed
        JOIN indelible.runs run ON run.id = passed.run_id
    ),
    ",
    released!("through", "ON CONFLICT (run_id) DO NOTHING"),
    "
    SELECT count(*) FROM released"
);

/// A run keeps its rank wherever it waits. Served by the primary key.
pub(super) const MOVE: &str = "
    UPDATE indelible.slots slot SET
        state = CASE WHEN slot.gate = moved.target THEN 'waits' ELSE 'rests' END,
        rank = stood.rank
    FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS moved (run_id, source, target)
    JOIN indelible.slots stood ON stood.run_id = moved.run_id AND stood.gate = moved.source
    WHERE slot.run_id = moved.run_id AND slot.gate IN (moved.source, moved.target)";

/// Served by `slots_of_gate` and the primary key.
pub(super) const COUNT: &str = "
    INSERT INTO indelible.counters (gate, app, name, key, until, due_at)
    SELECT counted.gate, named.app, named.name, named.key, counted.until, counted.due_at
    FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[]) AS counted (gate, until, due_at),
         LATERAL (
             SELECT app, name, key FROM indelible.slots slot WHERE slot.gate = counted.gate LIMIT 1
         ) named
    ON CONFLICT (gate) DO UPDATE SET until = excluded.until, due_at = excluded.due_at";

/// Gates that were not emptied are looked at again.
const REOPEN: &str = "
    INSERT INTO indelible.openings (app, gate)
    SELECT $1, gate FROM unnest($2::uuid[]) AS again (gate)";

/// Says of runs that this transaction has begun, and that were ready without, what they have to pass.
pub(super) async fn admit(
    connection: &mut Link,
    app: &str,
    subjects: &[Subject<'_>],
) -> Result<(), StoreError> {
    if subjects.is_empty() {
        return Ok(());
    }
    sqlx::query(ADMIT)
        .bind(subjects.iter().map(|subject| subject.run.as_uuid()).collect::<Vec<_>>())
        .bind(subjects.iter().map(|subject| !subject.gates.is_empty()).collect::<Vec<_>>())
        .bind(subjects.iter().map(|subject| subject.ahead).collect::<Vec<_>>())
        .execute(&mut *connection)
        .await?;
    enter(connection, app, subjects).await
}

/// Has runs wait at their gates, in the transaction that makes them.
pub(super) async fn enter(
    connection: &mut Link,
    app: &str,
    subjects: &[Subject<'_>],
) -> Result<(), StoreError> {
    let gates = || {
        subjects.iter().flat_map(|subject| {
            subject.gates.iter().zip(0_i16..).map(move |(gate, place)| (subject, gate, place))
        })
    };
    if gates().next().is_none() {
        return Ok(());
    }
    sqlx::query(ENTER)
        .bind(gates().map(|(subject, ..)| subject.run.as_uuid()).collect::<Vec<_>>())
        .bind(gates().map(|(_, gate, _)| gate.id(app)).collect::<Vec<_>>())
        .bind(gates().map(|(_, gate, _)| &*gate.limit).collect::<Vec<_>>())
        .bind(gates().map(|(_, gate, _)| &*gate.key).collect::<Vec<_>>())
        .bind(gates().map(|(_, gate, _)| hold_name(gate.hold)).collect::<Vec<_>>())
        .bind(gates().map(|(_, _, place)| place).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn open(database: &Database, app: &str) -> Result<Readied, StoreError> {
    let mut connection = database.acquire().await?;
    let (some, next) = look(&mut connection, app).await?;
    drop(connection);
    if !some {
        return Ok(Readied { runs: 0, next, late: None });
    }
    let mut tx = database.begin().await?;
    let (runs, again) = open_in_turn(&mut tx, app).await?;
    let (_, next) = look(&mut tx, app).await?;
    tx.commit(Stirred::of(app, Work::READY).if_any(runs as u64)).await?;
    // The others are told of what this one has not finished if it does not.
    let next = if again { Some(Duration::ZERO) } else { next };
    Ok(Readied { runs, next, late: None })
}

/// Whether there is anything to open, and how long until a gate opens by itself.
async fn look(connection: &mut Link, app: &str) -> Result<(bool, Option<Duration>), StoreError> {
    let (some, next): (bool, Option<f64>) =
        sqlx::query_as(LOOK).bind(app).fetch_one(connection).await?;
    let next = next.map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default());
    Ok((some, next))
}

/// Lets runs through. Gives how many, and whether there is more to do.
pub(super) async fn open_in_turn(tx: &mut Link, app: &str) -> Result<(usize, bool), StoreError> {
    sqlx::query(TAKE_TURNS).bind(app).execute(&mut *tx).await?;
    let (asked, through, taken, gates): (i64, i64, i64, Vec<Uuid>) = sqlx::query_as(GATHER)
        .bind(app)
        .bind(ASKING as i64)
        .bind(i64::MIN)
        .bind(CANCEL)
        .fetch_one(&mut *tx)
        .await?;
    let more = asked.max(taken) >= ASKING as i64;
    let through = through.unsigned_abs() as usize;
    if gates.is_empty() {
        return Ok((through, more));
    }
    let (mut states, now) = states(tx, gates).await?;
    let (gates, rooms): (Vec<Uuid>, Vec<i64>) = wanted(&states, now).into_iter().unzip();
    let rows = sqlx::query(WAITERS).bind(gates).bind(rooms).fetch_all(&mut *tx).await?;
    let rows = rows.iter().map(StandRow::read).collect::<Result<Vec<_>, _>>()?;
    let waiters = waiters(rows);
    let others = waiters.iter().flat_map(|waiter| &waiter.others);
    let others: HashSet<Uuid> = others.filter(|gate| !states.contains_key(gate)).copied().collect();
    if !others.is_empty() {
        states.extend(self::states(tx, others.into_iter().collect()).await?.0);
    }
    let stood = waiters.iter().map(|waiter| (waiter.run, waiter.at)).collect();
    let opened = Opened::of(&mut states, waiters, now);
    let unfinished = unfinished(&opened, &stood);
    write(tx, &opened).await?;
    if !unfinished.is_empty() {
        sqlx::query(REOPEN).bind(app).bind(&unfinished).execute(tx).await?;
    }
    Ok((through + opened.passed.len(), more || !unfinished.is_empty()))
}

async fn states(
    tx: &mut Link,
    gates: Vec<Uuid>,
) -> Result<(HashMap<Uuid, GateState>, Timestamp), StoreError> {
    let rows = sqlx::query(STATES).bind(gates).fetch_all(tx).await?;
    let mut now = Timestamp::MIN;
    let states = rows.iter().map(|row| {
        now = row.time("at")?;
        Ok((row.uuid("id")?, read_gate(row)?))
    });
    let states = states.collect::<Result<_, StoreError>>()?;
    Ok((states, now))
}

async fn write(tx: &mut Link, opened: &Opened) -> Result<(), StoreError> {
    let Opened { passed, moved, paced } = opened;
    if !paced.is_empty() {
        sqlx::query(COUNT)
            .bind(paced.keys().copied().collect::<Vec<_>>())
            .bind(paced.values().map(|paced| Time(paced.next)).collect::<Vec<_>>())
            .bind(paced.values().map(|paced| paced.due.map(Time)).collect::<Vec<_>>())
            .execute(&mut *tx)
            .await?;
    }
    if !moved.is_empty() {
        sqlx::query(MOVE)
            .bind(moved.iter().map(|moved| moved.run.as_uuid()).collect::<Vec<_>>())
            .bind(moved.iter().map(|moved| moved.from).collect::<Vec<_>>())
            .bind(moved.iter().map(|moved| moved.to).collect::<Vec<_>>())
            .execute(&mut *tx)
            .await?;
    }
    if !passed.is_empty() {
        let passed: Vec<Uuid> = passed.iter().map(|run| run.as_uuid()).collect();
        sqlx::query(PASS).bind(passed).execute(tx).await?;
    }
    Ok(())
}
