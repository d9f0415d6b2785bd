use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};

use crate::store::migration::{Migration, Recorded, TooOld, Unready, pending};

const MIGRATIONS: &[Migration] =
    &[Migration { version: 1, oldest_program: 1, sql: include_str!("migrations/0001_runs.sql") }];

const CREATE_SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS indelible_schema (
        one            INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
        version        INTEGER NOT NULL,
        oldest_program INTEGER NOT NULL
    ) STRICT";

const SCHEMA_EXISTS: &str = "
    SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'indelible_schema')";

const READ: &str = "SELECT version, oldest_program FROM indelible_schema";

const RECORD: &str = "
    INSERT INTO indelible_schema (one, version, oldest_program) VALUES (1, ?1, ?2)
    ON CONFLICT (one) DO UPDATE SET version = ?1, oldest_program = ?2";

/// Changes nothing, and fails where nothing can be written: better now than at the first run.
const TRY_TO_WRITE: &str = "UPDATE indelible_schema SET version = version";

pub(super) enum MigrateError {
    TooOld(TooOld),
    Unready(Unready),
    Database(sqlx::Error),
}

impl From<sqlx::Error> for MigrateError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

/// Brings the schema up to date. The write lock of the file makes processes take turns.
pub(super) async fn migrate(options: &SqliteConnectOptions) -> Result<(), MigrateError> {
    // The pool hides why a connection failed behind its own time-out; a connection of its own says.
    let mut connection = SqliteConnection::connect_with(options).await?;
    let migrated = apply(&mut connection).await;
    connection.close().await?;
    migrated
}

/// Checks that the schema is there, up to date and can be written, and changes nothing.
pub(super) async fn expect(options: &SqliteConnectOptions) -> Result<(), MigrateError> {
    let mut connection = SqliteConnection::connect_with(options).await?;
    let found = find(&mut connection).await;
    connection.close().await?;
    found
}

async fn find(connection: &mut SqliteConnection) -> Result<(), MigrateError> {
    if !sqlx::query_scalar::<_, bool>(SCHEMA_EXISTS).fetch_one(&mut *connection).await? {
        return Err(MigrateError::Unready(Unready::Missing));
    }
    if pending(recorded(connection).await?, MIGRATIONS)
        .map_err(MigrateError::TooOld)?
        .next()
        .is_some()
    {
        return Err(MigrateError::Unready(Unready::Older));
    }
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::query(TRY_TO_WRITE).execute(&mut *tx).await?;
    Ok(tx.rollback().await?)
}

async fn recorded(connection: &mut SqliteConnection) -> Result<Option<Recorded>, sqlx::Error> {
    let recorded = sqlx::query_as(READ).fetch_optional(connection).await?;
    Ok(recorded.map(|(version, oldest_program)| Recorded { version, oldest_program }))
}

async fn apply(connection: &mut SqliteConnection) -> Result<(), MigrateError> {
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::query(CREATE_SCHEMA).execute(&mut *tx).await?;
    let mut migrated = false;
    for migration in pending(recorded(&mut tx).await?, MIGRATIONS).map_err(MigrateError::TooOld)? {
        sqlx::raw_sql(migration.sql).execute(&mut *tx).await?;
        sqlx::query(RECORD)
            .bind(migration.version)
            .bind(migration.oldest_program)
            .execute(&mut *tx)
            .await?;
        migrated = true;
    }
    if migrated {
        tx.commit().await?;
    } else {
        sqlx::query(TRY_TO_WRITE).execute(&mut *tx).await?;
        tx.rollback().await?;
    }
    Ok(())
}
