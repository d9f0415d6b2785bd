use async_trait::async_trait;

use super::PostgresStore;
use super::limits::HOLDERS;
use crate::event::EventId;
use crate::journal::RunId;
use crate::payload::Payload;
use crate::store::StoreError;
use crate::store::limits::{HOLDERS as HOLDERS_LISTED, read_holders};
use crate::store::read::Columns as _;
use crate::store::why::{
    COUNTED, EventRecord, GateRow, LISTED, Reasons, RunReasons, Standing, open_state,
};

/// A run, with its worker, its place in the queue and the living workers of its app. Served by the primary
/// keys, and `ready_by_rank` for up to `$2` runs before it.
const STANDING: &str = "
    SELECT run.id, run.workflow, run.status, run.started_at, run.ended_at, run.error::text AS error,
           run.cancelled, run.held, run.shape, run.suspected, run.worker, worker.host, worker.pid,
           paused.at AS paused_at, ready.suspects AS lane, asked.reason AS asked,
           asked.at AS asked_at, last.key AS last_key, last.at AS last_at, now() AS at,
           (SELECT count(*) FROM (
               SELECT 1 FROM indelible.ready other
               WHERE other.app = ready.app AND other.suspects = ready.suspects
                 AND (other.rank, other.run_id) < (ready.rank, ready.run_id)
               ORDER BY other.rank, other.run_id LIMIT $2
           ) before) AS before,
           standing.living, standing.able
    FROM indelible.runs run
    LEFT JOIN indelible.workers worker ON worker.id = run.worker
    LEFT JOIN indelible.paused ON paused.app = run.app AND paused.workflow = run.workflow
    LEFT JOIN indelible.ready ON ready.run_id = run.id
    LEFT JOIN LATERAL (
        SELECT reason, at FROM indelible.inbox
        WHERE run_id = run.id AND kind = 'cancel' ORDER BY at LIMIT 1
    ) asked ON true
    LEFT JOIN LATERAL (
        SELECT key, at FROM indelible.journal WHERE run_id = run.id ORDER BY seq DESC LIMIT 1
    ) last ON true
    CROSS JOIN LATERAL (
        SELECT count(*) AS living, count(*) FILTER (WHERE EXISTS (
            SELECT 1 FROM unnest(alive.workflows, alive.shapes) AS drive (workflow, shape)
            WHERE drive.workflow = run.workflow
              AND (drive.shape IS NULL OR run.shape IS NULL OR drive.shape = run.shape)
        )) AS able
        FROM indelible.workers alive
        WHERE alive.app = run.app AND alive.expires_at > now()
    ) standing
    WHERE run.id = $1";

/// The states of a run that are not over; once it is undone, only what came since. Served by the primary
/// keys.
pub(super) const OPEN: &str = "
    WITH last AS MATERIALIZED (
        SELECT DISTINCT ON (key) seq, key, transition, attempt, due_at, child, error, at
        FROM indelible.journal
        WHERE run_id = $1 AND seq >= coalesce((
            SELECT max(seq) FROM indelible.journal WHERE run_id = $1 AND transition = 'undoing'
        ), 0)
        ORDER BY key, seq DESC
    ),
    open AS (
        SELECT * FROM last
        WHERE transition IN ('sleeping', 'retrying', 'waiting', 'invoked', 'undoing')
        ORDER BY seq LIMIT $2
    )
    SELECT open.key, open.transition, open.attempt, open.due_at, open.child,
           open.error::text AS error, open.at, wait.awaited, wait.made_at, child.workflow,
           child.status
    FROM open
    LEFT JOIN indelible.waits wait ON wait.run_id = $1 AND wait.key = open.key
    LEFT JOIN indelible.runs child ON child.id = open.child
    ORDER BY open.seq";

/// The gate at which a run waits. Served by `slots_of_gate` and the primary keys.
pub(super) const GATE: &str = "
    SELECT slot.gate, slot.name, slot.key, slot.since, limits.kind,
           coalesce(limits.set_most, limits.most) AS most,
           coalesce(limits.set_period, limits.period) AS period,
           coalesce(limits.set_burst, limits.burst) AS burst, counters.until,
           (SELECT count(*) FROM (
               SELECT 1 FROM indelible.slots other
               WHERE other.gate = slot.gate AND other.state = 'holds' LIMIT $2
           ) holding) AS holding,
           (SELECT count(*) FROM (
               SELECT 1 FROM indelible.slots other
               WHERE other.gate = slot.gate AND other.state = 'waits'
                 AND (other.rank, other.run_id) < (slot.rank, slot.run_id) LIMIT $2
           ) before) AS before
    FROM indelible.slots slot
    LEFT JOIN indelible.limits ON limits.app = slot.app AND limits.name = slot.name
    LEFT JOIN indelible.counters ON counters.gate = slot.gate
    WHERE slot.run_id = $1 AND slot.state = 'waits'
    ORDER BY slot.place LIMIT 1";

/// Served by the primary key.
const EVENT: &str = "
    SELECT id, name, data::text AS data, accepted_at, trace_context, now() AS at
    FROM indelible.events WHERE id = $1";

/// The runs that an event has reached. Served by `runs_of_event` and the primary keys.
pub(super) const REACHED: &str = "
    WITH reached AS (
        (SELECT id, '' AS key, 0 AS together FROM indelible.runs
         WHERE event_id = $1 ORDER BY id LIMIT $2)
        UNION ALL
        (SELECT run_id, key, 1 FROM indelible.reached
         WHERE event_id = $1 AND key = '' ORDER BY run_id LIMIT $2)
        UNION ALL
        (SELECT run_id, key, 1 FROM indelible.reached
         WHERE event_id = $1 AND key <> '' ORDER BY run_id LIMIT $2)
    )
    SELECT CASE WHEN reached.key = '' THEN 'started' ELSE 'woke' END AS about, run.app,
           run.id AS run_id, run.workflow, run.status, reached.key AS text,
           reached.together AS number, NULL::timestamptz AS at
    FROM reached JOIN indelible.runs run ON run.id = reached.id
    ORDER BY run.id, reached.key";

