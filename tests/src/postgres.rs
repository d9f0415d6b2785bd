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
}

impl Database {
    /// Makes an empty database.
    ///
    /// # Panics
    ///
    /// When there is no server to make it on: a test that needs one fails, it is not skipped.
    pub async fn create() -> Self {
        let server = std::env::var("INDELIBLE_TEST_DATABASE_URL").expect(
            "this test needs Postgres: run `cargo run -p xtask -- test`, or set INDELIBLE_TEST_DATABASE_URL",
        );
        let server = PgConnectOptions::from_str(&server)
            .expect("INDELIBLE_TEST_DATABASE_URL is a Postgres URL");
        let name = format!("indelible_test_{}", Uuid::new_v4().simple());
        execute(&server, format!("CREATE DATABASE {name}")).await;
        let url = server.clone().database(&name).to_url_lossy().to_string();
        Self { name, server, url }
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
