//! The opener lets runs pass their gates, as [`Opened`] says: see [`gates`](super::gates).

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;
use uuid::Uuid;

use super::database::SqliteStore;
use super::runs;
use super::value::{batch, micros, now, uuid};
use crate::flow::{GateState, Opened};
use crate::id::RunId;
use crate::store::gated::{ASKING, StandRow, read_gate, unfinished, waiters, wanted};
use crate::store::hints::{Stirred, Work};
use crate::store::message::CANCEL;
use crate::store::read::Columns as _;
use crate::store::{Readied, StoreError};

/// Whether there is anything to open, and when a gate opens by itself. Served by
/// `indelible_ready_by_rank`, the primary key of openings and `indelible_counters_due`.
const LOOK: &str = "
    SELECT EXISTS (SELECT 1 FROM indelible_ready WHERE app = ?1 AND suspects = -1)
        OR EXISTS (SELECT 1 FROM indelible_openings WHERE app = ?1)
        OR EXISTS (SELECT 1 FROM indelible_counters WHERE app = ?1 AND due_at <= ?2),
        (SELECT min(due_at) FROM indelible_counters WHERE app = ?1 AND due_at IS NOT NULL)";

/// Served by `indelible_ready_by_rank`.
const ASKING_RUNS: &str = "
    SELECT run_id FROM indelible_ready
    WHERE app = ?1 AND suspects = -1 ORDER BY rank, run_id LIMIT ?2";

/// The first gate that each run has not passed. Served by the primary keys.
const FIRST: &str = "
    SELECT run_id, gate FROM (
        SELECT slot.run_id, slot.gate, row_number() OVER (
            PARTITION BY slot.run_id ORDER BY slot.state = 'waits' DESC, slot.place
        ) AS place
        FROM json_each(?1) asking
        CROSS JOIN indelible_slots slot ON slot.run_id = asking.value
        WHERE slot.state IN ('rests', 'waits')
    ) WHERE place = 1";

/// One that is being undone is the next to pass. Served by the primary keys.
const QUEUE: &str = "
    UPDATE indelible_slots SET
        state = 'waits', since = ?2,
        rank = CASE WHEN EXISTS (
            SELECT 1 FROM indelible_inbox message
            WHERE message.run_id = ready.run_id AND message.kind = ?4
        ) THEN ?3 ELSE ready.rank END
    FROM json_each(?1) first CROSS JOIN indelible_ready ready ON ready.run_id = first.value ->> 0
    WHERE indelible_slots.run_id = first.value ->> 0 AND indelible_slots.gate = first.value ->> 1";

/// Served by the primary key.
const UNASK: &str = "
    DELETE FROM indelible_ready WHERE run_id IN (SELECT value ->> 0 FROM json_each(?1))";

/// Runs that have passed all their gates can be claimed. Served by the primary keys.
const THROUGH: &str = "
    UPDATE indelible_ready SET suspects = run.suspects
    FROM json_each(?1) asking CROSS JOIN indelible_runs run ON run.id = asking.value
    WHERE indelible_ready.run_id = run.id";

/// Served by the primary key.
const TAKE: &str = "
    DELETE FROM indelible_openings WHERE seq IN (
        SELECT seq FROM indelible_openings WHERE app = ?1 ORDER BY seq LIMIT ?2
    )
    RETURNING gate";

/// Served by `indelible_counters_due`.
const DUE: &str = "
    UPDATE indelible_counters SET due_at = NULL WHERE app = ?1 AND due_at <= ?2 RETURNING gate";

/// How gates stand. Served by `indelible_slots_of_gate`, and the primary keys of limits and counters.
const STATES: &str = "
    SELECT gate.value AS id, coalesce(limits.kind, '') AS kind,
           coalesce(limits.set_most, limits.most, 0) AS most,
           coalesce(limits.set_period, limits.period) AS period,
           coalesce(limits.set_burst, limits.burst) AS burst, counters.until,
           CASE WHEN limits.kind = 'slots' THEN (
               SELECT count(*) FROM indelible_slots held
               WHERE held.gate = gate.value AND held.state = 'holds'
           ) ELSE 0 END AS held
    FROM json_each(?1) gate
    LEFT JOIN indelible_limits limits ON (limits.app, limits.name) = (
        SELECT app, name FROM indelible_slots slot WHERE slot.gate = gate.value LIMIT 1
    )
    LEFT JOIN indelible_counters counters ON counters.gate = gate.value";

