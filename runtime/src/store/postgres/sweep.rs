//! What says nothing any more is removed. A row that another transaction writes at this moment is left to
//! the next sweep.

use super::database::Database;
use crate::store::StoreError;
use crate::store::upkeep::{SKIPPED_KEPT, SLACK, SWEPT};

/// The windows and paces of an app whose time is over. Served by `counters_over`.
pub(super) const COUNTERS: &str = "
    DELETE FROM indelible.counters WHERE gate IN (
        SELECT gate FROM indelible.counters
        WHERE app = $1 AND until < now() - $3 * interval '1 second' AND due_at IS NULL
        ORDER BY until LIMIT $2
        FOR UPDATE SKIP LOCKED
    )";

/// Served by `skipped_by_time`.
pub(super) const SKIPPED: &str = "
    DELETE FROM indelible.skipped WHERE (event_id, app, workflow) IN (
        SELECT event_id, app, workflow FROM indelible.skipped
        WHERE app = $1 AND at < now() - $3 * interval '1 second'
        ORDER BY at LIMIT $2
        FOR UPDATE SKIP LOCKED
    )";

/// Expired idempotency keys of all apps. Served by `dedupe_by_time`.
pub(super) const KEYS: &str = "
    DELETE FROM indelible.dedupe WHERE (event_name, key) IN (
        SELECT event_name, key FROM indelible.dedupe
        WHERE expires_at < now() - $2 * interval '1 second'
        ORDER BY expires_at LIMIT $1
        FOR UPDATE SKIP LOCKED
    )";

pub(super) async fn sweep(database: &Database, app: &str) -> Result<bool, StoreError> {
    let mut connection = database.acquire().await?;
    let mut more = false;
    for (statement, kept) in [(COUNTERS, SLACK), (SKIPPED, SKIPPED_KEPT)] {
        let removed = sqlx::query(statement).bind(app).bind(SWEPT).bind(kept.as_secs_f64());
        more |= removed.execute(&mut connection).await?.rows_affected() >= SWEPT.unsigned_abs();
    }
    let removed = sqlx::query(KEYS).bind(SWEPT).bind(SLACK.as_secs_f64());
    more |= removed.execute(&mut connection).await?.rows_affected() >= SWEPT.unsigned_abs();
    Ok(more)
}
