//! Runs that were begun where nobody knew which events cancel them and which limits they have: by a client that
//! does not have the code of their workflow.
//!
//! Such a run is gated, so that whoever cancels it has it step out, but it waits at no gate. A program of its
//! app says what is known of it, and lets it go on as it would have begun there.

use super::database::SqliteStore;
use super::value::{batch, now};
use super::{checks, gates, inbox, runs, waits};
use crate::id::RunId;
use crate::store::gated::Subject;
use crate::store::hints::{Stirred, Work};
use crate::store::settling::Settling;
use crate::store::{RunStatus, SETTLED, StoreError, Terms};

/// Served by the primary key.
const LOOK: &str = "
    SELECT EXISTS (
        SELECT 1 FROM json_each(?2) known
        CROSS JOIN indelible_unsettled u ON u.app = ?1 AND u.workflow = known.value
    )";

/// The oldest of them. Served by the primary keys.
pub(super) const TAKE: &str = "
    SELECT run.id, run.workflow, run.input, run.unsettled AND run.status = ?4 AS waits
    FROM indelible_runs run WHERE run.id IN (
        SELECT u.run_id FROM json_each(?2) known
        CROSS JOIN indelible_unsettled u ON u.app = ?1 AND u.workflow = known.value
        ORDER BY u.run_id LIMIT ?3
    )
    ORDER BY run.id";

/// Served by the primary key.
const KNOW: &str = "
    UPDATE indelible_runs SET unsettled = 0 WHERE id IN (SELECT value FROM json_each(?1))";

/// Served by the primary key.
pub(super) const FORGET: &str = "
    DELETE FROM indelible_unsettled
    WHERE app = ?1 AND workflow IN (SELECT value FROM json_each(?2))
      AND run_id IN (SELECT value FROM json_each(?3))";

pub(super) async fn settle(
    store: &SqliteStore,
    app: &str,
    workflows: &[String],
    terms: &dyn Terms,
) -> Result<usize, StoreError> {
    let known = batch(workflows);
    let look = sqlx::query_scalar::<_, bool>(LOOK).bind(app).bind(&known);
    if !look.fetch_one(store.readers()?).await? {
        return Ok(0);
    }
    let (mut tx, now) = (store.write().await?, now());
    let rows = sqlx::query(TAKE)
        .bind(app)
        .bind(&known)
        .bind(SETTLED as i64)
        .bind(RunStatus::Queued.name())
        .fetch_all(&mut *tx)
        .await?;
    let mut settling = Settling::default();
    rows.iter().try_for_each(|row| settling.add(row, terms))?;
    let Settling { taken, runs } = settling;
    let asked = runs.iter().filter(|run| !run.checks.are_none());
    let asked = asked.map(|run| (run.clone(), now)).collect();
    let checked = checks::check(&mut tx, app, asked).await?;
    gates::admit(&mut tx, app, &Subject::all(&runs)).await?;
    let cancels = runs.iter().map(|run| (run.id, &*run.cancels));
    waits::begin_unsettled(&mut tx, cancels).await?;
    sqlx::query(FORGET).bind(app).bind(&known).bind(batch(taken)).execute(&mut *tx).await?;
    let settled: Vec<RunId> = runs.iter().map(|run| run.id).collect();
    sqlx::query(KNOW).bind(batch(&settled)).execute(&mut *tx).await?;
    let ready: Vec<String> = settled.iter().map(ToString::to_string).collect();
    runs::ready(&mut tx, &ready).await?;
    let told = checks::displace(&mut tx, &checked, now).await?;
    let roused = inbox::rouse(&mut tx, &told, &settled).await?;
    let stirred = Stirred::here(Work::READY).if_any(settled.len() as u64);
    tx.commit(stirred.and(roused)).await?;
    Ok(settled.len())
}