/// The first runs that wait at gates, up to `?2` at each. Served by `indelible_slots_of_gate`.
const WAITERS: &str = "
    SELECT slot.run_id FROM json_each(?1) gate
    CROSS JOIN indelible_slots slot ON slot.gate = gate.value
    WHERE slot.state = 'waits' AND (slot.rank, slot.run_id) IN (
        SELECT first.rank, first.run_id FROM indelible_slots first
        WHERE first.gate = gate.value AND first.state = 'waits'
        ORDER BY first.rank, first.run_id LIMIT ?2
    )";

/// All that runs have to pass. Served by the primary key.
const STANDS: &str = "
    SELECT slot.run_id, slot.rank, slot.gate, slot.state = 'waits' AS waits
    FROM json_each(?1) run CROSS JOIN indelible_slots slot ON slot.run_id = run.value
    WHERE slot.state IN ('waits', 'rests')";

/// Served by the primary key.
const HOLD: &str = "
    UPDATE indelible_slots SET state = 'holds', since = ?2
    WHERE run_id IN (SELECT value FROM json_each(?1))
      AND hold <> 'pass' AND state IN ('waits', 'rests')";

/// Served by the primary key.
const PASS: &str = "
    DELETE FROM indelible_slots
    WHERE run_id IN (SELECT value FROM json_each(?1)) AND hold = 'pass'";

/// A run keeps its rank wherever it waits. Served by the primary key.
const MOVE: &str = "
    UPDATE indelible_slots SET
        state = CASE WHEN indelible_slots.gate = moved.value ->> 2 THEN 'waits' ELSE 'rests' END,
        rank = stood.rank
    FROM json_each(?1) moved
    CROSS JOIN indelible_slots stood
        ON stood.run_id = moved.value ->> 0 AND stood.gate = moved.value ->> 1
    WHERE indelible_slots.run_id = moved.value ->> 0
      AND indelible_slots.gate IN (moved.value ->> 1, moved.value ->> 2)";

/// Served by `indelible_slots_of_gate` and the primary key.
const COUNT: &str = "
    INSERT INTO indelible_counters (gate, app, name, key, until, due_at)
    SELECT counted.value ->> 0, slot.app, slot.name, slot.key, counted.value ->> 1,
           counted.value ->> 2
    FROM json_each(?1) counted
    CROSS JOIN indelible_slots slot ON slot.gate = counted.value ->> 0
    WHERE true
    ON CONFLICT (gate) DO UPDATE SET until = excluded.until, due_at = excluded.due_at";

/// Gates that were not emptied are looked at again.
const REOPEN: &str = "
    INSERT INTO indelible_openings (app, gate) SELECT ?1, value FROM json_each(?2)";

pub(super) async fn open(store: &SqliteStore, app: &str) -> Result<Readied, StoreError> {
    let at = now();
    let (some, next): (bool, Option<i64>) =
        sqlx::query_as(LOOK).bind(app).bind(micros(at)).fetch_one(store.readers()?).await?;
    let wait = |next: i64| Duration::from_micros((next - micros(at)).max(0).unsigned_abs());
    if !some {
        return Ok(Readied { runs: 0, next: next.map(wait), late: None });
    }
    let mut tx = store.write().await?;
    let (runs, again) = open_once(&mut tx, app).await?;
    let next: Option<i64> = if again {
        Some(micros(at))
    } else {
        sqlx::query_as::<_, (bool, Option<i64>)>(LOOK)
            .bind(app)
            .bind(micros(at))
            .fetch_one(&mut *tx)
            .await?
            .1
    };
    tx.commit(Stirred::here(Work::READY).if_any(runs as u64)).await?;
    Ok(Readied { runs, next: next.map(wait), late: None })
}

