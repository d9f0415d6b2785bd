//! What is done about events that are blocked.

use async_trait::async_trait;

use super::database::SqliteStore;
use super::value::{micros, now};
use super::waits;
use crate::event::EventId;
use crate::store::StoreError;
use crate::store::blocked::{Blockages, BlockedEvent, BlockedQuery, Resent, read_blocked};
use crate::store::hints::{Stirred, Work};

/// Those of a page of events, or of the one event `?4`. Served by the primary keys of blocked and events.
pub(super) const LISTED: &str = "
    SELECT b.event_id, b.part, b.reason, e.name, e.accepted_at, e.data
    FROM (
        SELECT DISTINCT event_id FROM indelible_blocked
        WHERE app = ?1 AND event_id > ?2 AND event_id = coalesce(?4, event_id)
        ORDER BY event_id LIMIT ?3
    ) page
    JOIN indelible_blocked b ON b.app = ?1 AND b.event_id = page.event_id
    JOIN indelible_events e ON e.id = page.event_id
    ORDER BY b.event_id, b.part";

/// In the same trace. Served by the primary keys of events and blocked.
const ACCEPT: &str = "
    INSERT INTO indelible_events (id, name, data, accepted_at, since, trace_context)
    SELECT ?3, name, ?4, ?5, ?6, trace_context FROM indelible_events
    WHERE id = ?2 AND EXISTS (
        SELECT 1 FROM indelible_blocked WHERE app = ?1 AND event_id = ?2
    )";

/// Served by the primary key of blocked.
const DELIVER: &str = "
    INSERT INTO indelible_deliveries (app, event_id, part)
    SELECT app, ?3, part FROM indelible_blocked WHERE app = ?1 AND event_id = ?2 ORDER BY part";

/// Served by the primary key.
const DISCARD: &str = "
    DELETE FROM indelible_blocked WHERE app = ?1 AND event_id = ?2";

#[async_trait]
impl Blockages for SqliteStore {
    async fn blocked_events(
        &self,
        app: &str,
        query: &BlockedQuery,
    ) -> Result<Vec<BlockedEvent>, StoreError> {
        let after = query.after.map(|after| after.to_string()).unwrap_or_default();
        let listed = sqlx::query(LISTED).bind(app).bind(after).bind(query.page());
        read_blocked(&listed.bind(None::<String>).fetch_all(self.readers()?).await?)
    }

    async fn blocked_event(
        &self,
        app: &str,
        event: EventId,
    ) -> Result<Option<BlockedEvent>, StoreError> {
        let listed = sqlx::query(LISTED).bind(app).bind("").bind(1).bind(event.to_string());
        Ok(read_blocked(&listed.fetch_all(self.readers()?).await?)?.pop())
    }

    async fn resend_event(
        &self,
        app: &str,
        old: EventId,
        new: &Resent,
    ) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        let since = waits::last_event(&mut tx).await?;
        let (old, id) = (old.to_string(), new.id.to_string());
        let accept = sqlx::query(ACCEPT).bind(app).bind(&old).bind(&id).bind(new.data.as_str());
        let accepted = accept.bind(micros(now())).bind(since).execute(&mut *tx).await?;
        sqlx::query(DELIVER).bind(app).bind(&old).bind(&id).execute(&mut *tx).await?;
        sqlx::query(DISCARD).bind(app).bind(&old).execute(&mut *tx).await?;
        let resent = accepted.rows_affected();
        tx.commit(Stirred::here(Work::DELIVERIES).if_any(resent)).await?;
        Ok(resent > 0)
    }

    async fn discard_event(&self, app: &str, event: EventId) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        let discard = sqlx::query(DISCARD).bind(app).bind(event.to_string());
        let discarded = discard.execute(&mut *tx).await?.rows_affected();
        tx.commit(Stirred::nothing()).await?;
        Ok(discarded > 0)
    }
}
