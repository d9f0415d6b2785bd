//! A database of its own for each test.

use std::path::{Path, PathBuf};

use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Executor as _, PgConnection, SqliteConnection,
};
use uuid::Uuid;

use crate::id::WorkerId;

/// The environment variable with the URL of the Postgres server to test on.
const SERVER: &str = "INDELIBLE_TEST_DATABASE_URL";

/// The one with the URL of a PgBouncer before that server, which gives each transaction another session.
pub(in crate::store) const POOLER: &str = "INDELIBLE_TEST_POOLER_URL";

/// The one with the URL of another, which leaves a client its session but drops settings.
pub(in crate::store) const SESSION_POOLER: &str = "INDELIBLE_TEST_SESSION_POOLER_URL";

/// The columns of the store's tables: name, type, default.
const COLUMNS_OF_POSTGRES: &str = "
    SELECT rel.relname || '.' || col.attname, format_type(col.atttypid, NULL),
           coalesce(pg_get_expr(made.adbin, made.adrelid), '')
    FROM pg_attribute col
    JOIN pg_class rel ON rel.oid = col.attrelid AND rel.relkind IN ('r', 'p')
    LEFT JOIN pg_attrdef made ON made.adrelid = col.attrelid AND made.adnum = col.attnum
    WHERE rel.relnamespace = 'indelible'::regnamespace AND col.attnum > 0
      AND NOT col.attisdropped";

const COLUMNS_OF_SQLITE: &str = "
    SELECT rel.name || '.' || col.name, col.type, coalesce(col.dflt_value, '')
    FROM sqlite_schema rel, pragma_table_xinfo(rel.name) col WHERE rel.type = 'table'";

/// What no test may leave behind, as questions.
const LEFT_BEHIND: &str = include_str!("left_behind.sql");

/// A new and empty database.
#[derive(Debug)]
pub(crate) struct TestDatabase(Kind);

#[derive(Debug)]
enum Kind {
    Postgres {
        server: Box<PgConnectOptions>,
        name: String,
        /// What stands before the server, if anything.
        pooler: Option<Box<PgConnectOptions>>,
    },
    Sqlite {
        folder: PathBuf,
    },
}

impl TestDatabase {
    /// A database on the Postgres server to test on.
    ///
    /// # Panics
    ///
    /// When there is no such server, with a message that says how to get one.
    pub(crate) async fn postgres() -> Self {
        Self::on_server(None).await
    }

    /// The same, reached through the pooler that an environment variable names.
    ///
    /// # Panics
    ///
    /// When there is no server or no pooler.
    pub(in crate::store) async fn pooled(pooler: &str) -> Self {
        Self::on_server(Some(from_environment(pooler))).await
    }

    async fn on_server(pooler: Option<PgConnectOptions>) -> Self {
        let server = from_environment(SERVER);
        let name = format!("indelible_test_{}", Uuid::new_v4().simple());
        run(&server, format!("CREATE DATABASE {name}")).await;
        Self(Kind::Postgres { server: Box::new(server), name, pooler: pooler.map(Box::new) })
    }

    /// A SQLite file in a folder of its own. The folder is there, the file is not yet.
    ///
    /// # Panics
    ///
    /// When the folder for temporary files cannot be written.
    pub(crate) fn sqlite() -> Self {
        Self::sqlite_in(&std::env::temp_dir())
    }

    /// The same in memory, where the system has files there: for a test that makes many commits and
    /// no power failures.
    pub(crate) fn sqlite_in_memory() -> Self {
        let memory = Path::new("/dev/shm");
        if memory.is_dir() { Self::sqlite_in(memory) } else { Self::sqlite() }
    }

    fn sqlite_in(folder: &Path) -> Self {
        let folder = folder.join(format!("indelible-test-{}", Uuid::new_v4()));
        std::fs::create_dir_all(&folder)
            .unwrap_or_else(|error| panic!("cannot create {}: {error}", folder.display()));
        Self(Kind::Sqlite { folder })
    }

    /// The URL to open it with.
    pub(crate) fn url(&self) -> String {
        match &self.0 {
            Kind::Postgres { server, name, pooler } => {
                url_to(pooler.as_ref().unwrap_or(server), name)
            }
            Kind::Sqlite { folder } => format!("sqlite://{}", folder.join("test.db").display()),
        }
    }

