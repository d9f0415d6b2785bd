//! Gates: what a run has to pass before it can be claimed.
//!
//! A run that has gates is ready like any other, in a lane of its own, where no worker claims it. The
//! [opener](super::opener) of its app has it wait at the first gate that it has not passed. Whoever frees a
//! slot leaves an opening in the same commit.

use jiff::Timestamp;
use serde::Serialize;
use sqlx::sqlite::SqliteConnection;
use uuid::Uuid;

use super::value::{batch, micros, now};
use crate::id::RunId;
use crate::store::StoreError;
use crate::store::gated::{Subject, hold_name};
use crate::store::hints::{Stirred, Work};
use crate::store::message::CANCEL;

/// Says how much runs are ahead that this transaction has made ready, and whether they have gates. Served
/// by the primary key.
const SUBJECT: &str = "
    UPDATE indelible_runs SET
        gated = asked.value ->> 1,
        rank = CASE WHEN asked.value ->> 2 = 0 THEN rank
            ELSE accepted_at - (asked.value ->> 2) * 1000000 END
    FROM json_each(?1) asked WHERE indelible_runs.id = asked.value ->> 0";

/// A run whose parent holds a slot of the same gate until it ends runs under that one. Served by the primary keys.
const ENTER: &str = "
    INSERT INTO indelible_slots (run_id, gate, app, name, key, hold, place, state, rank, since)
    SELECT run.id, entry.value ->> 'gate', run.app, entry.value ->> 'name', entry.value ->> 'key',
           entry.value ->> 'hold', entry.value ->> 'place',
           CASE WHEN entry.value ->> 'hold' = 'run' AND NOT run.detached
               AND above.run_id IS NOT NULL THEN 'lent' ELSE 'rests' END,
           run.rank, ?2
    FROM json_each(?1) entry
    CROSS JOIN indelible_runs run ON run.id = entry.value ->> 'run'
    LEFT JOIN indelible_slots above
        ON above.run_id = run.parent AND above.gate = entry.value ->> 'gate'";

/// Served by the primary keys.
const RANK: &str = "
    UPDATE indelible_ready SET
        rank = run.rank, suspects = CASE WHEN run.gated THEN -1 ELSE run.suspects END
    FROM json_each(?1) asked CROSS JOIN indelible_runs run ON run.id = asked.value ->> 0
    WHERE indelible_ready.run_id = run.id";

/// A run that has no gates any more stands at none. Served by the primary keys.
const STEP_OUT: &str = "
    DELETE FROM indelible_slots WHERE state IN ('waits', 'rests') AND run_id IN (
        SELECT run.id FROM json_each(?1) roused
        CROSS JOIN indelible_runs run ON run.id = roused.value WHERE run.started_at IS NULL
    )";

/// A run that waits and is to be cancelled is the next to pass. Served by the primary keys.
const IN_FRONT: &str = "
    UPDATE indelible_slots SET rank = ?2
    WHERE state = 'waits' AND rank > ?2 AND run_id IN (
        SELECT message.run_id FROM json_each(?1) told
        CROSS JOIN indelible_inbox message ON message.run_id = told.value
        WHERE NOT message.taken AND message.kind = ?3
    )";

/// What runs that park hold until then is free. Served by the primary key.
const REST: &str = "
    UPDATE indelible_slots SET state = 'rests', since = ?2
    WHERE run_id IN (SELECT value FROM json_each(?1)) AND state = 'holds' AND hold = 'active'
    RETURNING app, gate, true";

/// A child that ran under the slot of a run that is over holds it from then on. Served by
/// `indelible_runs_of_parent` and the primary key.
const INHERIT: &str = "
    UPDATE indelible_slots SET state = 'holds'
    WHERE state = 'lent' AND run_id IN (
        SELECT child.id FROM json_each(?1) gone
        CROSS JOIN indelible_runs child ON child.parent = gone.value
        CROSS JOIN indelible_runs parent ON parent.id = gone.value AND parent.gated
    )";

/// Served by the primary key.
const LEAVE: &str = "
    DELETE FROM indelible_slots WHERE run_id IN (SELECT value FROM json_each(?1))
    RETURNING app, gate, state = 'holds'";

/// Somebody may pass where a slot is free.
const OPENINGS: &str = "
    INSERT INTO indelible_openings (app, gate)
    SELECT value ->> 0, value ->> 1 FROM json_each(?1)";

/// An event cancels a run that is not settled if it comes after the run's trigger or, where an operator has begun the run, after
/// this. Served by the primary key.
const UNSETTLE: &str = "
    INSERT INTO indelible_unsettled (app, workflow, run_id, since)
    SELECT app, workflow, id, CASE WHEN ?2 THEN since
        ELSE (SELECT coalesce(max(position), 0) FROM indelible_events) END
    FROM indelible_runs WHERE id IN (SELECT value FROM json_each(?1))
    ON CONFLICT (app, workflow, run_id) DO UPDATE SET since = excluded.since";

