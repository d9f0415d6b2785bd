use std::collections::HashSet;

use sqlx::Row as _;
use tracing::warn;
use uuid::Uuid;

use super::batch::{self, Entries, Events, Leaving};
use super::database::{Database, Link};
use super::queue::released;
use super::waits::{RunWaits, last_event};
use super::{children, inbox, restart, waits};
use crate::id::WorkerId;
use crate::journal::{RunCommit, RunId};
use crate::store::columns::UNDOABLE;
use crate::store::effects::{Attribute, DroppedRows, Effects};
use crate::store::hints::{Stirred, Work};
use crate::store::read::Columns as _;
use crate::store::{Flushed, RunStatus, StoreError};

/// The parts of [`FLUSH`], with what else it does, whose slots that frees, and who is told something by it. The worker is `$1`,
/// the id of the commit `$2`, the status of runs that are ready `$3`, and the runs of the batch are `$4`;
/// what is written follows, as [`batch`] has it.
macro_rules! flush {
    ($more:literal, $freed:literal, $told:literal) => {
        concat!(
            "
    WITH lease AS MATERIALIZED (
        SELECT id, app FROM indelible.workers WHERE id = $1 FOR KEY SHARE
    ),
    clock AS MATERIALIZED (
        SELECT id AS worker, app, clock_timestamp() AS at, ",
            last_event!(),
            " AS since FROM lease
    ),
    written AS (
        INSERT INTO indelible.journal
            (run_id, seq, key, kind, transition, attempt, due_at, child, outcome, error, commit_id,
             at, started_at, first_seq)
        SELECT entry.run_id, entry.seq, entry.key, entry.kind, entry.transition, entry.attempt,
               coalesce(entry.due_at, clock.at + entry.wait * interval '1 microsecond'),
               entry.child, entry.outcome::json, entry.error::json, $2, clock.at,
               entry.started_at, entry.first_seq
        FROM clock,
             ",
            batch::entries!(),
            ",
             LATERAL (
                 SELECT 1 FROM indelible.runs run
                 WHERE run.id = entry.run_id AND run.worker IS NOT DISTINCT FROM clock.worker OFFSET 0
             ) AS ours
    ),
    event AS MATERIALIZED (
        SELECT event.id, event.name, event.data, event.place, clock.app, clock.at, clock.since,
               ours.trace_context
        FROM clock,
             ",
            batch::events!(),
            ",
             LATERAL (
                 SELECT run.trace_context FROM indelible.runs run
                 WHERE run.id = event.run_id AND run.worker IS NOT DISTINCT FROM clock.worker OFFSET 0
             ) AS ours
    ),
    accepted AS (
        INSERT INTO indelible.events (id, name, data, accepted_at, since, trace_context)
        SELECT id, name, data::json, at, since, trace_context FROM event ORDER BY place
    ),
    delivered AS (
        INSERT INTO indelible.deliveries (app, event_id, part)
        SELECT subscription.app, event.id, event.name
        FROM event
        JOIN indelible.subscriptions subscription
            ON subscription.event_name = event.name AND subscription.part = event.name
        WHERE subscription.app = event.app OR event.name NOT LIKE 'indelible/%'
        ORDER BY event.place
        RETURNING app
    ),
    gone AS (
        UPDATE indelible.runs run SET
            worker = NULL, status = leaving.status, output = leaving.output::json,
            error = leaving.error::json, cancelled = leaving.cancelled, held = leaving.held,
            held_by = CASE WHEN leaving.held IS NOT NULL THEN run.worker END,
            ended_at = CASE WHEN leaving.over THEN clock.at END, commit_id = $2,
            commit_at = clock.at, beginning = NULL,
            suspects = CASE WHEN leaving.status = $3 THEN run.suspects ELSE 0 END
        FROM clock,
             ",
            batch::leaving!(),
            "
        WHERE run.id = leaving.run_id AND run.worker IS NOT DISTINCT FROM clock.worker
        RETURNING run.id, run.app, run.workflow, run.rank, run.status, run.suspects, run.gated, run.parent, leaving.due_at,
                  leaving.over, leaving.output, leaving.error, leaving.cancelled
    ),
    parked AS (
        INSERT INTO indelible.timers (run_id, due_at)
        SELECT id, due_at FROM gone WHERE due_at IS NOT NULL
        ON CONFLICT (run_id) DO UPDATE SET due_at = excluded.due_at
    ),
    ",
            released!("gone WHERE status = $3"),
            ",
    rested AS (
        UPDATE indelible.slots slot SET state = 'rests', since = clock.at
        FROM clock, gone
        WHERE slot.run_id = gone.id AND gone.gated AND NOT gone.over AND gone.status <> $3
          AND slot.state = 'holds' AND slot.hold = 'active'
        RETURNING slot.app, slot.gate
    )",
            $more,
            ",
    opening AS (
        INSERT INTO indelible.openings (app, gate) SELECT app, gate FROM ",
            $freed,
            "
        RETURNING app
    )
    SELECT clock.at, clock.since, clock.app, ARRAY(SELECT DISTINCT app FROM delivered) AS delivered, ARRAY(
        SELECT batch.run_id
        FROM unnest($4::uuid[]) WITH ORDINALITY AS batch (run_id, place)
        WHERE NOT EXISTS (
            SELECT 1 FROM indelible.runs run
            WHERE run.id = batch.run_id AND run.worker IS NOT DISTINCT FROM clock.worker OFFSET 0
        )
        ORDER BY batch.place
    ) AS evicted, ",
            $told,
            " AS told, EXISTS (SELECT 1 FROM opening) OR EXISTS (
        SELECT 1 FROM released WHERE asks
    ) AS opened
    FROM clock"
        )
    };
}

