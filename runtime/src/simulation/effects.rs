//! What transactions leave in a table of the user's. It has to be there exactly once for each of them that is
//! committed.

use std::collections::BTreeMap;

use sqlx::{Connection as _, SqliteConnection};

use super::random::mix;
use crate::id::RunId;
use crate::journal::StateKey;
use crate::step::{BoxError, Tx};
use crate::store::conformance::TestDatabase;
use crate::transaction::{Borrowed, Transactional as _};

/// How often a step of a run has left something, and what it gave the last time.
pub(super) const TABLE: &str = "
    CREATE TABLE effects (
        run text NOT NULL, step text NOT NULL, times bigint NOT NULL, gave text NOT NULL,
        PRIMARY KEY (run, step)
    )";

const COUNT: &str = "
    INSERT INTO effects (run, step, times, gave) VALUES ($1, $2, 1, '')
    ON CONFLICT (run, step) DO UPDATE SET times = effects.times + 1
    RETURNING times";

const GIVE: &str = "UPDATE effects SET gave = $3 WHERE run = $1 AND step = $2";

const ALL: &str = "SELECT run, step, times, gave FROM effects";

/// All that was left, by run and step: how often, and what the step gave.
pub(super) type Effects = BTreeMap<String, BTreeMap<String, (i64, String)>>;

/// Leaves something, in two statements. Gives what the step gives: that tells how often it has done so.
pub(super) async fn leave(
    tx: &mut Tx,
    run: RunId,
    step: &StateKey,
    value: u64,
) -> Result<u64, BoxError> {
    let (run, step) = (run.to_string(), step.to_string());
    match tx.borrow() {
        Borrowed::Postgres(tx) => {
            let times = sqlx::query_scalar(COUNT).bind(&run).bind(&step).fetch_one(&mut *tx);
            let gives = mix(value, times.await.map(i64::unsigned_abs)?);
            let give = sqlx::query(GIVE).bind(run).bind(step).bind(gives.to_string());
            give.execute(tx).await?;
            Ok(gives)
        }
        Borrowed::Sqlite(tx) => {
            let times = sqlx::query_scalar(COUNT).bind(&run).bind(&step).fetch_one(&mut *tx);
            let gives = mix(value, times.await.map(i64::unsigned_abs)?);
            let give = sqlx::query(GIVE).bind(run).bind(step).bind(gives.to_string());
            give.execute(tx).await?;
            Ok(gives)
        }
        Borrowed::None => Err("the transaction is over".into()),
    }
}

/// Reads all that was left.
pub(super) async fn read(database: &TestDatabase) -> Effects {
    let rows: Vec<(String, String, i64, String)> = match database.connect_to_postgres().await {
        Some(mut connection) => sqlx::query_as(ALL).fetch_all(&mut connection).await,
        None => {
            let connection = SqliteConnection::connect(&database.url()).await;
            let mut connection = connection.expect("the file can be opened");
            sqlx::query_as(ALL).fetch_all(&mut connection).await
        }
    }
    .expect("the table is there");
    let mut effects = Effects::new();
    for (run, step, times, gave) in rows {
        effects.entry(run).or_default().insert(step, (times, gave));
    }
    effects
}