    /// The URL to hear hints over, if that is another one.
    pub(crate) fn hints_url(&self) -> Option<String> {
        match &self.0 {
            Kind::Postgres { server, name, pooler: Some(_) } => Some(url_to(server, name)),
            _ => None,
        }
    }

    /// Ends the sessions that a pooler keeps, if there is one. They are as the database was set when they
    /// began.
    ///
    /// # Panics
    ///
    /// When the server does not answer.
    pub(in crate::store) async fn end_pooled_sessions(&self) {
        const END: &str = "
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()
              AND query NOT LIKE 'LISTEN%'";
        let Kind::Postgres { server, name, pooler: Some(pooler) } = &self.0 else { return };
        let options = server.as_ref().clone().database(name);
        let mut connection = PgConnection::connect_with(&options).await.expect("it is there");
        while !connection.fetch_all(END).await.expect("they are ended").is_empty() {
            tokio::task::yield_now().await;
        }
        // The pooler learns of it when it next looks at them.
        let options = pooler.as_ref().clone().database(name).extra_float_digits(None);
        let asks = async || {
            let mut connection = PgConnection::connect_with(&options).await?;
            connection.execute("SELECT 1").await
        };
        while asks().await.is_err() {
            tokio::task::yield_now().await;
        }
    }

    /// A connection of the test's own, if it is Postgres.
    pub(crate) async fn connect_to_postgres(&self) -> Option<PgConnection> {
        let Kind::Postgres { server, name, .. } = &self.0 else { return None };
        let options = server.as_ref().clone().database(name).disable_statement_logging();
        Some(PgConnection::connect_with(&options).await.expect("it is there"))
    }

    /// Runs a statement in it, beside whatever is tested.
    ///
    /// # Panics
    ///
    /// When the statement fails.
    pub(crate) async fn execute(&self, sql: &str) {
        match &self.0 {
            Kind::Postgres { server, name, .. } => {
                run(&server.as_ref().clone().database(name), sql.to_owned()).await;
            }
            Kind::Sqlite { .. } => {
                let options: SqliteConnectOptions =
                    self.url().parse().expect("it is the URL of a file");
                let mut connection =
                    SqliteConnection::connect_with(&options).await.expect("the file can be opened");
                sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
                    .execute(&mut connection)
                    .await
                    .unwrap_or_else(|error| panic!("{sql}: {error}"));
                connection.close().await.expect("the file can be closed");
            }
        }
    }

    /// Ends the lease of a worker where it lasts as long as its process: to others that looks gone.
    pub(crate) fn end_process(&self, worker: WorkerId) {
        if let Kind::Sqlite { folder } = &self.0 {
            // It may have left meanwhile.
            let _ = std::fs::remove_file(folder.join(format!("test.db-worker-{worker}")));
        }
    }

    /// Writes to one of the store's tables what no program would: `column = value WHERE ..`.
    pub(in crate::store) async fn update(&self, table: &str, change: &str) {
        self.execute(&format!("UPDATE {} SET {change}", self.table(table))).await;
    }

    /// What one of the store's tables is called in its database.
    pub(in crate::store) fn table(&self, table: &str) -> String {
        match &self.0 {
            Kind::Postgres { .. } => format!("indelible.{table}"),
            Kind::Sqlite { .. } => format!("indelible_{table}"),
        }
    }

    /// The columns of the store's tables: name, type, default.
    ///
    /// # Panics
    ///
    /// When the database does not answer.
    pub(in crate::store) async fn columns(&self) -> Vec<(String, String, String)> {
        let columns = match &self.0 {
            Kind::Postgres { server, name, .. } => {
                let options = server.as_ref().clone().database(name);
                let mut connection =
                    PgConnection::connect_with(&options).await.expect("it is there");
                sqlx::query_as(COLUMNS_OF_POSTGRES).fetch_all(&mut connection).await
            }
            Kind::Sqlite { .. } => {
                let connection = SqliteConnection::connect(&self.url()).await;
                let mut connection = connection.expect("the file can be opened");
                sqlx::query_as(COLUMNS_OF_SQLITE).fetch_all(&mut connection).await
            }
        };
        columns.expect("it has columns")
    }

    /// How many rows one of the store's tables has.
    ///
    /// # Panics
    ///
    /// When there is no such table.
    pub(crate) async fn rows(&self, table: &str) -> i64 {
        self.ask(&format!("SELECT count(*) FROM {}", self.table(table))).await
    }

