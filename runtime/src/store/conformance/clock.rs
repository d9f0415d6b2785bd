//! Time as a test wants it.

use std::cell::Cell;

use jiff::Timestamp;
use sqlx::{Connection, PgConnection};

use super::database::TestDatabase;

thread_local! {
    static NOW: Cell<Option<Timestamp>> = const { Cell::new(None) };
}

/// What time it is for the embedded stores of this thread's test, if it says so.
pub(in crate::store) fn stopped_at() -> Option<Timestamp> {
    NOW.get()
}

/// A clock that goes as a test says, for all stores on one database.
pub(crate) enum StoppedClock {
    Postgres(Box<PgConnection>),
    /// For a test on a single thread.
    Sqlite,
}

impl StoppedClock {
    /// Stops the clock of a database. Stores that were opened before do not know of it.
    pub(crate) async fn of(database: &TestDatabase, at: Timestamp) -> Self {
        let mut clock = match database.connect_to_postgres().await {
            None => Self::Sqlite,
            Some(mut connection) => {
                // The functions go before those of the system, which statements do not name in full.
                let shadow = "
                    CREATE SCHEMA stopped;
                    CREATE TABLE stopped.clock (id integer PRIMARY KEY, at timestamptz);
                    INSERT INTO stopped.clock VALUES (1, now());
                    CREATE FUNCTION stopped.now() RETURNS timestamptz LANGUAGE sql STABLE
                        AS 'SELECT at FROM stopped.clock WHERE id = 1';
                    CREATE FUNCTION stopped.clock_timestamp() RETURNS timestamptz
                        LANGUAGE sql STABLE AS 'SELECT at FROM stopped.clock WHERE id = 1';
                    DO $$ BEGIN EXECUTE format(
                        'ALTER DATABASE %I SET search_path = stopped, pg_catalog, public',
                        current_database()
                    ); END $$";
                sqlx::raw_sql(shadow).execute(&mut connection).await.expect("it can be shadowed");
                connection.close().await.expect("it can be closed");
                // A pooler's sessions outlive the stores that have used them.
                database.end_pooled_sessions().await;
                let connection = database.connect_to_postgres().await.expect("it is there");
                Self::Postgres(Box::new(connection))
            }
        };
        clock.set(at).await;
        clock
    }

    pub(crate) async fn set(&mut self, at: Timestamp) {
        match self {
            Self::Sqlite => NOW.set(Some(at)),
            Self::Postgres(connection) => {
                let set = "UPDATE stopped.clock SET at = 'epoch'::timestamptz
                           + $1 * interval '1 microsecond' WHERE id = 1";
                let set = sqlx::query(set).bind(at.as_microsecond());
                set.execute(&mut **connection).await.expect("the clock can be set");
            }
        }
    }

    /// Waits until no statement is under way any more, also of those whose callers have gone.
    pub(crate) async fn when_quiet(&mut self) {
        let Self::Postgres(connection) = self else { return };
        let busy = "SELECT EXISTS (
            SELECT 1 FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'
              AND application_name <> 'bustle'
        )";
        while sqlx::query_scalar(busy).fetch_one(&mut **connection).await.expect("it answers") {
            tokio::task::yield_now().await;
        }
    }

    /// Lets it go again.
    pub(crate) async fn release(self) {
        match self {
            Self::Sqlite => NOW.set(None),
            Self::Postgres(connection) => connection.close().await.expect("it can be closed"),
        }
    }
}