/// A whole batch: its entries, the events that they send, and what becomes of its runs. The system events of
/// ends are for their own app. All events belong to the trace of the run that sends them.
///
/// `lease` holds the worker's row until the commit, so that nobody takes over in between; without
/// that row nothing below finds anything to do. Each part joins the runs that the worker holds, so
/// that what it no longer holds is left out. All parts see the database as it was before; so does
/// `since`, the last event before this commit: an event of the same commit counts for its waits.
///
/// Served by the primary keys of workers, runs and subscriptions: one look-up an entry. `OFFSET 0` and
/// `IS NOT DISTINCT FROM` keep the planner from the other way round, by `runs_of_worker`, which would
/// go over all that the worker holds for each entry.
pub(super) const FLUSH: &str = flush!("", "rested", "'{}'::uuid[]");

/// The same for a batch in which runs end, with what that means for those that belong to them: their
/// waits and inboxes are removed (but for the events that a failed one has taken: it may be retried),
/// parents and children are told, and their slots are free. A child that ran under the slot of a run that
/// is over holds it from then on. A statement of its own, as most batches of a lone run need none of it.
///
/// Served also by the primary keys of waits, inbox and slots, and by `runs_of_parent`.
pub(super) const FLUSH_ENDS: &str = flush!(
    ",
    unwaited AS (
        DELETE FROM indelible.waits wait USING gone WHERE wait.run_id = gone.id AND gone.over
    ),
    emptied AS (
        DELETE FROM indelible.inbox message USING gone
        WHERE message.run_id = gone.id AND gone.over
          AND NOT (message.taken AND message.kind <> 'cancel' AND gone.error IS NOT NULL)
    ),
    told AS (
        INSERT INTO indelible.inbox (run_id, id, kind, at, outcome, error, reason)
        SELECT parent.id, gone.id, 'child_ended', clock.at, gone.output::json, gone.error::json,
               gone.cancelled
        FROM clock, gone JOIN indelible.runs parent ON parent.id = gone.parent
        WHERE gone.over AND parent.ended_at IS NULL
        UNION ALL
        SELECT child.id, gone.id, 'cancel', clock.at, NULL, NULL,
               'its parent run ' || gone.id || ' has ended'
        FROM clock, gone JOIN indelible.runs child ON child.parent = gone.id
        WHERE gone.over AND child.ended_at IS NULL AND NOT child.detached
        ON CONFLICT (run_id, id) DO NOTHING
        RETURNING run_id
    ),
    left_gates AS (
        DELETE FROM indelible.slots slot USING gone
        WHERE slot.run_id = gone.id AND gone.over AND gone.gated
        RETURNING slot.app, slot.gate, slot.state
    ),
    inherited AS (
        UPDATE indelible.slots slot SET state = 'holds'
        FROM gone JOIN indelible.runs child ON child.parent = gone.id
        WHERE slot.run_id = child.id AND gone.over AND gone.gated AND slot.state = 'lent'
    )",
    "(SELECT app, gate FROM rested
      UNION ALL SELECT app, gate FROM left_gates WHERE state = 'holds') AS freed",
    "ARRAY(SELECT run_id FROM told)"
);

/// A carried loop's rows of earlier iterations, also those of the same batch, but for outcomes that
/// may have to be undone. Served by the primary key.
pub(super) const DROP: &str = "
    DELETE FROM indelible.journal written
    USING unnest($1::uuid[], $2::integer[], $3::integer[]) AS dropped (run_id, first, before)
    WHERE written.run_id = dropped.run_id AND written.seq >= dropped.first AND written.seq < dropped.before
      AND written.transition <> $4";

