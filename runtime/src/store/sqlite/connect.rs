use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection as _};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::database::Listening;
use super::database::SqliteStore;
use super::file::DatabaseFile;
use super::life::Lives;
use super::migrate::{self, MigrateError};
use crate::store::problem::{PATIENCE, Problem};
use crate::store::tables::Tables;
use crate::store::unheard::Unheard;

/// How long a connection waits for another process to finish its transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
const READERS: u32 = 4;

/// Opens the file, and makes or checks its tables. A file that is not there is created only to make them.
pub(super) async fn connect(url: &str, tables: Tables) -> Result<SqliteStore, Problem> {
    if is_in_memory(url) {
        return Err(Problem::new(
            "a database in memory cannot outlive its program, so nothing in it would be durable",
            "name a file: `sqlite://file.db`",
        ));
    }
    let options = SqliteConnectOptions::from_str(url)
        .map_err(|error| Problem::new(error.to_string(), "write it as `sqlite://file.db`"))?
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        .disable_statement_logging();
    let pool = |connections| {
        SqlitePoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(PATIENCE)
            // It is a file: a connection to it does not go stale.
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
            // A transaction of the user's that was ended behind our back leaves one that nobody
            // closes.
            .after_release(|connection, _| {
                Box::pin(async move {
                    if !connection.is_in_transaction() {
                        return Ok(true);
                    }
                    // What was dropped is rolled back before this is answered.
                    connection.ping().await?;
                    Ok(!connection.is_in_transaction())
                })
            })
    };
    let writing = options.clone().journal_mode(SqliteJournalMode::Wal);
    let migrated = match tables {
        Tables::Migrate => migrate_patiently(&writing.clone().create_if_missing(true)).await,
        Tables::Expect if !options.get_filename().exists() => {
            return Err(Problem::new(
                "there is no such file, and a client makes none",
                "start a program with workers on it first, which does so",
            ));
        }
        // A file that is not ours is left in its journal mode.
        Tables::Expect => migrate::expect(&options).await,
    };
    migrated.map_err(|error| problem(error, options.get_filename()))?;
    let file = DatabaseFile::opened(options.get_filename()).map_err(Problem::other)?;
    let lives = Lives::beside(file.path());
    let writer = pool(1).connect_lazy_with(writing);
    let readers = pool(READERS).connect_lazy_with(options.pragma("query_only", "on"));
    let turn = Arc::new(Semaphore::new(1));
    let (hints, listening) = (Arc::default(), Listening::default());
    let file = Arc::new(file);
    let unheard = Unheard::default();
    Ok(SqliteStore { file, writer, readers, turn, lives, hints, listening, unheard })
}

fn is_in_memory(url: &str) -> bool {
    let path = url.trim_start_matches("sqlite:").trim_start_matches("//");
    let (path, parameters) = path.split_once('?').unwrap_or((path, ""));
    path.is_empty() || path == ":memory:" || parameters.split('&').any(|p| p == "mode=memory")
}

/// Migrates, waiting for processes that do the same at this moment. Turning a new file's WAL on
/// fails as busy at once, whatever the busy timeout says.
async fn migrate_patiently(options: &SqliteConnectOptions) -> Result<(), MigrateError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match migrate::migrate(options).await {
            Err(MigrateError::Database(error)) if is_busy(&error) && Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            done => return done,
        }
    }
}

fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let code = error.as_database_error()?.code()?;
    code.parse::<i32>().ok().map(|code| code & 0xff)
}

fn is_busy(error: &sqlx::Error) -> bool {
    matches!(primary_code(error), Some(5 | 6))
}

fn problem(error: MigrateError, file: &Path) -> Problem {
    let error = match error {
        MigrateError::TooOld(too_old) => return too_old.into(),
        MigrateError::Unready(unready) => return unready.into(),
        MigrateError::Database(error) => error,
    };
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    match primary_code(&error) {
        Some(5 | 6) => Problem::new(
            "another program keeps it locked",
            "stop that program, or give this one a file of its own",
        ),
        Some(8) => Problem::new(
            "the file cannot be written",
            "give this user the right to write the file and its folder",
        ),
        Some(14) if !folder.exists() => Problem::new(
            format!("the folder {} does not exist", folder.display()),
            "create it, or name another file",
        ),
        Some(14) => Problem::new(
            format!("the file cannot be opened in {}", folder.display()),
            "give this user the right to write the file and its folder",
        ),
        Some(13) => Problem::new("the disk is full", "make room"),
        Some(26) => {
            Problem::new("the file is not a SQLite database", "name another file, or move it away")
        }
        _ => Problem::other(error),
    }
}

#[cfg(test)]
mod tests {
    use crate::store::conformance::{World, on_sqlite};

    async fn refusal(url: &str) -> String {
        crate::store::open(url, None).await.err().expect("it cannot be opened").to_string()
    }

    #[tokio::test]
    async fn a_database_in_memory_is_refused() {
        for url in
            ["sqlite::memory:", "sqlite://:memory:", "sqlite://x.db?mode=memory", "sqlite://"]
        {
            let refusal = refusal(url).await;
            assert!(refusal.contains("name a file"), "{refusal}");
        }
    }

    #[tokio::test]
    async fn a_missing_folder_is_named() {
        on_sqlite(|world: World| async move {
            let url = world.database.url().replace("test.db", "nothing/here/test.db");
            let refusal = refusal(&url).await;
            assert!(refusal.contains("nothing/here does not exist; create it"), "{refusal}");
        })
        .await;
    }

    #[tokio::test]
    async fn a_file_that_is_no_database_is_left_alone() {
        on_sqlite(|world: World| async move {
            let url = world.database.url().replace("test.db", "letter.txt");
            let file = url.trim_start_matches("sqlite://");
            let letter = "Dear customer, ".repeat(100);
            std::fs::write(file, &letter).expect("it can be written");
            let refusal = refusal(&url).await;
            assert!(refusal.contains("not a SQLite database"), "{refusal}");
            assert_eq!(std::fs::read_to_string(file).expect("it is there"), letter);
        })
        .await;
    }

    #[tokio::test]
    async fn a_file_that_may_only_be_read_is_refused() {
        on_sqlite(|world: World| async move {
            let refusal = refusal(&format!("{}?mode=ro", world.database.url())).await;
            assert!(refusal.contains("cannot be written"), "{refusal}");
        })
        .await;
    }
}
