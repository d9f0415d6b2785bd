//! What operators do to runs that nobody holds. Each verb locks what it changes, so that of two at
//! once the second finds what the first has made of it.

use std::collections::HashMap;

use async_trait::async_trait;
use sqlx::Row as _;
use uuid::Uuid;

use super::database::{Isolation, Link, again};
use super::queue::{released, started};
use super::waits::RunWaits;
use super::{PostgresStore, gates, inbox, limits, unsettled};
use crate::journal::{MessageId, RunId};
use crate::store::begun::{Begun, subjects, unsettled, work};
use crate::store::columns::row_head;
use crate::store::hints::{Stirred, Work};
use crate::store::kept_rows::{RowHead, cut, forked};
use crate::store::message::{CANCEL, EVENT};
use crate::store::operators::{FORKED, REPLAYED, RETRIED};
use crate::store::read::Columns as _;
use crate::store::{
    Fork, Intervention, LimitRefusal, Operators, Paused, Refusal, Replay, RunStatus, StoreError,
    Terms,
};
use crate::workflow::Allowance;

/// Served by the primary key, in its order, so that two that lock the same runs do not wait for one
/// another in a circle.
pub(super) const LOCK: &str = "
    SELECT id, status, error::text AS error FROM indelible.runs
    WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE";

/// Served by the primary key.
pub(super) const ROWS: &str = "
    SELECT run_id, seq, key, transition, first_seq FROM indelible.journal
    WHERE run_id = ANY ($1) ORDER BY run_id, seq";

/// What waits have taken whose rows go is there for them again. The event's id is read by its place in
/// the text of the outcome: Postgres takes no JSON apart that has a NUL in it. Served by the primary keys.
pub(super) const CUT: &str = "
    WITH gone AS (
        DELETE FROM indelible.journal written
        USING unnest($1::uuid[], $2::integer[]) AS cut (run_id, seq)
        WHERE written.run_id = cut.run_id AND written.seq = cut.seq
        RETURNING written.run_id, CASE
            WHEN written.kind = 'wait_for_event' AND written.transition = 'succeeded'
                 AND written.outcome::text LIKE '{\"id\":\"%'
            THEN substr(written.outcome::text, 8, 36)::uuid
        END AS event_id
    )
    DELETE FROM indelible.inbox message USING gone
    WHERE message.run_id = gone.run_id AND message.id = gone.event_id";

/// Served by the primary key.
pub(super) const REVIVE: &str = concat!(
    "
    WITH revived AS (
        UPDATE indelible.runs SET
            status = $2, error = NULL, ended_at = NULL, take_overs = 0, suspects = 0, last_seq = NULL,
            retries = retries + 1
        WHERE id = ANY ($1)
        RETURNING id, app, workflow, rank, suspects, gated
    ),
    noted AS (
        INSERT INTO indelible.interventions (run_id, at, verb)
        SELECT id, clock_timestamp(), $3 FROM revived
    ),
    ",
    released!("revived"),
    "
    SELECT app FROM revived"
);

/// What waits in the journals of runs have taken is not for others of their waits. The event's id is read
/// as in [`CUT`]. Served by the primary key of the journal.
pub(super) const HAD: &str = "
    INSERT INTO indelible.inbox (run_id, id, kind, at, taken)
    SELECT DISTINCT ON (run_id, substr(outcome::text, 8, 36))
           run_id, substr(outcome::text, 8, 36)::uuid, $2, at, true
    FROM indelible.journal
    WHERE run_id = ANY ($1) AND kind = 'wait_for_event' AND transition = 'succeeded'
      AND outcome::text LIKE '{\"id\":\"%'
    ON CONFLICT (run_id, id) DO NOTHING";

/// A run with a part of another's journal, from the generation that it is in. Served by the primary
/// keys.
pub(super) const FORK: &str = concat!(
    "
    WITH new AS (
        SELECT $2 AS id, app, workflow, $4 AS status, event_id, input, seed,
               (extract(epoch FROM now()) * 1000000)::bigint AS rank, accepted_at, scheduled_at,
               since, retries + 1 AS retries, generation, began_at, began, silent, trace_context
        FROM indelible.runs WHERE id = $1
    ),
    ",
    started!(
        "new",
        "event_id, scheduled_at, retries, generation, began_at, began, silent, trace_context"
    ),
    ",
    kept AS MATERIALIZED (
        SELECT written.* FROM indelible.journal written WHERE written.run_id = $1 AND written.seq = ANY ($3)
    ),
    copied AS (
        INSERT INTO indelible.journal
            (run_id, seq, key, kind, transition, attempt, due_at, child, outcome, error, commit_id,
             at, started_at, first_seq)
        SELECT $2, seq, key, kind, transition, attempt, due_at, child, outcome, error, commit_id,
               at, started_at, first_seq
        FROM kept
    ),
    named AS (
        INSERT INTO indelible.attributes (run_id, key, app, value)
        SELECT $2, key, app, value FROM indelible.attributes WHERE run_id = $1
    ),
    noted AS (
        INSERT INTO indelible.interventions (run_id, at, verb, source, state)
        SELECT id, now(), $5, $1, $6 FROM started
    )
    SELECT app FROM started"
);

