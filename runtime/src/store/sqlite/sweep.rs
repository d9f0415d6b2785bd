//! What says nothing any more is removed.

use super::database::SqliteStore;
use super::value::{micros, now};
use crate::store::StoreError;
use crate::store::hints::Stirred;
use crate::store::upkeep::{SKIPPED_KEPT, SLACK, SWEPT};

/// The windows and paces of an app whose time is over. Served by `indelible_counters_over`.
const COUNTERS: &str = "
    DELETE FROM indelible_counters WHERE gate IN (
        SELECT gate FROM indelible_counters
        WHERE app = ?1 AND until < ?3 AND due_at IS NULL ORDER BY until LIMIT ?2
    )";

/// Served by `indelible_skipped_by_time`.
const SKIPPED: &str = "
    DELETE FROM indelible_skipped WHERE (event_id, app, workflow) IN (
        SELECT event_id, app, workflow FROM indelible_skipped
        WHERE app = ?1 AND at < ?3 ORDER BY at LIMIT ?2
    )";

/// Expired idempotency keys of all apps. Served by `indelible_dedupe_by_time`.
const KEYS: &str = "
    DELETE FROM indelible_dedupe WHERE (event_name, key) IN (
        SELECT event_name, key FROM indelible_dedupe
        WHERE expires_at < ?2 ORDER BY expires_at LIMIT ?1
    )";

pub(super) async fn sweep(store: &SqliteStore, app: &str) -> Result<bool, StoreError> {
    let mut tx = store.write().await?;
    let before = |kept| micros(now().saturating_sub(kept).unwrap_or(jiff::Timestamp::MIN));
    let mut more = false;
    for (statement, kept) in [(COUNTERS, SLACK), (SKIPPED, SKIPPED_KEPT)] {
        let removed = sqlx::query(statement).bind(app).bind(SWEPT).bind(before(kept));
        more |= removed.execute(&mut *tx).await?.rows_affected() >= SWEPT.unsigned_abs();
    }
    let removed = sqlx::query(KEYS).bind(SWEPT).bind(before(SLACK)).execute(&mut *tx).await?;
    more |= removed.rows_affected() >= SWEPT.unsigned_abs();
    tx.commit(Stirred::nothing()).await?;
    Ok(more)
}