/// Lets runs through. Gives how many, and whether there is more to do.
async fn open_once(tx: &mut SqliteConnection, app: &str) -> Result<(usize, bool), StoreError> {
    let at = now();
    let asking: Vec<String> =
        sqlx::query_scalar(ASKING_RUNS).bind(app).bind(ASKING as i64).fetch_all(&mut *tx).await?;
    let first: Vec<(String, String)> =
        sqlx::query_as(FIRST).bind(batch(&asking)).fetch_all(&mut *tx).await?;
    let through = asking.len() - first.len();
    let rows = batch(&first);
    let queue = sqlx::query(QUEUE).bind(&rows).bind(micros(at)).bind(i64::MIN).bind(CANCEL);
    queue.execute(&mut *tx).await?;
    sqlx::query(UNASK).bind(&rows).execute(&mut *tx).await?;
    sqlx::query(THROUGH).bind(batch(&asking)).execute(&mut *tx).await?;
    let taken: Vec<String> =
        sqlx::query_scalar(TAKE).bind(app).bind(ASKING as i64).fetch_all(&mut *tx).await?;
    let due: Vec<String> =
        sqlx::query_scalar(DUE).bind(app).bind(micros(at)).fetch_all(&mut *tx).await?;
    let more = asking.len() >= ASKING || taken.len() >= ASKING;
    let gates = first.iter().map(|(_, gate)| gate).chain(&taken).chain(&due);
    let gates = gates.map(|gate| uuid(gate)).collect::<Result<HashSet<_>, _>>()?;
    if gates.is_empty() {
        return Ok((through, more));
    }
    let mut states = states(tx, gates).await?;
    let (gates, rooms): (Vec<Uuid>, Vec<i64>) = wanted(&states, at).into_iter().unzip();
    let runs: Vec<String> = sqlx::query_scalar(WAITERS)
        .bind(batch(gates))
        .bind(rooms.into_iter().max().unwrap_or(0))
        .fetch_all(&mut *tx)
        .await?;
    let rows = sqlx::query(STANDS).bind(batch(runs)).fetch_all(&mut *tx).await?;
    let rows = rows.iter().map(StandRow::read).collect::<Result<Vec<_>, _>>()?;
    let waiters = waiters(rows);
    let others = waiters.iter().flat_map(|waiter| &waiter.others);
    let others: HashSet<Uuid> = others.filter(|gate| !states.contains_key(gate)).copied().collect();
    states.extend(self::states(tx, others).await?);
    let stood = waiters.iter().map(|waiter| (waiter.run, waiter.at)).collect();
    let opened = Opened::of(&mut states, waiters, at);
    let unfinished = unfinished(&opened, &stood);
    write(tx, &opened, at).await?;
    sqlx::query(REOPEN).bind(app).bind(batch(&unfinished)).execute(tx).await?;
    Ok((through + opened.passed.len(), more || !unfinished.is_empty()))
}

async fn states(
    tx: &mut SqliteConnection,
    gates: HashSet<Uuid>,
) -> Result<HashMap<Uuid, GateState>, StoreError> {
    let rows = sqlx::query(STATES).bind(batch(gates)).fetch_all(tx).await?;
    rows.iter().map(|row| Ok((row.uuid("id")?, read_gate(row)?))).collect()
}

async fn write(
    tx: &mut SqliteConnection,
    opened: &Opened,
    at: Timestamp,
) -> Result<(), StoreError> {
    let Opened { passed, moved, paced } = opened;
    if !paced.is_empty() {
        let counted = paced.iter();
        let counted =
            counted.map(|(gate, paced)| (gate, micros(paced.next), paced.due.map(micros)));
        sqlx::query(COUNT).bind(batch(counted)).execute(&mut *tx).await?;
    }
    if !moved.is_empty() {
        let moved = moved.iter().map(|moved| (moved.run, moved.from, moved.to));
        sqlx::query(MOVE).bind(batch(moved)).execute(&mut *tx).await?;
    }
    if !passed.is_empty() {
        let ids = batch(passed);
        sqlx::query(HOLD).bind(&ids).bind(micros(at)).execute(&mut *tx).await?;
        sqlx::query(PASS).bind(&ids).execute(&mut *tx).await?;
        let passed: Vec<String> = passed.iter().map(RunId::to_string).collect();
        runs::ready(tx, &passed).await?;
        sqlx::query(THROUGH).bind(&ids).execute(tx).await?;
    }
    Ok(())
}