/// Runs that begin as others did: what a later generation begins with is not what its trigger said. Of
/// those that are not over nothing is made. Served by the primary key.
pub(super) const REPLAY: &str = concat!(
    "
    WITH asked AS MATERIALIZED (
        SELECT source, id, seed, input, place
        FROM unnest($3::uuid[], $4::uuid[], $5::uuid[], $6::text[]) WITH ORDINALITY
            AS asked (source, id, seed, input, place)
    ),
    found AS MATERIALIZED (
        SELECT asked.place, asked.source, asked.id, asked.seed, run.app, run.workflow,
               CASE WHEN run.generation = 0 THEN run.event_id END AS event_id,
               CASE WHEN run.generation = 0 THEN run.scheduled_at END AS scheduled_at,
               coalesce(asked.input::json, run.input) AS input, run.since, run.status, run.ended_at,
               run.silent, run.trace_context
        FROM asked JOIN indelible.runs run ON run.id = asked.source
    ),
    new AS (
        SELECT id, app, workflow, $1 AS status, event_id, input, seed,
               (extract(epoch FROM now()) * 1000000)::bigint AS rank, now() AS accepted_at,
               scheduled_at, since, silent, trace_context
        FROM found WHERE ended_at IS NOT NULL
    ),
    ",
    started!("new", "event_id, scheduled_at, silent, trace_context"),
    ",
    named AS (
        INSERT INTO indelible.attributes (run_id, key, app, value)
        SELECT found.id, attribute.key, attribute.app, attribute.value
        FROM found JOIN indelible.attributes attribute ON attribute.run_id = found.source
        WHERE found.ended_at IS NOT NULL
    ),
    noted AS (
        INSERT INTO indelible.interventions (run_id, at, verb, source)
        SELECT found.id, now(), $2, found.source FROM found WHERE ended_at IS NOT NULL
    )
    SELECT asked.place, started.app, found.status, found.ended_at IS NOT NULL AS over
    FROM asked
    LEFT JOIN found ON found.place = asked.place
    LEFT JOIN started ON started.id = asked.id
    ORDER BY asked.place"
);

/// Served by the primary key.
const INTERVENTIONS: &str = "
    SELECT at, verb, source, state FROM indelible.interventions WHERE run_id = $1 ORDER BY seq";

/// Served by the primary key.
const KNOWN: &str = "SELECT 1 FROM indelible.runs WHERE id = $1";

/// Served by the primary key of runs.
pub(super) const ASK: &str = "
    INSERT INTO indelible.inbox (run_id, id, kind, at, reason)
    SELECT run.id, asked.id, $3, clock_timestamp(), $4
    FROM unnest($1::uuid[], $2::uuid[]) AS asked (run_id, id)
    JOIN indelible.runs run ON run.id = asked.run_id
    WHERE run.ended_at IS NULL
    RETURNING run_id";

pub(super) const PAUSE: &str = "
    INSERT INTO indelible.paused (app, workflow, at) VALUES ($1, $2, clock_timestamp())
    ON CONFLICT DO NOTHING";

/// Served by the primary key.
const RESUME: &str = "DELETE FROM indelible.paused WHERE app = $1 AND workflow = $2";

/// Served by the primary key.
pub(super) const PAUSED: &str = "
    SELECT workflow, at FROM indelible.paused WHERE app = $1 ORDER BY workflow";

#[async_trait]
impl Operators for PostgresStore {
    async fn cancel_runs(&self, runs: &[RunId], reason: &str) -> Result<u64, StoreError> {
        again(|| async {
            let mut connection = self.database.acquire().await?;
            let asked: Vec<Uuid> = sqlx::query_scalar(ASK)
                .bind(runs.iter().map(|run| run.as_uuid()).collect::<Vec<_>>())
                .bind(runs.iter().map(|_| MessageId::new().as_uuid()).collect::<Vec<_>>())
                .bind(CANCEL)
                .bind(reason)
                .fetch_all(&mut connection)
                .await?;
            self.database.committed(inbox::rouse(&mut connection, &asked, &[]).await?.stirred);
            Ok(asked.len() as u64)
        })
        .await
    }

