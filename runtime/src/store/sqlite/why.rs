use async_trait::async_trait;

use super::database::SqliteStore;
use super::limits::HOLDERS;
use super::value::{batch, now};
use super::workers;
use crate::event::EventId;
use crate::journal::RunId;
use crate::payload::Payload;
use crate::store::StoreError;
use crate::store::limits::{HOLDERS as HOLDERS_LISTED, read_holders};
use crate::store::read::Columns as _;
use crate::store::why::{
    COUNTED, EventRecord, GateRow, LISTED, Reasons, RunReasons, Standing, open_state,
};

/// A run, with its worker, its place in the queue and the living workers of its app, out of `?3`. Served by
/// the primary keys, and `indelible_ready_by_rank` for up to `?2` runs before it.
const STANDING: &str = "
    SELECT run.id, run.workflow, run.status, run.started_at, run.ended_at, run.error,
           run.cancelled, run.held, run.shape, run.suspected, run.worker, worker.host, worker.pid,
           paused.at AS paused_at, ready.suspects AS lane, asked.reason AS asked,
           asked.at AS asked_at, last.key AS last_key, last.at AS last_at,
           (SELECT count(*) FROM (
               SELECT 1 FROM indelible_ready other
               WHERE other.app = ready.app AND other.suspects = ready.suspects
                 AND (other.rank, other.run_id) < (ready.rank, ready.run_id) LIMIT ?2
           )) AS before,
           (SELECT count(*) FROM indelible_workers alive
            WHERE alive.app = run.app AND alive.id IN (SELECT value FROM json_each(?3))) AS living,
           (SELECT count(*) FROM indelible_workers alive
            WHERE alive.app = run.app AND alive.id IN (SELECT value FROM json_each(?3))
              AND EXISTS (
                  SELECT 1 FROM json_each(alive.drives) drive
                  WHERE drive.value ->> 'workflow' = run.workflow
                    AND (drive.value ->> 'shape' IS NULL OR run.shape IS NULL
                         OR drive.value ->> 'shape' = run.shape)
              )) AS able
    FROM indelible_runs run
    LEFT JOIN indelible_workers worker ON worker.id = run.worker
    LEFT JOIN indelible_paused paused ON paused.app = run.app AND paused.workflow = run.workflow
    LEFT JOIN indelible_ready ready ON ready.run_id = run.id
    LEFT JOIN indelible_inbox asked ON asked.run_id = run.id AND asked.id = (
        SELECT id FROM indelible_inbox
        WHERE run_id = run.id AND kind = 'cancel' ORDER BY at LIMIT 1
    )
    LEFT JOIN indelible_journal last ON last.run_id = run.id AND last.seq = (
        SELECT max(seq) FROM indelible_journal WHERE run_id = run.id
    )
    WHERE run.id = ?1";

/// The states of a run that are not over; once it is undone, only what came since. Served by the primary
/// keys.
const OPEN: &str = "
    SELECT open.key, open.transition, open.attempt, open.due_at, open.child, open.error, open.at,
           wait.awaited, wait.made_at, child.workflow, child.status
    FROM (
        SELECT key, max(seq) AS seq, transition, attempt, due_at, child, error, at
        FROM indelible_journal
        WHERE run_id = ?1 AND seq >= coalesce((
            SELECT max(seq) FROM indelible_journal WHERE run_id = ?1 AND transition = 'undoing'
        ), 0)
        GROUP BY key
    ) open
    LEFT JOIN indelible_waits wait ON wait.run_id = ?1 AND wait.key = open.key
    LEFT JOIN indelible_runs child ON child.id = open.child
    WHERE open.transition IN ('sleeping', 'retrying', 'waiting', 'invoked', 'undoing')
    ORDER BY open.seq LIMIT ?2";