/// Whoever takes the run over knows what had begun. Served by the primary key.
pub(super) const BEGINNING: &str = "
    UPDATE indelible.runs run SET beginning = about.steps
    FROM unnest($1::uuid[], $2::text[]) AS about (run_id, steps)
    WHERE run.id = about.run_id";

/// Served by the primary keys of runs and attributes.
pub(super) const NAME: &str = "
    INSERT INTO indelible.attributes (run_id, key, app, value)
    SELECT run.id, named.key, run.app, named.value
    FROM unnest($1::uuid[], $2::text[], $3::text[]) AS named (run_id, key, value)
    JOIN indelible.runs run ON run.id = named.run_id
    ON CONFLICT (run_id, key) DO UPDATE SET value = excluded.value
    WHERE attributes.value <> excluded.value";

/// Served by the primary keys of journal and runs. A commit without entries has left its id on the
/// run that it took from its worker.
pub(super) const LANDED: &str = "
    SELECT batch.run_id, run.app,
           coalesce(written.at, CASE WHEN run.commit_id = $3 THEN run.commit_at END) AS at
    FROM unnest($1::uuid[], $2::integer[]) AS batch (run_id, seq)
    LEFT JOIN indelible.journal written
        ON written.run_id = batch.run_id AND written.seq = batch.seq AND written.commit_id = $3
    JOIN indelible.runs run ON run.id = batch.run_id
    WHERE written.at IS NOT NULL OR run.commit_id = $3";

pub(super) async fn flush(
    database: &Database,
    worker: WorkerId,
    commit: Uuid,
    batch: &[RunCommit],
) -> Result<Flushed, StoreError> {
    match write(database, worker, commit, batch).await {
        // The batch has come before, and its reply was lost.
        Err(error) if error.is_duplicate() => landed(database, commit, batch).await?.ok_or(error),
        Err(error) => Err(error),
        Ok((sent, connection)) => Ok(look(database, connection, sent).await),
    }
}

/// Commits a batch: in one round trip, unless it does more than to write entries and to end runs. What
/// connection is left is for the look.
async fn write<'b>(
    database: &Database,
    worker: WorkerId,
    commit: Uuid,
    batch: &'b [RunCommit],
) -> Result<(Sent<'b>, Option<Link>), StoreError> {
    if Effects::of(batch).are_none() {
        let mut connection = database.acquire().await?;
        let (sent, stirred) = send(&mut connection, worker, commit, batch).await?;
        database.committed(stirred);
        return Ok((sent, Some(connection)));
    }
    let mut tx = database.begin().await?;
    let (sent, stirred) = send(&mut tx, worker, commit, batch).await?;
    tx.commit(stirred).await?;
    Ok((sent, None))
}

/// A batch that was sent, before its look.
pub(super) struct Sent<'b> {
    pub(super) flushed: Flushed,
    effects: Effects<'b>,
    /// The runs that have got messages.
    told: Vec<Uuid>,
}

/// Looks, once a batch is committed, for the events of its waits, then for messages to its parked
/// runs and for parked runs among those that it has told something.
///
/// The batch is committed whatever becomes of this: what is left undone is made good elsewhere.
async fn look(database: &Database, connection: Option<Link>, sent: Sent<'_>) -> Flushed {
    let Sent { flushed, effects, mut told } = sent;
    if told.is_empty()
        && effects.waits.is_empty()
        && effects.at_rest.is_empty()
        && effects.begun().next().is_none()
    {
        return flushed;
    }
    let looked = async {
        let mut connection = match connection {
            Some(connection) => connection,
            None => database.acquire().await?,
        };
        let (runs, keys) = effects.waits.iter().map(|wait| (wait.run.as_uuid(), wait.key)).unzip();
        told.extend(waits::look(&mut connection, runs, keys).await?);
        told.extend(RunWaits::of(effects.begun()).look(&mut connection).await?);
        let at_rest: Vec<Uuid> = effects.at_rest.iter().map(|run| run.as_uuid()).collect();
        database.committed(inbox::rouse(&mut connection, &told, &at_rest).await?.stirred);
        Ok::<_, StoreError>(())
    };
    if let Err(error) = looked.await {
        warn!(%error, "could not look for messages after a commit; the next look makes up for that");
    }
    flushed
}

