use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{Connection as _, Postgres, SqlSafeStr, Transaction};

use crate::store::problem::PATIENCE;

/// A connection that has been idle for longer is asked whether it still works.
const TRUSTED: Duration = Duration::from_secs(5);

/// What every connection is set to, as the server spells it.
///
/// The tables grow from nothing while statements that were planned early stay in use, so the plans
/// are held to the indexes: a plan that scans or hashes an empty table is the best there is, and a
/// disaster an hour later. Every statement is written to be served by indexes.
pub(super) const SETTINGS: [(&str, &str); 10] = [
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    // Keeps a whole table for the join with each row of a batch, if the table was small once.
    ("enable_material", "off"),
    // A look-up for each row of a batch is always better than going over a table once.
    ("random_page_cost", "0.1"),
    // Where there is no way around a scan, it counts as so expensive that the server would compile the
    // statement: for a second, to go over a table of ten rows.
    ("jit", "off"),
    ("statement_timeout", "30s"),
    ("lock_timeout", "10s"),
    ("idle_in_transaction_session_timeout", "1min"),
    // For the statements that are transactions by themselves.
    ("default_transaction_isolation", "read committed"),
];

pub(super) fn pool(connections: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(PATIENCE)
        .idle_timeout(Duration::from_secs(10 * 60))
        // A busy connection has just shown that it works; asking each time would cost each statement
        // a second round trip.
        .test_before_acquire(false)
        .before_acquire(|connection, known| {
            Box::pin(async move { Ok(known.idle_for < TRUSTED || connection.ping().await.is_ok()) })
        })
}

/// For whoever needs a connection that nobody else has to wait for.
pub(super) fn pool_of_one(options: PgConnectOptions) -> PgPool {
    pool(1).connect_lazy_with(options)
}

/// Begins a transaction, by a statement.
///
/// One whose caller goes away meanwhile is still begun, and rolled back then. Left half way, it would
/// go back to the pool open, and take with it what the next one to use its connection writes.
pub(super) async fn begin(
    pool: &PgPool,
    statement: impl SqlSafeStr + Send + 'static,
) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let pool = pool.clone();
    match tokio::spawn(async move { pool.begin_with(statement).await }).await {
        Ok(begun) => begun,
        // Nobody aborts it: the runtime is shutting down.
        Err(_) => Err(sqlx::Error::WorkerCrashed),
    }
}