/// The gate at which a run waits. Served by `indelible_slots_of_gate` and the primary keys.
const GATE: &str = "
    SELECT slot.gate, slot.name, slot.key, slot.since, limits.kind,
           coalesce(limits.set_most, limits.most) AS most,
           coalesce(limits.set_period, limits.period) AS period,
           coalesce(limits.set_burst, limits.burst) AS burst, counters.until,
           (SELECT count(*) FROM (
               SELECT 1 FROM indelible_slots other
               WHERE other.gate = slot.gate AND other.state = 'holds' LIMIT ?2
           )) AS holding,
           (SELECT count(*) FROM (
               SELECT 1 FROM indelible_slots other
               WHERE other.gate = slot.gate AND other.state = 'waits'
                 AND (other.rank, other.run_id) < (slot.rank, slot.run_id) LIMIT ?2
           )) AS before
    FROM indelible_slots slot
    LEFT JOIN indelible_limits limits ON limits.app = slot.app AND limits.name = slot.name
    LEFT JOIN indelible_counters counters ON counters.gate = slot.gate
    WHERE slot.run_id = ?1 AND slot.state = 'waits'
    ORDER BY slot.place LIMIT 1";

/// Served by the unique index of events.
const EVENT: &str = "
    SELECT id, name, data, accepted_at, trace_context FROM indelible_events WHERE id = ?1";

/// The runs that an event has reached. Served by `indelible_runs_of_event` and the primary keys.
const REACHED: &str = "
    WITH reached (id, key, together) AS (
        SELECT * FROM (SELECT id, '', 0 FROM indelible_runs
                       WHERE event_id = ?1 ORDER BY id LIMIT ?2)
        UNION ALL
        SELECT * FROM (SELECT run_id, key, 1 FROM indelible_reached
                       WHERE event_id = ?1 AND key = '' ORDER BY run_id LIMIT ?2)
        UNION ALL
        SELECT * FROM (SELECT run_id, key, 1 FROM indelible_reached
                       WHERE event_id = ?1 AND key <> '' ORDER BY run_id LIMIT ?2)
    )
    SELECT CASE WHEN reached.key = '' THEN 'started' ELSE 'woke' END AS about, run.app,
           run.id AS run_id, run.workflow, run.status, reached.key AS text,
           reached.together AS number, NULL AS at
    FROM reached CROSS JOIN indelible_runs run ON run.id = reached.id
    ORDER BY run.id, reached.key";

/// What else the tables say of an event of the name `?2`, with the living workers `?4`. Served by the
/// primary keys; of the apps that subscribe to it, this goes over all deliveries and over what its workflows
/// have gathered.
const ELSEWHERE: &str = "
    WITH wanted AS MATERIALIZED (
        SELECT app, part FROM indelible_subscriptions WHERE event_name = ?2
    )
    SELECT * FROM (SELECT 'subscribed' AS about, app, NULL AS run_id, NULL AS workflow,
                          NULL AS status, NULL AS text, NULL AS number, NULL AS at
                   FROM wanted GROUP BY app ORDER BY app LIMIT ?3)
    UNION ALL
    SELECT * FROM (SELECT 'skipped', app, NULL, workflow, NULL, reason, NULL, at
                   FROM indelible_skipped WHERE event_id = ?1 ORDER BY app, workflow LIMIT ?3)
    UNION ALL
    SELECT * FROM (SELECT 'blocked', blocked.app, NULL, blocked.part, NULL, blocked.reason, NULL, NULL
                   FROM wanted CROSS JOIN indelible_blocked blocked
                       ON blocked.app = wanted.app AND blocked.part = wanted.part
                          AND blocked.event_id = ?1
                   ORDER BY blocked.app, blocked.part LIMIT ?3)
    UNION ALL
    SELECT * FROM (SELECT 'unrouted', delivery.app, NULL, delivery.part, NULL, NULL, (
                       SELECT count(*) FROM indelible_workers worker
                       WHERE worker.app = delivery.app
                         AND worker.id IN (SELECT value FROM json_each(?4))
                         AND delivery.part IN (SELECT value FROM json_each(worker.parts))
                   ), NULL
                   FROM indelible_deliveries delivery
                   WHERE delivery.app IN (SELECT app FROM wanted) AND delivery.event_id = ?1
                   ORDER BY delivery.app, delivery.seq LIMIT ?3)
    UNION ALL
    SELECT * FROM (SELECT 'gathered', batch.app, NULL, batch.workflow, NULL, batch.key, batch.events,
                          batch.due_at
                   FROM wanted
                   CROSS JOIN indelible_batched added ON added.app = wanted.app
                       AND wanted.part = ?2 || ' starts ' || added.workflow
                       AND added.event_id = ?1
                   CROSS JOIN indelible_batches batch
                       ON batch.app = added.app AND batch.workflow = added.workflow
                          AND batch.key = added.key
                   ORDER BY batch.app, batch.workflow LIMIT ?3)";