    async fn pause_workflow(&self, app: &str, workflow: &str) -> Result<bool, StoreError> {
        again(|| async {
            let mut connection = self.database.acquire().await?;
            let paused =
                sqlx::query(PAUSE).bind(app).bind(workflow).execute(&mut connection).await?;
            self.database.committed(Stirred::of(app, Work::PAUSES));
            Ok(paused.rows_affected() > 0)
        })
        .await
    }

    async fn resume_workflow(&self, app: &str, workflow: &str) -> Result<bool, StoreError> {
        again(|| async {
            let mut connection = self.database.acquire().await?;
            let resumed =
                sqlx::query(RESUME).bind(app).bind(workflow).execute(&mut connection).await?;
            // Its runs were ready all the time, and nobody could claim them.
            self.database.committed(Stirred::of(app, Work::PAUSES | Work::READY));
            Ok(resumed.rows_affected() > 0)
        })
        .await
    }

    async fn paused_workflows(&self, app: &str) -> Result<Vec<Paused>, StoreError> {
        let rows =
            sqlx::query(PAUSED).bind(app).fetch_all(&mut self.database.acquire().await?).await?;
        rows.iter().map(Paused::read).collect()
    }

    async fn retry_runs(
        &self,
        runs: &[RunId],
        terms: &dyn Terms,
    ) -> Result<Vec<Result<(), Refusal>>, StoreError> {
        again(|| async {
            let ids: Vec<Uuid> = runs.iter().map(|run| run.as_uuid()).collect();
            let mut tx = self.database.begin().await?;
            let rows = sqlx::query(LOCK).bind(&ids).fetch_all(&mut *tx).await?;
            let mut standing = HashMap::<RunId, (RunStatus, Option<String>)>::new();
            for row in &rows {
                let standing_at = (RunStatus::read(row)?, row.text_or_null("error")?);
                standing.insert(row.uuid("id")?, standing_at);
            }
            let mut journals = HashMap::<RunId, Vec<RowHead>>::new();
            for row in &sqlx::query(ROWS).bind(&ids).fetch_all(&mut *tx).await? {
                journals.entry(row.uuid("run_id")?).or_default().push(row_head(row)?);
            }
            let mut revived = Vec::new();
            let mut gone_lines: (Vec<Uuid>, Vec<i32>) = Default::default();
            let mut answers = Vec::with_capacity(runs.len());
            for run in runs {
                let journal = journals.remove(run).unwrap_or_default();
                let gone = cut(standing.get(run), &journal)?;
                answers.push(gone.map(|gone| {
                    gone_lines.0.extend(gone.iter().map(|_| run.as_uuid()));
                    gone_lines.1.extend(gone.iter().map(|seq| *seq as i32));
                    revived.push(run.as_uuid());
                }));
            }
            sqlx::query(CUT).bind(gone_lines.0).bind(gone_lines.1).execute(&mut *tx).await?;
            sqlx::query(HAD).bind(&revived).bind(EVENT).execute(&mut *tx).await?;
            let apps: Vec<String> = sqlx::query_scalar(REVIVE)
                .bind(&revived)
                .bind(RunStatus::Queued.name())
                .bind(RETRIED)
                .fetch_all(&mut *tx)
                .await?;
            let (waits, work) = begin_waits(&mut tx, &revived, terms).await?;
            tx.commit(Stirred::each(&apps, work)).await?;
            waits.look_behind(&self.database).await?;
            Ok(answers)
        })
        .await
    }

