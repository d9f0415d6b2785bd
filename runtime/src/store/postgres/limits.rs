//! What is asked about limits and gates, and what operators set. An operator asks: these statements may
//! go over all that is limited at the moment.

use uuid::Uuid;

use super::database::{Database, Link};
use crate::store::gated::AllowanceColumns;
use crate::store::hints::{Stirred, Work};
use crate::store::limits::{
    Allowances, HOLDERS as HOLDERS_LISTED, KEYS as KEYS_LISTED, KeyRow, LimitRefusal,
    read_allowances, read_holders, refused, retimed, with_keys,
};
use crate::store::{LimitRecord, StoreError};
use crate::workflow::Allowance;

/// All of an app's, or one. Served by the primary key.
const LIMITS: &str = "
    SELECT name, kind, most, period, burst, set_most, set_period, set_burst, set_at, set_by
    FROM indelible.limits WHERE app = $1 AND ($2::text IS NULL OR name = $2) ORDER BY name";

/// The busiest keys of each limit. Goes over all slots and counters.
const KEYS: &str = "
    WITH used AS (
        SELECT gate, name, key, count(*) FILTER (WHERE state = 'holds') AS holding,
               count(*) FILTER (WHERE state = 'waits') AS waiting,
               NULL::timestamptz AS until, 0::bigint AS counted, 0::bigint AS skipped
        FROM indelible.slots WHERE app = $1 AND state IN ('holds', 'waits')
        GROUP BY gate, name, key
        UNION ALL
        SELECT gate, name, key, 0, 0, until, counted, skipped
        FROM indelible.counters WHERE app = $1 AND until > now()
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
    FROM busiest WHERE place <= $2 ORDER BY name, place";

/// Who has held a slot for longest. Served by `slots_of_gate`.
pub(super) const HOLDERS: &str = "
    SELECT gate.id AS gate, first.run_id, first.since
    FROM unnest($1::uuid[]) AS gate (id), LATERAL (
        SELECT slot.run_id, slot.since FROM indelible.slots slot
        WHERE slot.gate = gate.id AND slot.state = 'holds'
        ORDER BY slot.since, slot.run_id LIMIT $2
    ) first
    ORDER BY first.since, first.run_id";

/// Served by the primary key.
const SET: &str = "
    UPDATE indelible.limits SET
        set_most = $4, set_period = $5, set_burst = $6, set_at = now(), set_by = $7
    WHERE app = $1 AND name = $2 AND kind = $3";

/// Served by the primary key.
const RESET: &str = "
    UPDATE indelible.limits SET
        set_most = NULL, set_period = NULL, set_burst = NULL, set_at = now(), set_by = $3
    WHERE app = $1 AND name = $2";

/// A window that is open ends as if it had begun with the limit as it is now, and a pace is no further ahead
/// than it could be. Served by `counters_over`.
const RETIME: &str = "
    UPDATE indelible.counters counter SET
        until = CASE WHEN changed.ahead IS NULL
            THEN counter.until + changed.later * interval '1 microsecond'
            ELSE least(counter.until, now() + changed.ahead * interval '1 microsecond') END
    FROM unnest($2::text[], $3::bigint[], $4::bigint[]) AS changed (name, later, ahead)
    WHERE counter.app = $1 AND counter.name = changed.name AND counter.until > now()";

/// The gates of limits that have changed may let somebody through.
pub(super) const REOPEN: &str = "
    INSERT INTO indelible.openings (app, gate)
    SELECT DISTINCT app, gate FROM indelible.slots
    WHERE app = $1 AND name = ANY ($2) AND state = 'waits'";

/// What the limits of an app allow, or what one of them does.
pub(super) async fn allowances(
    tx: &mut Link,
    app: &str,
    only: Option<&str>,
) -> Result<Allowances, StoreError> {
    read_allowances(&sqlx::query(LIMITS).bind(app).bind(only).fetch_all(tx).await?)
}

/// What was counted by the clock before limits changed counts by them as they are now.
pub(super) async fn retime(
    tx: &mut Link,
    app: &str,
    only: Option<&str>,
    before: &Allowances,
) -> Result<(), StoreError> {
    let after = allowances(tx, app, only).await?;
    let changed = retimed(before, &after);
    if !changed.is_empty() {
        sqlx::query(RETIME)
            .bind(app)
            .bind(changed.iter().map(|changed| changed.name).collect::<Vec<_>>())
            .bind(changed.iter().map(|changed| changed.later).collect::<Vec<_>>())
            .bind(changed.iter().map(|changed| changed.ahead).collect::<Vec<_>>())
            .execute(tx)
            .await?;
    }
    Ok(())
}

pub(super) async fn all(database: &Database, app: &str) -> Result<Vec<LimitRecord>, StoreError> {
    let mut connection = database.acquire().await?;
    let limits =
        sqlx::query(LIMITS).bind(app).bind(None::<&str>).fetch_all(&mut connection).await?;
    let limits = limits.iter().filter_map(|row| LimitRecord::read(row).transpose());
    let limits = limits.collect::<Result<Vec<_>, _>>()?;
    let keys = sqlx::query(KEYS).bind(app).bind(i64::from(KEYS_LISTED));
    let keys = keys.fetch_all(&mut connection).await?;
    let keys = keys.iter().map(KeyRow::read).collect::<Result<Vec<_>, _>>()?;
    let gates: Vec<Uuid> = keys.iter().map(|key| key.gate).collect();
    let holders = sqlx::query(HOLDERS).bind(gates).bind(i64::from(HOLDERS_LISTED));
    let holders = read_holders(&holders.fetch_all(&mut connection).await?)?;
    Ok(with_keys(limits, keys, holders))
}

pub(super) async fn set(
    database: &Database,
    app: &str,
    name: &str,
    allows: Option<&Allowance>,
    by: &str,
) -> Result<Result<(), LimitRefusal>, StoreError> {
    let mut tx = database.begin().await?;
    let before = allowances(&mut tx, app, Some(name)).await?;
    let changed = match allows.map(AllowanceColumns::of) {
        Some(AllowanceColumns { kind, most, period, burst }) => {
            let set = sqlx::query(SET).bind(app).bind(name).bind(kind);
            set.bind(most).bind(period).bind(burst).bind(by).execute(&mut *tx).await?
        }
        None => sqlx::query(RESET).bind(app).bind(name).bind(by).execute(&mut *tx).await?,
    };
    if changed.rows_affected() == 0 {
        drop(tx);
        return Ok(Err(refused(&all(database, app).await?, name)));
    }
    retime(&mut tx, app, Some(name), &before).await?;
    let opened = sqlx::query(REOPEN).bind(app).bind(vec![name]).execute(&mut *tx).await?;
    tx.commit(Stirred::of(app, Work::GATES).if_any(opened.rows_affected())).await?;
    Ok(Ok(()))
}