/// Served by the primary key.
const GATE: &str = "
    UPDATE indelible_runs SET gated = 1, unsettled = 1 WHERE id IN (SELECT value FROM json_each(?1))";

/// Served by the primary key.
const UNQUEUE: &str = "
    DELETE FROM indelible_ready WHERE run_id IN (SELECT value FROM json_each(?1))";

#[derive(Serialize)]
struct EntryRow<'a> {
    run: RunId,
    gate: Uuid,
    name: &'a str,
    key: &'a str,
    hold: &'static str,
    place: usize,
}

/// Says what runs have to pass, in the transaction that makes them.
pub(super) async fn admit(
    tx: &mut SqliteConnection,
    app: &str,
    subjects: &[Subject<'_>],
) -> Result<(), StoreError> {
    if subjects.is_empty() {
        return Ok(());
    }
    let asked = subjects.iter().map(|subject| {
        let Subject { run, gates, ahead } = subject;
        (*run, u8::from(!gates.is_empty()), *ahead)
    });
    let asked = batch(asked);
    sqlx::query(SUBJECT).bind(&asked).execute(&mut *tx).await?;
    let entries = subjects.iter().flat_map(|Subject { run, gates, .. }| {
        gates.iter().enumerate().map(|(place, gate)| EntryRow {
            run: *run,
            gate: gate.id(app),
            name: &gate.limit,
            key: &gate.key,
            hold: hold_name(gate.hold),
            place,
        })
    });
    sqlx::query(ENTER).bind(batch(entries)).bind(micros(now())).execute(&mut *tx).await?;
    sqlx::query(RANK).bind(&asked).execute(tx).await?;
    Ok(())
}

/// Takes runs out of the queue that were begun in this transaction.
pub(super) async fn unsettle(
    tx: &mut SqliteConnection,
    runs: impl IntoIterator<Item = RunId>,
    from_trigger: bool,
) -> Result<(), StoreError> {
    let runs: Vec<RunId> = runs.into_iter().collect();
    if runs.is_empty() {
        return Ok(());
    }
    let runs = batch(runs);
    sqlx::query(UNSETTLE).bind(&runs).bind(from_trigger).execute(&mut *tx).await?;
    sqlx::query(GATE).bind(&runs).execute(&mut *tx).await?;
    sqlx::query(UNQUEUE).bind(&runs).execute(tx).await?;
    Ok(())
}

/// A run that is ready may have to pass its gates first. It costs next to nothing here to look.
pub(super) fn asked(stirred: Stirred) -> Stirred {
    match stirred.work().contains(Work::READY) {
        true => stirred.and(Stirred::here(Work::GATES)),
        false => stirred,
    }
}

/// Runs have parked or are over: what they held is free. Gives whether that is anything.
pub(super) async fn leave(
    tx: &mut SqliteConnection,
    parked: &[RunId],
    ended: &[RunId],
    at: Timestamp,
) -> Result<Stirred, StoreError> {
    let mut left: Vec<(String, String, bool)> = Vec::new();
    if !parked.is_empty() {
        let rested = sqlx::query_as(REST).bind(batch(parked)).bind(micros(at));
        left.extend(rested.fetch_all(&mut *tx).await?);
    }
    if !ended.is_empty() {
        let ended = batch(ended);
        sqlx::query(INHERIT).bind(&ended).execute(&mut *tx).await?;
        left.extend(sqlx::query_as(LEAVE).bind(&ended).fetch_all(&mut *tx).await?);
    }
    // Where the run held a slot, somebody may pass now.
    let held = left.into_iter().filter(|(_, _, held)| *held);
    let freed: Vec<(String, String)> = held.map(|(app, gate, _)| (app, gate)).collect();
    if freed.is_empty() {
        return Ok(Stirred::nothing());
    }
    sqlx::query(OPENINGS).bind(batch(freed)).execute(tx).await?;
    Ok(Stirred::here(Work::GATES))
}

/// Of the runs that have gates, one that is to be cancelled and has not begun no longer waits for any: it asks
/// once more and is let through. A slot that it holds already it keeps until it ends. One that has begun is the
/// next to pass, as what it undoes is subject to its limits.
pub(super) async fn step_out(
    tx: &mut SqliteConnection,
    roused: &[String],
    told: &[String],
) -> Result<(), StoreError> {
    if !told.is_empty() {
        let in_front = sqlx::query(IN_FRONT).bind(batch(told)).bind(i64::MIN).bind(CANCEL);
        in_front.execute(&mut *tx).await?;
    }
    if !roused.is_empty() {
        sqlx::query(STEP_OUT).bind(batch(roused)).execute(tx).await?;
    }
    Ok(())
}
