//! What is asked about limits and gates, and what operators set. An operator asks: these statements may
//! go over all that is limited at the moment.

use sqlx::sqlite::SqliteConnection;

use super::database::SqliteStore;
use super::value::{batch, micros, now};
use crate::store::gated::AllowanceColumns;
use crate::store::hints::{Stirred, Work};
use crate::store::limits::{
    Allowances, HOLDERS as HOLDERS_LISTED, KEYS as KEYS_LISTED, KeyRow, LimitRefusal, Retimed,
    read_allowances, read_holders, refused, retimed, with_keys,
};
use crate::store::{LimitRecord, StoreError};
use crate::workflow::Allowance;

/// All of an app's, or one. Served by the primary key.
const LIMITS: &str = "
    SELECT name, kind, most, period, burst, set_most, set_period, set_burst, set_at, set_by
    FROM indelible_limits WHERE app = ?1 AND (?2 IS NULL OR name = ?2) ORDER BY name";

/// The busiest keys of each limit. Goes over all slots and counters.
const KEYS: &str = "
    WITH used AS (
        SELECT gate, name, key, count(*) FILTER (WHERE state = 'holds') AS holding,
               count(*) FILTER (WHERE state = 'waits') AS waiting,
               NULL AS until, 0 AS counted, 0 AS skipped
        FROM indelible_slots WHERE app = ?1 AND state IN ('holds', 'waits')
        GROUP BY gate, name, key
        UNION ALL
        SELECT gate, name, key, 0, 0, until, counted, skipped
        FROM indelible_counters WHERE app = ?1 AND until > ?3
    ),
    standing AS (
        SELECT gate, name, key, max(holding) AS holding, max(waiting) AS waiting,
               max(until) AS until, max(counted) AS counted, max(skipped) AS skipped
        FROM used GROUP BY gate, name, key
    ),
    busiest AS (
        SELECT standing.*, row_number() OVER (
            PARTITION BY name ORDER BY waiting DESC, holding DESC, skipped DESC, counted DESC, key
        ) AS place
        FROM standing
    )
    SELECT gate, name, key, holding, waiting, until, counted, skipped
    FROM busiest WHERE place <= ?2 ORDER BY name, place";

/// Who has held a slot for longest. Served by `indelible_slots_of_gate`.
pub(super) const HOLDERS: &str = "
    SELECT gate, run_id, since FROM (
        SELECT slot.gate, slot.run_id, slot.since, row_number() OVER (
            PARTITION BY slot.gate ORDER BY slot.since, slot.run_id
        ) AS place
        FROM json_each(?1) gate CROSS JOIN indelible_slots slot ON slot.gate = gate.value
        WHERE slot.state = 'holds'
    ) WHERE place <= ?2 ORDER BY since, run_id";

/// Served by the primary key.
const SET: &str = "
    UPDATE indelible_limits SET
        set_most = ?4, set_period = ?5, set_burst = ?6, set_at = ?8, set_by = ?7
    WHERE app = ?1 AND name = ?2 AND kind = ?3";

/// Served by the primary key.
const RESET: &str = "
    UPDATE indelible_limits SET
        set_most = NULL, set_period = NULL, set_burst = NULL, set_at = ?4, set_by = ?3
    WHERE app = ?1 AND name = ?2";

/// A window that is open ends as if it had begun with the limit as it is now, and a pace is no further ahead
/// than it could be. Served by `indelible_counters_over`.
const RETIME: &str = "
    UPDATE indelible_counters SET
        until = CASE WHEN changed.value ->> 2 IS NULL THEN until + (changed.value ->> 1)
            ELSE min(until, ?3 + (changed.value ->> 2)) END
    FROM json_each(?2) changed
    WHERE app = ?1 AND name = changed.value ->> 0 AND until > ?3";

/// The gates of limits that have changed may let somebody through.
pub(super) const REOPEN: &str = "
    INSERT INTO indelible_openings (app, gate)
    SELECT DISTINCT app, gate FROM indelible_slots
    WHERE app = ?1 AND name IN (SELECT value FROM json_each(?2)) AND state = 'waits'";

/// What the limits of an app allow, or what one of them does.
pub(super) async fn allowances(
    tx: &mut SqliteConnection,
    app: &str,
    only: Option<&str>,
) -> Result<Allowances, StoreError> {
    read_allowances(&sqlx::query(LIMITS).bind(app).bind(only).fetch_all(tx).await?)
}

/// What was counted by the clock before limits changed counts by them as they are now.
pub(super) async fn retime(
    tx: &mut SqliteConnection,
    app: &str,
    only: Option<&str>,
    before: &Allowances,
) -> Result<(), StoreError> {
    let after = allowances(tx, app, only).await?;
    let changed = retimed(before, &after);
    if !changed.is_empty() {
        let changed = changed.iter().map(|Retimed { name, later, ahead }| (name, later, ahead));
        let changed = batch(changed);
        sqlx::query(RETIME).bind(app).bind(changed).bind(micros(now())).execute(tx).await?;
    }
    Ok(())
}

pub(super) async fn all(store: &SqliteStore, app: &str) -> Result<Vec<LimitRecord>, StoreError> {
    let limits =
        sqlx::query(LIMITS).bind(app).bind(None::<&str>).fetch_all(store.readers()?).await?;
    let limits = limits.iter().filter_map(|row| LimitRecord::read(row).transpose());
    let limits = limits.collect::<Result<Vec<_>, _>>()?;
    let keys = sqlx::query(KEYS).bind(app).bind(KEYS_LISTED).bind(micros(now()));
    let keys = keys.fetch_all(store.readers()?).await?;
    let keys = keys.iter().map(KeyRow::read).collect::<Result<Vec<_>, _>>()?;
    let gates = batch(keys.iter().map(|key| key.gate));
    let holders = sqlx::query(HOLDERS).bind(gates).bind(HOLDERS_LISTED);
    let holders = read_holders(&holders.fetch_all(store.readers()?).await?)?;
    Ok(with_keys(limits, keys, holders))
}

pub(super) async fn set(
    store: &SqliteStore,
    app: &str,
    name: &str,
    allows: Option<&Allowance>,
    by: &str,
) -> Result<Result<(), LimitRefusal>, StoreError> {
    let mut tx = store.write().await?;
    let at = micros(now());
    let before = allowances(&mut tx, app, Some(name)).await?;
    let changed = match allows.map(AllowanceColumns::of) {
        Some(AllowanceColumns { kind, most, period, burst }) => {
            let set = sqlx::query(SET).bind(app).bind(name).bind(kind);
            set.bind(most).bind(period).bind(burst).bind(by).bind(at).execute(&mut *tx).await?
        }
        None => sqlx::query(RESET).bind(app).bind(name).bind(by).bind(at).execute(&mut *tx).await?,
    };
    if changed.rows_affected() == 0 {
        tx.rollback().await?;
        return Ok(Err(refused(&all(store, app).await?, name)));
    }
    retime(&mut tx, app, Some(name), &before).await?;
    let opened = sqlx::query(REOPEN).bind(app).bind(batch([name])).execute(&mut *tx).await?;
    tx.commit(Stirred::here(Work::GATES).if_any(opened.rows_affected())).await?;
    Ok(Ok(()))
}
