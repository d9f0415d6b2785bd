//! What is done about events that are blocked.

use async_trait::async_trait;

use super::PostgresStore;
use super::database::again;
use super::waits::last_event;
use crate::event::EventId;
use crate::store::StoreError;
use crate::store::blocked::{Blockages, BlockedEvent, BlockedQuery, Resent, read_blocked};
use crate::store::hints::{Stirred, Work};

/// Those of a page of events, or of the one event `$4`. Served by the primary keys of blocked and events.
pub(super) const LISTED: &str = "
    WITH page AS MATERIALIZED (
        SELECT DISTINCT event_id FROM indelible.blocked
        WHERE app = $1 AND event_id > $2 AND event_id = coalesce($4, event_id)
        ORDER BY event_id LIMIT $3
    )
    SELECT blocked.event_id, blocked.part, blocked.reason, event.name, event.accepted_at,
           event.data::text AS data
    FROM page
    JOIN indelible.blocked ON blocked.app = $1 AND blocked.event_id = page.event_id
    JOIN indelible.events event ON event.id = page.event_id
    ORDER BY blocked.event_id, blocked.part";

/// Whoever frees the event accepts the other one for the same parts, in the same trace. Served by the primary keys of blocked
/// and events.
pub(super) const RESEND: &str = concat!(
    "
    WITH clock AS MATERIALIZED (
        SELECT clock_timestamp() AS at, ",
    last_event!(),
    " AS since
    ),
    freed AS (
        DELETE FROM indelible.blocked WHERE app = $1 AND event_id = $2 RETURNING part
    ),
    accepted AS (
        INSERT INTO indelible.events (id, name, data, accepted_at, since, trace_context)
        SELECT $3, event.name, $4::json, clock.at, clock.since, event.trace_context
        FROM clock, indelible.events event
        WHERE event.id = $2 AND EXISTS (SELECT 1 FROM freed)
    ),
    delivered AS (
        INSERT INTO indelible.deliveries (app, event_id, part)
        SELECT $1, $3, part FROM freed ORDER BY part
    )
    SELECT EXISTS (SELECT 1 FROM freed)"
);

/// Served by the primary key.
pub(super) const DISCARD: &str = "
    DELETE FROM indelible.blocked WHERE app = $1 AND event_id = $2";

#[async_trait]
impl Blockages for PostgresStore {
    async fn blocked_events(
        &self,
        app: &str,
        query: &BlockedQuery,
    ) -> Result<Vec<BlockedEvent>, StoreError> {
        let after = query.after.map(EventId::as_uuid).unwrap_or_default();
        let listed = sqlx::query(LISTED).bind(app).bind(after).bind(query.page());
        let listed = listed.bind(None::<uuid::Uuid>);
        read_blocked(&listed.fetch_all(&mut self.database.acquire().await?).await?)
    }

    async fn blocked_event(
        &self,
        app: &str,
        event: EventId,
    ) -> Result<Option<BlockedEvent>, StoreError> {
        let listed = sqlx::query(LISTED).bind(app).bind(uuid::Uuid::nil()).bind(1_i64);
        let listed = listed.bind(event.as_uuid());
        let rows = listed.fetch_all(&mut self.database.acquire().await?).await?;
        Ok(read_blocked(&rows)?.pop())
    }

    async fn resend_event(
        &self,
        app: &str,
        old: EventId,
        new: &Resent,
    ) -> Result<bool, StoreError> {
        again(|| async {
            let resent: bool = sqlx::query_scalar(RESEND)
                .bind(app)
                .bind(old.as_uuid())
                .bind(new.id.as_uuid())
                .bind(new.data.as_str())
                .fetch_one(&mut self.database.acquire().await?)
                .await?;
            self.database.committed(Stirred::of(app, Work::DELIVERIES).if_any(resent.into()));
            Ok(resent)
        })
        .await
    }

    async fn discard_event(&self, app: &str, event: EventId) -> Result<bool, StoreError> {
        again(|| async {
            let discard = sqlx::query(DISCARD).bind(app).bind(event.as_uuid());
            let discarded = discard.execute(&mut self.database.acquire().await?).await?;
            Ok(discarded.rows_affected() > 0)
        })
        .await
    }
}