    /// The ids of the rows for which a condition holds.
    ///
    /// # Panics
    ///
    /// When it does not answer.
    pub(crate) async fn ids(&self, table: &str, condition: &str) -> Vec<Uuid> {
        let question =
            format!("SELECT CAST(id AS text) FROM {} WHERE {condition}", self.table(table));
        let ids: Result<Vec<String>, _> = match &self.0 {
            Kind::Postgres { server, name, .. } => {
                let options = server.as_ref().clone().database(name);
                let mut connection =
                    PgConnection::connect_with(&options).await.expect("it is there");
                sqlx::query_scalar(AssertSqlSafe(question)).fetch_all(&mut connection).await
            }
            Kind::Sqlite { .. } => {
                let connection = SqliteConnection::connect(&self.url()).await;
                let mut connection = connection.expect("the file can be opened");
                sqlx::query_scalar(AssertSqlSafe(question)).fetch_all(&mut connection).await
            }
        };
        let ids = ids.expect("it answers").into_iter();
        ids.map(|id| id.parse().expect("it is an id")).collect()
    }

    /// A number.
    async fn ask(&self, question: &str) -> i64 {
        let number = match &self.0 {
            Kind::Postgres { server, name, .. } => {
                let options = server.as_ref().clone().database(name);
                let mut connection =
                    PgConnection::connect_with(&options).await.expect("it is there");
                sqlx::query_scalar(AssertSqlSafe(question.to_owned()))
                    .fetch_one(&mut connection)
                    .await
            }
            Kind::Sqlite { .. } => {
                let options: SqliteConnectOptions =
                    self.url().parse().expect("it is the URL of a file");
                let mut connection =
                    SqliteConnection::connect_with(&options).await.expect("the file can be opened");
                sqlx::query_scalar(AssertSqlSafe(question.to_owned()))
                    .fetch_one(&mut connection)
                    .await
            }
        };
        number.unwrap_or_else(|error| panic!("{question}: {error}"))
    }

    /// What is left behind in it that no one will look at again, whatever else goes on: how many rows of
    /// what. The end-to-end tests ask the same questions, and more.
    ///
    /// # Panics
    ///
    /// When it does not answer.
    pub(in crate::store) async fn left_behind(&self) -> Vec<(String, i64)> {
        let (always, _) = LEFT_BEHIND.split_once("-- at rest").expect("it has two parts");
        let mut left = Vec::new();
        for question in always.split(';').filter(|text| text.contains("SELECT")) {
            let (said, asked): (Vec<&str>, Vec<&str>) =
                question.lines().partition(|line| line.starts_with("--"));
            let mut asked = asked.join(" ");
            while let Some((before, rest)) = asked.split_once('{') {
                let (table, after) = rest.split_once('}').expect("the bracket is closed");
                asked = format!("{before}{}{after}", self.table(table));
            }
            let rows = self.ask(&asked).await;
            if rows > 0 {
                left.push((said.last().copied().unwrap_or_default().to_owned(), rows));
            }
        }
        left
    }

    /// Removes it with all that is in it, whoever is still connected.
    pub(crate) async fn remove(self) {
        match self.0 {
            Kind::Postgres { server, name, .. } => {
                // `WITH (FORCE)` is there from version 13 on, the oldest that is supported.
                run(&server, format!("DROP DATABASE {name} WITH (FORCE)")).await;
            }
            Kind::Sqlite { folder } => {
                std::fs::remove_dir_all(&folder)
                    .unwrap_or_else(|error| panic!("cannot remove {}: {error}", folder.display()));
            }
        }
    }
}

fn from_environment(variable: &str) -> PgConnectOptions {
    let Ok(url) = std::env::var(variable) else {
        panic!("this test needs it: run it with `cargo run -p xtask -- test`, or set {variable}")
    };
    url.parse().unwrap_or_else(|error| panic!("{variable} is not a Postgres URL: {error}"))
}

fn url_to(server: &PgConnectOptions, database: &str) -> String {
    server.clone().database(database).to_url_lossy().to_string()
}

async fn run(options: &PgConnectOptions, sql: String) {
    let options = options.clone().disable_statement_logging();
    let mut connection = PgConnection::connect_with(&options)
        .await
        .unwrap_or_else(|error| panic!("the server that {SERVER} names: {error}"));
    sqlx::raw_sql(AssertSqlSafe(sql.clone()))
        .execute(&mut connection)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
    connection.close().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}