/// What else the tables say of an event of the name `$2`. Served by the primary keys; of the apps that
/// subscribe to it, this goes over all deliveries and over what its workflows have gathered.
const ELSEWHERE: &str = "
    WITH wanted AS MATERIALIZED (
        SELECT app, part FROM indelible.subscriptions WHERE event_name = $2
    )
    (SELECT 'subscribed' AS about, app, NULL::uuid AS run_id, NULL AS workflow, NULL AS status,
            NULL AS text, NULL::bigint AS number, NULL::timestamptz AS at
     FROM wanted GROUP BY app ORDER BY app LIMIT $3)
    UNION ALL
    (SELECT 'skipped', app, NULL, workflow, NULL, reason, NULL, at
     FROM indelible.skipped WHERE event_id = $1 ORDER BY app, workflow LIMIT $3)
    UNION ALL
    (SELECT 'blocked', blocked.app, NULL, blocked.part, NULL, blocked.reason, NULL, NULL
     FROM wanted JOIN indelible.blocked
         ON blocked.app = wanted.app AND blocked.part = wanted.part AND blocked.event_id = $1
     ORDER BY blocked.app, blocked.part LIMIT $3)
    UNION ALL
    (SELECT 'unrouted', delivery.app, NULL, delivery.part, NULL, NULL, (
         SELECT count(*) FROM indelible.workers worker
         WHERE worker.app = delivery.app AND worker.expires_at > now()
           AND delivery.part = ANY (worker.parts)
     ), NULL
     FROM indelible.deliveries delivery
     WHERE delivery.app IN (SELECT app FROM wanted) AND delivery.event_id = $1
       AND delivery.routed_at IS NULL
     ORDER BY delivery.app, delivery.seq LIMIT $3)
    UNION ALL
    (SELECT 'gathered', batch.app, NULL, batch.workflow, NULL, batch.key, batch.events, batch.due_at
     FROM wanted
     JOIN indelible.batched added ON added.app = wanted.app
         AND wanted.part = $2 || ' starts ' || added.workflow AND added.event_id = $1
     JOIN indelible.batches batch
         ON batch.app = added.app AND batch.workflow = added.workflow AND batch.key = added.key
     ORDER BY batch.app, batch.workflow LIMIT $3)";

/// Served by `reached_by_run`.
const EVENTS_OF: &str = "
    SELECT event_id FROM indelible.reached
    WHERE run_id = $1 AND key = '' ORDER BY event_id LIMIT $2";

#[async_trait]
impl Reasons for PostgresStore {
    async fn why(&self, run: RunId) -> Result<Option<RunReasons>, StoreError> {
        let mut connection = self.database.acquire().await?;
        let row = sqlx::query(STANDING).bind(run.as_uuid()).bind(COUNTED);
        let Some(row) = row.fetch_optional(&mut connection).await? else { return Ok(None) };
        let at = row.time("at")?;
        let standing = Standing::read(&row, at)?;
        if standing.is_over() {
            return Ok(Some(RunReasons::of(standing, (Vec::new(), 0), None)));
        }
        let open = sqlx::query(OPEN).bind(run.as_uuid()).bind(COUNTED);
        let open = open.fetch_all(&mut connection).await?;
        let listed = open.iter().take(LISTED as usize).map(|row| open_state(row, at));
        let listed = listed.collect::<Result<Vec<_>, _>>()?;
        let gate = sqlx::query(GATE).bind(run.as_uuid()).bind(COUNTED);
        let gate = gate.fetch_optional(&mut connection).await?;
        let gate = match gate.as_ref().map(GateRow::read).transpose()? {
            Some(gate) => {
                let holders = sqlx::query(HOLDERS).bind(vec![gate.gate]);
                let holders = holders.bind(i64::from(HOLDERS_LISTED));
                let mut holders = read_holders(&holders.fetch_all(&mut connection).await?)?;
                let holders = holders.remove(&gate.gate).unwrap_or_default();
                Some((gate, holders))
            }
            None => None,
        };
        Ok(Some(RunReasons::of(standing, (listed, open.len() as u64), gate)))
    }

    async fn event(&self, event: EventId) -> Result<Option<(EventRecord, Payload)>, StoreError> {
        let mut connection = self.database.acquire().await?;
        let row = sqlx::query(EVENT).bind(event.as_uuid()).fetch_optional(&mut connection).await?;
        let Some(row) = row else { return Ok(None) };
        let (mut record, data) = EventRecord::read(&row, row.time("at")?)?;
        let reached = sqlx::query(REACHED).bind(event.as_uuid()).bind(COUNTED);
        record.add(&reached.fetch_all(&mut connection).await?)?;
        let elsewhere = sqlx::query(ELSEWHERE).bind(event.as_uuid()).bind(&*record.name);
        let elsewhere = elsewhere.bind(LISTED).fetch_all(&mut connection).await?;
        record.add(&elsewhere)?;
        Ok(Some((record, data)))
    }

    async fn events_of(&self, run: RunId) -> Result<Vec<EventId>, StoreError> {
        let events = sqlx::query(EVENTS_OF).bind(run.as_uuid()).bind(COUNTED);
        let events = events.fetch_all(&mut self.database.acquire().await?).await?;
        events.iter().map(|row| row.uuid("event_id")).collect()
    }
}