/// Writes a batch. In a transaction, if it has effects. Gives also what is stirred once it is committed.
pub(super) async fn send<'b>(
    connection: &mut Link,
    worker: WorkerId,
    commit: Uuid,
    batch: &'b [RunCommit],
) -> Result<(Sent<'b>, Stirred), StoreError> {
    let mut entries = Entries::default();
    let mut events = Events::default();
    let mut leaving = Leaving::default();
    for commit in batch {
        entries.push(commit);
        events.push(commit);
        leaving.push(commit);
    }
    let flush = sqlx::query(if leaving.ends() { FLUSH_ENDS } else { FLUSH })
        .bind(worker.as_uuid())
        .bind(commit)
        .bind(RunStatus::Queued.name())
        .bind(batch.iter().map(|commit| commit.run.as_uuid()).collect::<Vec<_>>());
    let flush = leaving.bind(events.bind(entries.bind(flush)));
    let row = flush.fetch_optional(&mut *connection).await?.ok_or(StoreError::LeaseLost)?;
    let at = row.time("at")?;
    let since: i64 = row.try_get("since")?;
    let app: &str = row.try_get("app")?;
    let evicted: Vec<Uuid> = row.try_get("evicted")?;
    let evicted: Vec<RunId> = evicted.into_iter().map(RunId::from).collect();
    let mut told: Vec<Uuid> = row.try_get("told")?;

    let effects = Effects::of(batch.iter().filter(|commit| !evicted.contains(&commit.run)));
    drop_rows(connection, &effects.dropped).await?;
    children::start(connection, app, &effects.children, &effects.silent, at, since).await?;
    waits::begin(connection, &effects.waits, since).await?;
    waits::end(connection, &effects.waited).await?;
    inbox::settle(connection, &effects.settled).await?;
    name(connection, &effects.attributes).await?;
    announce(connection, &effects.beginning).await?;
    told.extend(inbox::ask_children(connection, &effects.cancels).await?);
    told.extend(restart::restart(connection, &effects.restarts, at, since).await?);
    RunWaits::of(effects.begun()).begin(connection, true).await?;
    let opened = if row.try_get("opened")? { Work::GATES } else { Work::empty() };
    let delivered: Vec<String> = row.try_get("delivered")?;
    let stirred = effects
        .stirred(app)
        .and(Stirred::of(app, opened))
        .and(Stirred::each(&delivered, Work::DELIVERIES));
    Ok((Sent { flushed: Flushed { at, evicted }, effects, told }, stirred))
}

/// Says by what runs are found.
async fn name(connection: &mut Link, attributes: &[Attribute<'_>]) -> Result<(), StoreError> {
    if attributes.is_empty() {
        return Ok(());
    }
    sqlx::query(NAME)
        .bind(attributes.iter().map(|named| named.run.as_uuid()).collect::<Vec<_>>())
        .bind(attributes.iter().map(|named| named.key).collect::<Vec<_>>())
        .bind(attributes.iter().map(|named| named.value).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

/// Says whose futures are about to begin.
async fn announce(connection: &mut Link, beginning: &[(RunId, &str)]) -> Result<(), StoreError> {
    if beginning.is_empty() {
        return Ok(());
    }
    let (runs, steps): (Vec<Uuid>, Vec<&str>) =
        beginning.iter().map(|(run, steps)| (run.as_uuid(), *steps)).unzip();
    sqlx::query(BEGINNING).bind(runs).bind(steps).execute(connection).await?;
    Ok(())
}

async fn drop_rows(connection: &mut Link, dropped: &[DroppedRows]) -> Result<(), StoreError> {
    if dropped.is_empty() {
        return Ok(());
    }
    sqlx::query(DROP)
        .bind(dropped.iter().map(|dropped| dropped.run.as_uuid()).collect::<Vec<_>>())
        .bind(dropped.iter().map(|dropped| dropped.from as i32).collect::<Vec<_>>())
        .bind(dropped.iter().map(|dropped| dropped.before as i32).collect::<Vec<_>>())
        .bind(UNDOABLE)
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn landed(
    database: &Database,
    commit: Uuid,
    batch: &[RunCommit],
) -> Result<Option<Flushed>, StoreError> {
    let seq = |commit: &RunCommit| commit.last_seq().map(|seq| seq as i32);
    let rows = sqlx::query(LANDED)
        .bind(batch.iter().map(|commit| commit.run.as_uuid()).collect::<Vec<_>>())
        .bind(batch.iter().map(seq).collect::<Vec<_>>())
        .bind(commit)
        .fetch_all(&mut database.acquire().await?)
        .await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let at = first.time("at")?;
    // Nobody has told what it has stirred.
    database.committed(Stirred::of(first.try_get("app")?, Work::all()));
    let found = rows.iter().map(|row| row.uuid("run_id"));
    let found = found.collect::<Result<HashSet<RunId>, _>>()?;
    // One without a trace is not known to be lost; the run's next commit will tell.
    let traced = batch.iter().filter(|commit| !commit.is_traceless());
    let evicted = traced.map(|commit| commit.run).filter(|run| !found.contains(run));
    Ok(Some(Flushed { at, evicted: evicted.collect() }))
}
