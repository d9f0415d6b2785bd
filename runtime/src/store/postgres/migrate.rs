use super::database::Database;
use crate::store::StoreError;
use crate::store::hints::Stirred;
use crate::store::migration::{Migration, Recorded, TooOld, Unready, pending};

const MIGRATIONS: &[Migration] =
    &[Migration { version: 1, oldest_program: 1, sql: include_str!("migrations/0001_runs.sql") }];

/// Makes the processes that start at once take turns, until the end of the transaction.
const TAKE_TURNS: &str = "SELECT pg_advisory_xact_lock(hashtext('indelible.schema'))";

const SCHEMA_EXISTS: &str = "SELECT to_regclass('indelible.schema') IS NOT NULL";

const CREATE_SCHEMA: &str = "
    CREATE SCHEMA IF NOT EXISTS indelible;
    CREATE TABLE IF NOT EXISTS indelible.schema (
        one            boolean PRIMARY KEY DEFAULT true CHECK (one),
        version        integer NOT NULL,
        oldest_program integer NOT NULL
    )";

/// Whether rows were copied here without the sequences that number them, as logical replication does.
/// Served by `events_in_order`.
const IS_BEHIND: &str = "
    SELECT coalesce(max(position), 0)
        > coalesce(pg_sequence_last_value(pg_get_serial_sequence('indelible.events', 'position')), 0)
    FROM indelible.events";

/// Has new rows numbered behind those that are there.
const CATCH_UP: [&str; 3] = [
    "SELECT setval(pg_get_serial_sequence('indelible.events', 'position'), max(position))
     FROM indelible.events",
    "SELECT setval(pg_get_serial_sequence('indelible.deliveries', 'seq'), max(seq))
     FROM indelible.deliveries HAVING max(seq) IS NOT NULL",
    "SELECT setval(pg_get_serial_sequence('indelible.later', 'seq'), max(seq))
     FROM indelible.later HAVING max(seq) IS NOT NULL",
];

const READ: &str = "SELECT version, oldest_program FROM indelible.schema";

const RECORD: &str = "
    INSERT INTO indelible.schema (version, oldest_program) VALUES ($1, $2)
    ON CONFLICT (one) DO UPDATE SET version = $1, oldest_program = $2";

pub(super) enum MigrateError {
    TooOld(TooOld),
    Unready(Unready),
    Database(StoreError),
}

impl<E: Into<StoreError>> From<E> for MigrateError {
    fn from(error: E) -> Self {
        Self::Database(error.into())
    }
}

/// Brings the schema up to date. All of it is one transaction: a migration that fails leaves nothing.
pub(super) async fn migrate(database: &Database) -> Result<(), MigrateError> {
    let mut tx = database.begin().await?;
    sqlx::query(TAKE_TURNS).execute(&mut *tx).await?;
    // A user who may not create schemas can still use one that is there and up to date.
    let exists: bool = sqlx::query_scalar(SCHEMA_EXISTS).fetch_one(&mut *tx).await?;
    if !exists {
        sqlx::raw_sql(CREATE_SCHEMA).execute(&mut *tx).await?;
    }
    let recorded = sqlx::query_as(READ)
        .fetch_optional(&mut *tx)
        .await?
        .map(|(version, oldest_program)| Recorded { version, oldest_program });
    for migration in pending(recorded, MIGRATIONS).map_err(MigrateError::TooOld)? {
        sqlx::raw_sql(migration.sql).execute(&mut *tx).await?;
        sqlx::query(RECORD)
            .bind(migration.version)
            .bind(migration.oldest_program)
            .execute(&mut *tx)
            .await?;
    }
    if sqlx::query_scalar(IS_BEHIND).fetch_one(&mut *tx).await? {
        for statement in CATCH_UP {
            sqlx::query(statement).execute(&mut *tx).await?;
        }
    }
    Ok(tx.commit(Stirred::nothing()).await?)
}

/// Checks that the schema is there and up to date, and changes nothing.
pub(super) async fn expect(database: &Database) -> Result<(), MigrateError> {
    let mut connection = database.acquire().await?;
    if !sqlx::query_scalar::<_, bool>(SCHEMA_EXISTS).fetch_one(&mut connection).await? {
        return Err(MigrateError::Unready(Unready::Missing));
    }
    let recorded = sqlx::query_as(READ)
        .fetch_optional(&mut connection)
        .await?
        .map(|(version, oldest_program)| Recorded { version, oldest_program });
    if pending(recorded, MIGRATIONS).map_err(MigrateError::TooOld)?.next().is_some() {
        return Err(MigrateError::Unready(Unready::Older));
    }
    match sqlx::query_scalar(IS_BEHIND).fetch_one(&mut connection).await? {
        true => Err(MigrateError::Unready(Unready::Uncounted)),
        false => Ok(()),
    }
}
