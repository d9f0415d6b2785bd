//! What is asked about events before they start runs.

use std::collections::HashMap;

use jiff::Timestamp;
use uuid::Uuid;

use super::database::Link;
use super::inbox;
use super::value::Time;
use crate::event::EventId;
use crate::flow::{Checked, Known, NewRun, Present, Quota, Skipped};
use crate::store::StoreError;
use crate::store::gated::{displaced, limited, read_window, singles};
use crate::store::read::Columns as _;

/// Served by the primary keys of limits and counters.
pub(super) const WINDOWS: &str = "
    SELECT gate.id, coalesce(limits.set_most, limits.most) AS most,
           coalesce(limits.set_period, limits.period) AS period,
           counters.until, counters.counted, counters.skipped
    FROM unnest($2::uuid[], $3::text[]) AS gate (id, name)
    LEFT JOIN indelible.limits
        ON limits.app = $1 AND limits.name = gate.name AND limits.kind = 'window'
    LEFT JOIN indelible.counters ON counters.gate = gate.id";

/// Served by `slots_of_gate`.
pub(super) const PRESENT: &str = "
    SELECT slot.gate, slot.run_id, slot.state IN ('rests', 'waits') AS waits
    FROM unnest($1::uuid[]) AS gate (id) JOIN indelible.slots slot ON slot.gate = gate.id
    ORDER BY slot.rank, slot.run_id";

/// Served by the primary key.
pub(super) const COUNT: &str = "
    INSERT INTO indelible.counters (gate, app, name, key, until, counted, skipped)
    SELECT gate, $1, name, key, until, counted, skipped
    FROM unnest($2::uuid[], $3::text[], $4::text[], $5::timestamptz[], $6::bigint[], $7::bigint[])
        AS counted (gate, name, key, until, counted, skipped)
    ON CONFLICT (gate) DO UPDATE SET
        until = excluded.until, counted = excluded.counted, skipped = excluded.skipped";

/// Served by the primary key.
pub(super) const SKIP: &str = "
    INSERT INTO indelible.skipped (app, event_id, workflow, reason, at)
    SELECT $1, event_id, workflow, reason, at
    FROM unnest($2::uuid[], $3::text[], $4::text[], $5::timestamptz[])
        AS skipped (event_id, workflow, reason, at)
    ON CONFLICT DO NOTHING";

/// Checks runs that would start, in a transaction whose turn it is to route the app's events. Those that
/// are displaced are told once the others are there: see [`displace`].
pub(super) async fn check(
    tx: &mut Link,
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
    let windows = || {
        known.windows.iter().filter_map(|(gate, window)| {
            let (name, key) = limited.get(gate)?;
            Some((*gate, name, key, window.until?, window))
        })
    };
    sqlx::query(COUNT)
        .bind(app)
        .bind(windows().map(|(gate, ..)| gate).collect::<Vec<_>>())
        .bind(windows().map(|(_, name, ..)| &**name).collect::<Vec<_>>())
        .bind(windows().map(|(_, _, key, ..)| &**key).collect::<Vec<_>>())
        .bind(windows().map(|(_, _, _, until, _)| Time(until)).collect::<Vec<_>>())
        .bind(windows().map(|(.., window)| window.counted as i64).collect::<Vec<_>>())
        .bind(windows().map(|(.., window)| window.skipped as i64).collect::<Vec<_>>())
        .execute(&mut *tx)
        .await?;
    let skipped = checked.skipped.iter().map(|skipped| {
        let Skipped { event, workflow, why, at } = skipped;
        (*event, workflow.clone(), why.to_string(), *at)
    });
    skip(tx, app, &skipped.collect::<Vec<_>>()).await?;
    Ok(checked)
}

/// Notes that events start no run of workflows, and why.
pub(super) async fn skip(
    tx: &mut Link,
    app: &str,
    skipped: &[(EventId, String, String, Timestamp)],
) -> Result<(), StoreError> {
    if skipped.is_empty() {
        return Ok(());
    }
    sqlx::query(SKIP)
        .bind(app)
        .bind(skipped.iter().map(|(event, ..)| event.as_uuid()).collect::<Vec<_>>())
        .bind(skipped.iter().map(|(_, workflow, ..)| &**workflow).collect::<Vec<_>>())
        .bind(skipped.iter().map(|(_, _, reason, _)| &**reason).collect::<Vec<_>>())
        .bind(skipped.iter().map(|(.., at)| Time(*at)).collect::<Vec<_>>())
        .execute(tx)
        .await?;
    Ok(())
}

/// Asks those to cancel that others take the place of; gives them.
pub(super) async fn displace(tx: &mut Link, checked: &Checked) -> Result<Vec<Uuid>, StoreError> {
    inbox::ask_children(tx, &displaced(&checked.cancelled)).await
}

async fn windows(
    tx: &mut Link,
    app: &str,
    limited: &HashMap<Uuid, (String, String)>,
) -> Result<HashMap<Uuid, Quota>, StoreError> {
    let names: Vec<&str> = limited.values().map(|(name, _)| &**name).collect();
    let gates: Vec<Uuid> = limited.keys().copied().collect();
    let rows = sqlx::query(WINDOWS).bind(app).bind(gates).bind(names).fetch_all(tx).await?;
    let windows = rows.iter().map(|row| Ok((row.uuid("id")?, read_window(row)?)));
    windows.collect()
}

async fn present(
    tx: &mut Link,
    gates: Vec<Uuid>,
) -> Result<HashMap<Uuid, Vec<Present>>, StoreError> {
    let mut present = HashMap::<Uuid, Vec<Present>>::new();
    if gates.is_empty() {
        return Ok(present);
    }
    for row in &sqlx::query(PRESENT).bind(gates).fetch_all(tx).await? {
        let run = Present { run: row.uuid("run_id")?, waits: row.flag("waits")? };
        present.entry(row.uuid("gate")?).or_default().push(run);
    }
    Ok(present)
}
