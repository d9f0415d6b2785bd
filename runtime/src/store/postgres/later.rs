//! Events that are accepted later: when they are due, or once the transaction is committed in which they
//! were sent. They wait in a table of their own, and get their place among the other events when they are
//! accepted. So a wait that has seen later events misses none that only waited, or whose transaction was
//! slow.

use std::time::Duration;

use sqlx::Row as _;

use super::accept;
use super::database::{Database, Link};
use crate::payload::Payload;
use crate::store::read::Columns as _;
use crate::store::unheard::Unheard;
use crate::store::{Accepted, NewEvent, StoreError};

/// In how many seconds the next is due. Served by `later_by_time`.
const NEXT: &str = "
    SELECT extract(epoch FROM greatest(due_at, now()) - now())::float8
    FROM indelible.later ORDER BY due_at, seq LIMIT 1";

/// Makes those who accept take turns, until the end of the transaction, so that events keep their order.
const TAKE_TURN: &str = "SELECT pg_try_advisory_xact_lock(hashtext('indelible.later'))";

/// What is due, oldest first. Who looks after events that have a time knew of them a second ago. Served by
/// `later_by_time` and the primary key.
pub(super) const TAKE: &str = "
    WITH due AS MATERIALIZED (
        SELECT id, due_at, seq FROM indelible.later
        WHERE due_at <= now() ORDER BY due_at, seq LIMIT $1
    ),
    taken AS (
        DELETE FROM indelible.later kept USING due WHERE kept.id = due.id
        RETURNING kept.id, kept.name, kept.data::text AS data, kept.trace_context, due.due_at,
                  due.seq
    )
    SELECT id, name, data, trace_context, due_at < now() - interval '1 second' AS overlooked
    FROM taken ORDER BY due_at, seq";

pub(super) async fn accept_due(
    database: &Database,
    unheard: &Unheard,
    limit: usize,
) -> Result<Accepted, StoreError> {
    let next = next(&mut database.acquire().await?).await?;
    if next != Some(Duration::ZERO) {
        return Ok(Accepted { events: 0, overlooked: 0, next });
    }
    let mut tx = database.begin().await?;
    if !sqlx::query_scalar::<_, bool>(TAKE_TURN).fetch_one(&mut *tx).await? {
        return Ok(Accepted { events: 0, overlooked: 0, next });
    }
    let rows = sqlx::query(TAKE).bind(limit as i64).fetch_all(&mut *tx).await?;
    let (mut events, mut overlooked) = (Vec::new(), 0);
    for row in &rows {
        events.push(NewEvent {
            id: row.uuid("id")?,
            name: row.text("name")?,
            data: Payload::stored(row.try_get::<&str, _>("data")?),
            idempotency_key: None,
            due: None,
            trace: row.trace()?,
            hosted: None,
        });
        overlooked += usize::from(row.flag("overlooked")?);
    }
    let written = accept::insert(&mut tx, None, events.iter()).await?;
    let next = self::next(&mut tx).await?;
    tx.commit(written.stirred).await?;
    unheard.say(written.unheard);
    Ok(Accepted { events: events.len(), overlooked, next })
}

async fn next(connection: &mut Link) -> Result<Option<Duration>, StoreError> {
    let next: Option<f64> = sqlx::query_scalar(NEXT).fetch_optional(connection).await?;
    Ok(next.map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default()))
}
