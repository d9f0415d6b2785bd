//! The application's own connections to a database.

use std::str::FromStr as _;

use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};

use crate::databases::Fresh;

/// Connections to a database that an application and its workers share.
pub enum User {
    /// On the test server.
    Postgres(PgPool),
    /// To the same file.
    Sqlite(SqlitePool),
}

impl User {
    /// Those of a database that is there already.
    ///
    /// # Panics
    ///
    /// When the database does not answer.
    pub async fn of(database: &Fresh) -> Self {
        let url = database.url();
        match database {
            Fresh::Postgres(_) => {
                let pool = PgPoolOptions::new().max_connections(2).connect(&url).await;
                Self::Postgres(pool.expect("the server answers"))
            }
            Fresh::Sqlite(_) => {
                let options = SqliteConnectOptions::from_str(&url).expect("a URL");
                let pool = SqlitePoolOptions::new().max_connections(2).connect_with(options).await;
                Self::Sqlite(pool.expect("the file opens"))
            }
        }
    }
}