/// Served by `indelible_reached_by_run`.
const EVENTS_OF: &str = "
    SELECT event_id FROM indelible_reached
    WHERE run_id = ?1 AND key = '' ORDER BY event_id LIMIT ?2";

#[async_trait]
impl Reasons for SqliteStore {
    async fn why(&self, run: RunId) -> Result<Option<RunReasons>, StoreError> {
        let (readers, at, id) = (self.readers()?, now(), run.to_string());
        let living = workers::living(&self.lives, readers).await?;
        let row = sqlx::query(STANDING).bind(&id).bind(COUNTED).bind(batch(living));
        let Some(row) = row.fetch_optional(readers).await? else { return Ok(None) };
        let standing = Standing::read(&row, at)?;
        if standing.is_over() {
            return Ok(Some(RunReasons::of(standing, (Vec::new(), 0), None)));
        }
        let open = sqlx::query(OPEN).bind(&id).bind(COUNTED).fetch_all(readers).await?;
        let listed = open.iter().take(LISTED as usize).map(|row| open_state(row, at));
        let listed = listed.collect::<Result<Vec<_>, _>>()?;
        let gate = sqlx::query(GATE).bind(&id).bind(COUNTED).fetch_optional(readers).await?;
        let gate = match gate.as_ref().map(GateRow::read).transpose()? {
            Some(gate) => {
                let holders = sqlx::query(HOLDERS).bind(batch([gate.gate])).bind(HOLDERS_LISTED);
                let mut holders = read_holders(&holders.fetch_all(readers).await?)?;
                let holders = holders.remove(&gate.gate).unwrap_or_default();
                Some((gate, holders))
            }
            None => None,
        };
        Ok(Some(RunReasons::of(standing, (listed, open.len() as u64), gate)))
    }

    async fn event(&self, event: EventId) -> Result<Option<(EventRecord, Payload)>, StoreError> {
        let (readers, at, id) = (self.readers()?, now(), event.to_string());
        let row = sqlx::query(EVENT).bind(&id).fetch_optional(readers).await?;
        let Some(row) = row else { return Ok(None) };
        let (mut record, data) = EventRecord::read(&row, at)?;
        let reached = sqlx::query(REACHED).bind(&id).bind(COUNTED);
        record.add(&reached.fetch_all(readers).await?)?;
        let living = workers::living(&self.lives, readers).await?;
        let elsewhere = sqlx::query(ELSEWHERE).bind(&id).bind(&*record.name).bind(LISTED);
        let elsewhere = elsewhere.bind(batch(living)).fetch_all(readers).await?;
        record.add(&elsewhere)?;
        Ok(Some((record, data)))
    }

    async fn events_of(&self, run: RunId) -> Result<Vec<EventId>, StoreError> {
        let events = sqlx::query(EVENTS_OF).bind(run.to_string()).bind(COUNTED);
        let events = events.fetch_all(self.readers()?).await?;
        events.iter().map(|row| row.uuid("event_id")).collect()
    }
}
