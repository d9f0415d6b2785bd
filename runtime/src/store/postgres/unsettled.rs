//! Runs that were begun by a client without the code of their workflow. Such a client does not know which events
//! cancel them, nor which limits they are subject to.
//!
//! Such a run is gated, so that whoever cancels it has it step out, but it waits at no gate. A program of its
//! app says what is known of it, and lets it go on as it would have begun there.

use jiff::Timestamp;
use uuid::Uuid;

use super::database::{Database, Link};
use super::queue::released;
use super::waits::{RunWaits, last_event};
use super::{checks, gates, inbox, route};
use crate::id::RunId;
use crate::store::gated::Subject;
use crate::store::hints::{Stirred, Work};
use crate::store::settling::Settling;
use crate::store::{RunStatus, SETTLED, StoreError, Terms};

/// Takes runs out of the queue that this transaction has begun. An event cancels such a run if it comes after
/// the run's trigger or, where an operator has begun the run, after this. Served by the primary keys.
pub(super) const UNSETTLE: &str = concat!(
    "
    WITH subject AS (
        UPDATE indelible.runs run SET gated = true, unsettled = true
        FROM unnest($1::uuid[]) AS asked (run_id) WHERE run.id = asked.run_id
        RETURNING run.id, run.app, run.workflow, run.since
    ),
    noted AS (
        INSERT INTO indelible.unsettled (app, workflow, run_id, since)
        SELECT app, workflow, id, CASE WHEN $2 THEN since ELSE ",
    last_event!(),
    " END
        FROM subject
        ON CONFLICT (app, workflow, run_id) DO UPDATE SET since = excluded.since
    )
    DELETE FROM indelible.ready USING subject WHERE ready.run_id = subject.id"
);

/// Served by the primary key.
pub(super) const LOOK: &str = "
    SELECT EXISTS (SELECT 1 FROM indelible.unsettled WHERE app = $1 AND workflow = ANY ($2))";

/// The oldest runs that nobody else writes or settles at this moment. Served by the primary keys.
pub(super) const TAKE: &str = "
    WITH oldest AS MATERIALIZED (
        SELECT run_id FROM indelible.unsettled
        WHERE app = $1 AND workflow = ANY ($2) ORDER BY run_id LIMIT $3
        FOR UPDATE SKIP LOCKED
    )
    SELECT run.id, run.workflow, run.input::text AS input,
           run.unsettled AND run.status = $4 AS waits
    FROM oldest JOIN indelible.runs run ON run.id = oldest.run_id
    ORDER BY run.id
    FOR NO KEY UPDATE OF run SKIP LOCKED";

/// Makes settled runs ready that have nothing to pass. Served by the primary keys.
pub(super) const SETTLE: &str = concat!(
    "
    WITH settled AS (
        UPDATE indelible.runs SET unsettled = false WHERE id = ANY ($3)
        RETURNING id, app, workflow, rank, suspects, gated
    ),
    gone AS (
        DELETE FROM indelible.unsettled
        WHERE app = $1 AND workflow = ANY ($4) AND run_id = ANY ($2)
    ),
    ",
    released!("settled WHERE NOT gated", "ON CONFLICT (run_id) DO NOTHING"),
    "
    SELECT count(*) FROM released"
);

/// Takes runs out of the queue that were begun in this transaction.
pub(super) async fn unsettle(
    connection: &mut Link,
    runs: Vec<Uuid>,
    from_trigger: bool,
) -> Result<(), StoreError> {
    if !runs.is_empty() {
        sqlx::query(UNSETTLE).bind(runs).bind(from_trigger).execute(connection).await?;
    }
    Ok(())
}

pub(super) async fn settle(
    database: &Database,
    app: &str,
    workflows: &[String],
    terms: &dyn Terms,
) -> Result<usize, StoreError> {
    let mut connection = database.acquire().await?;
    let look = sqlx::query_scalar(LOOK).bind(app).bind(workflows);
    if !look.fetch_one(&mut connection).await? {
        return Ok(0);
    }
    drop(connection);
    let mut tx = database.begin().await?;
    let rows = sqlx::query(TAKE)
        .bind(app)
        .bind(workflows)
        .bind(SETTLED as i64)
        .bind(RunStatus::Queued.name())
        .fetch_all(&mut *tx)
        .await?;
    let mut settling = Settling::default();
    rows.iter().try_for_each(|row| settling.add(row, terms))?;
    let Settling { taken, runs } = settling;
    let asked = runs.iter().filter(|run| !run.checks.are_none());
    // As where runs are started directly.
    let asked: Vec<_> = asked.map(|run| (run.clone(), Timestamp::UNIX_EPOCH)).collect();
    if !asked.is_empty() {
        route::take_turns(&mut tx, app).await?;
    }
    let checked = checks::check(&mut tx, app, asked).await?;
    gates::admit(&mut tx, app, &Subject::all(&runs)).await?;
    let waits = RunWaits::of(runs.iter().map(|run| (run.id, &*run.cancels)));
    waits.begin_unsettled(&mut tx).await?;
    let ids = |runs: &mut dyn Iterator<Item = RunId>| -> Vec<Uuid> {
        runs.map(|run| run.as_uuid()).collect()
    };
    let settled = ids(&mut runs.iter().map(|run| run.id));
    sqlx::query(SETTLE)
        .bind(app)
        .bind(ids(&mut taken.into_iter()))
        .bind(&settled)
        .bind(workflows)
        .execute(&mut *tx)
        .await?;
    let mut told = checks::displace(&mut tx, &checked).await?;
    tx.commit(Stirred::of(app, Work::READY | Work::GATES).if_any(runs.len() as u64)).await?;
    // Whoever cancelled one of them meanwhile has left it to this.
    let mut connection = database.acquire().await?;
    told.extend(waits.look(&mut connection).await?);
    database.committed(inbox::rouse(&mut connection, &told, &settled).await?.stirred);
    Ok(runs.len())
}