    async fn fork_run(
        &self,
        fork: &Fork,
        terms: &dyn Terms,
    ) -> Result<Result<(), Refusal>, StoreError> {
        again(|| async {
            // What is read is what is copied, whatever the run's worker commits meanwhile.
            let mut tx = self.database.begin_with(Isolation::RepeatableRead).await?;
            let source = fork.source.as_uuid();
            let rows = sqlx::query(ROWS).bind(vec![source]).fetch_all(&mut *tx).await?;
            let journal = rows.iter().map(row_head).collect::<Result<Vec<_>, _>>()?;
            let kept: Vec<i32> = match forked(&fork.state, &journal) {
                Ok(kept) => kept.iter().map(|row| row.seq as i32).collect(),
                Err(refusal) => {
                    let there = sqlx::query(KNOWN).bind(source).fetch_optional(&mut *tx).await?;
                    return Ok(Err(if there.is_some() { refusal } else { Refusal::Unknown }));
                }
            };
            let apps: Vec<String> = sqlx::query_scalar(FORK)
                .bind(source)
                .bind(fork.id.as_uuid())
                .bind(kept)
                .bind(RunStatus::Queued.name())
                .bind(FORKED)
                .bind(&fork.state)
                .fetch_all(&mut *tx)
                .await?;
            let forked = [fork.id.as_uuid()];
            sqlx::query(HAD).bind(forked).bind(EVENT).execute(&mut *tx).await?;
            let (waits, work) = begin_waits(&mut tx, &forked, terms).await?;
            tx.commit(Stirred::each(&apps, work)).await?;
            waits.look_behind(&self.database).await?;
            Ok(Ok(()))
        })
        .await
    }

    async fn replay_runs(
        &self,
        replays: &[Replay],
        terms: &dyn Terms,
    ) -> Result<Vec<Result<(), Refusal>>, StoreError> {
        again(|| async {
            let ids: Vec<_> = replays.iter().map(|replay| replay.id.as_uuid()).collect();
            let mut tx = self.database.begin().await?;
            let rows = sqlx::query(REPLAY)
                .bind(RunStatus::Queued.name())
                .bind(REPLAYED)
                .bind(replays.iter().map(|replay| replay.source.as_uuid()).collect::<Vec<_>>())
                .bind(&ids)
                .bind(replays.iter().map(|replay| replay.seed).collect::<Vec<_>>())
                .bind(
                    replays
                        .iter()
                        .map(|replay| replay.input.as_ref().map(|input| input.as_str()))
                        .collect::<Vec<_>>(),
                )
                .fetch_all(&mut *tx)
                .await?;
            let apps = rows.iter().map(|row| row.try_get::<Option<String>, _>("app"));
            let apps = apps.filter_map(Result::transpose).collect::<Result<Vec<_>, _>>()?;
            let (waits, work) = begin_waits(&mut tx, &ids, terms).await?;
            tx.commit(Stirred::each(&apps, work)).await?;
            waits.look_behind(&self.database).await?;
            rows.iter()
                .map(|row| {
                    let status: Option<&str> = row.try_get("status")?;
                    let Some(status) = status else { return Ok(Err(Refusal::Unknown)) };
                    Ok(match row.try_get("over")? {
                        true => Ok(()),
                        false => {
                            Err(Refusal::Standing(status.parse().map_err(StoreError::Corrupt)?))
                        }
                    })
                })
                .collect()
        })
        .await
    }

    async fn interventions(&self, run: RunId) -> Result<Vec<Intervention>, StoreError> {
        let rows = sqlx::query(INTERVENTIONS)
            .bind(run.as_uuid())
            .fetch_all(&mut self.database.acquire().await?)
            .await?;
        rows.iter().map(Intervention::read).collect()
    }

    async fn set_limit(
        &self,
        app: &str,
        name: &str,
        allows: Option<&Allowance>,
        by: &str,
    ) -> Result<Result<(), LimitRefusal>, StoreError> {
        again(|| limits::set(&self.database, app, name, allows, by)).await
    }
}

/// Served by the primary key.
pub(super) const BEGUN: &str = "
    SELECT id, app, workflow, input::text AS input FROM indelible.runs WHERE id = ANY ($1)";

/// Says what these runs have to pass, and makes the waits for what cancels them, where that is known. Gives also
/// what there is to do for them.
async fn begin_waits(
    tx: &mut Link,
    runs: &[Uuid],
    terms: &dyn Terms,
) -> Result<(RunWaits, Work), StoreError> {
    let rows = sqlx::query(BEGUN).bind(runs).fetch_all(&mut *tx).await?;
    let begun = rows.iter().map(|row| Begun::read(row, terms)).collect::<Result<Vec<_>, _>>()?;
    for (app, subjects) in subjects(&begun) {
        gates::admit(tx, app, &subjects).await?;
    }
    let unknown: Vec<Uuid> = unsettled(&begun).map(|run| run.as_uuid()).collect();
    unsettled::unsettle(tx, unknown, false).await?;
    let waits = RunWaits::of(begun.iter().map(|begun| (begun.run, &*begun.cancels)));
    waits.begin(tx, false).await?;
    Ok((waits, work(&begun)))
}
