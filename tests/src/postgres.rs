//! Databases of the tests' own, on the server that the test command provides.

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use std::str::FromStr;
use uuid::Uuid;

/// A database that is dropped with this value.
pub struct Database {
    name: String,
    server: PgConnectOptions,
    url: String,
    direct_url: String,
}

impl Database {
    /// Makes an empty database.
    ///
    /// # Panics
    ///
    /// When there is no server to make it on: a test that needs one fails, it is not skipped.
    pub async fn create() -> Self {
        Self::reached_through(None).await
    }

    /// The same, reached through a pooler that gives each transaction another session.
    ///
    /// # Panics
    ///
    /// When there is no server, or no pooler.
    pub async fn pooled() -> Self {
        Self::reached_through(Some(from_environment("INDELIBLE_TEST_POOLER_URL"))).await
    }

    async fn reached_through(pooler: Option<PgConnectOptions>) -> Self {
        let server = from_environment("INDELIBLE_TEST_DATABASE_URL");
        let name = format!("indelible_test_{}", Uuid::new_v4().simple());
        execute(&server, format!("CREATE DATABASE {name}")).await;
        let direct_url = url_to(&server, &name);
        let url = pooler.map_or_else(|| direct_url.clone(), |pooler| url_to(&pooler, &name));
        Self { name, server, url, direct_url }
    }

    /// Refuses every connection, those that there are included, as a server that is down does.
    pub async fn go_away(&self) {
        execute(&self.server, format!("ALTER DATABASE {} ALLOW_CONNECTIONS false", self.name))
            .await;
        let mut connection = connect(&self.server).await;
        sqlx::query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1")
            .bind(&self.name)
            .execute(&mut connection)
            .await
            .expect("connections are ended");
    }

    /// Accepts connections again.
    pub async fn come_back(&self) {
        execute(&self.server, format!("ALTER DATABASE {} ALLOW_CONNECTIONS true", self.name)).await;
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The same past any pooler.
    pub fn direct_url(&self) -> &str {
        &self.direct_url
    }
}

fn from_environment(variable: &str) -> PgConnectOptions {
    let url = std::env::var(variable).unwrap_or_else(|_| {
        panic!("this test needs it: run `cargo run -p xtask -- test`, or set {variable}")
    });
    PgConnectOptions::from_str(&url)
        .unwrap_or_else(|error| panic!("{variable} is not a Postgres URL: {error}"))
}

fn url_to(server: &PgConnectOptions, database: &str) -> String {
    server.clone().database(database).to_url_lossy().to_string()
}

async fn connect(server: &PgConnectOptions) -> PgConnection {
    PgConnection::connect_with(server).await.expect("the test server answers")
}

async fn execute(server: &PgConnectOptions, statement: String) {
    let mut connection = connect(server).await;
    // The name is ours, and a name cannot be a parameter.
    sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.expect("it is accepted");
}

impl Drop for Database {
    fn drop(&mut self) {
        let server = self.server.clone();
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // A test may be within a runtime of its own, where blocking on another is not allowed.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(execute(&server, statement));
        });
        // On a failing test the test's own message is the one that matters.
        let _ = dropped.join();
    }
}
