//! What is asked about events before they start runs.

use std::collections::HashMap;

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;
use uuid::Uuid;

use super::inbox;
use super::value::{batch, micros};
use crate::event::EventId;
use crate::flow::{Checked, Known, NewRun, Present, Quota, Skipped};
use crate::store::StoreError;
use crate::store::gated::{displaced, limited, read_window, singles};
use crate::store::read::Columns as _;

/// Served by the primary keys of limits and counters.
const WINDOWS: &str = "
    SELECT gate.value ->> 0 AS id, coalesce(limits.set_most, limits.most) AS most,
           coalesce(limits.set_period, limits.period) AS period,
           counters.until, counters.counted, counters.skipped
    FROM json_each(?2) gate
    LEFT JOIN indelible_limits limits
        ON limits.app = ?1 AND limits.name = gate.value ->> 1 AND limits.kind = 'window'
    LEFT JOIN indelible_counters counters ON counters.gate = gate.value ->> 0";

/// Served by `indelible_slots_of_gate`.
const PRESENT: &str = "
    SELECT slot.gate, slot.run_id, slot.state IN ('rests', 'waits') AS waits
    FROM json_each(?1) gate CROSS JOIN indelible_slots slot ON slot.gate = gate.value
    ORDER BY slot.rank, slot.run_id";

/// Served by the primary key.
const COUNT: &str = "
    INSERT INTO indelible_counters (gate, app, name, key, until, counted, skipped)
    SELECT value ->> 0, ?1, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
    FROM json_each(?2) WHERE true
    ON CONFLICT (gate) DO UPDATE SET
        until = excluded.until, counted = excluded.counted, skipped = excluded.skipped";

/// Served by the primary key.
const SKIP: &str = "
    INSERT INTO indelible_skipped (app, event_id, workflow, reason, at)
    SELECT ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3
    FROM json_each(?2) WHERE true
    ON CONFLICT DO NOTHING";

/// Checks runs that would start. Those that are displaced are told once the others are there: see
/// [`displace`].
pub(super) async fn check(
    tx: &mut SqliteConnection,
    app: &str,
    runs: Vec<(NewRun, Timestamp)>,
) -> Result<Checked, StoreError> {
    let (limited, singles) = (limited(app, &runs), singles(app, &runs));
    if limited.is_empty() && singles.is_empty() {
        return Ok(Checked { started: runs, ..Checked::default() });
    }
    let mut known =
        Known { windows: windows(tx, app, &limited).await?, runs: present(tx, singles).await? };
    let checked = Checked::of(app, runs, &mut known);
    let counted = known.windows.iter().filter_map(|(gate, window)| {
        let ((name, key), until) = (limited.get(gate)?, window.until?);
        Some((*gate, name, key, micros(until), window.counted, window.skipped))
    });
    sqlx::query(COUNT).bind(app).bind(batch(counted)).execute(&mut *tx).await?;
    let skipped = checked.skipped.iter().map(|skipped| {
        let Skipped { event, workflow, why, at } = skipped;
        (*event, workflow.clone(), why.to_string(), *at)
    });
    skip(tx, app, skipped).await?;
    Ok(checked)
}

/// Notes that events start no run of workflows, and why.
pub(super) async fn skip(
    tx: &mut SqliteConnection,
    app: &str,
    skipped: impl IntoIterator<Item = (EventId, String, String, Timestamp)>,
) -> Result<(), StoreError> {
    let skipped = skipped.into_iter();
    let skipped =
        skipped.map(|(event, workflow, reason, at)| (event, workflow, reason, micros(at)));
    sqlx::query(SKIP).bind(app).bind(batch(skipped)).execute(tx).await?;
    Ok(())
}

/// Asks those to cancel that others take the place of; gives them.
pub(super) async fn displace(
    tx: &mut SqliteConnection,
    checked: &Checked,
    at: Timestamp,
) -> Result<Vec<String>, StoreError> {
    inbox::ask_children(tx, &displaced(&checked.cancelled), at).await
}

async fn windows(
    tx: &mut SqliteConnection,
    app: &str,
    limited: &HashMap<Uuid, (String, String)>,
) -> Result<HashMap<Uuid, Quota>, StoreError> {
    let gates = batch(limited.iter().map(|(gate, (name, _))| (gate, name)));
    let rows = sqlx::query(WINDOWS).bind(app).bind(gates).fetch_all(tx).await?;
    let windows = rows.iter().map(|row| Ok((row.uuid("id")?, read_window(row)?)));
    windows.collect()
}

async fn present(
    tx: &mut SqliteConnection,
    gates: Vec<Uuid>,
) -> Result<HashMap<Uuid, Vec<Present>>, StoreError> {
    let mut present = HashMap::<Uuid, Vec<Present>>::new();
    if gates.is_empty() {
        return Ok(present);
    }
    for row in &sqlx::query(PRESENT).bind(batch(gates)).fetch_all(tx).await? {
        let run = Present { run: row.uuid("run_id")?, waits: row.flag("waits")? };
        present.entry(row.uuid("gate")?).or_default().push(run);
    }
    Ok(present)
}
