//! A database of either kind, for tests that run on both.

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};

use crate::postgres::Database;

/// A fresh database that vanishes with this value.
pub enum Fresh {
    /// A database on the test server.
    Postgres(Box<Database>),
    /// A file of its own.
    Sqlite(tempfile::TempDir),
}

impl Fresh {
    /// On the test server.
    pub async fn postgres() -> Self {
        Self::Postgres(Box::new(Database::create().await))
    }

    /// On the test server, reached through a pooler that gives each transaction another session.
    pub async fn pooled() -> Self {
        Self::Postgres(Box::new(Database::pooled().await))
    }

    /// In a folder of its own.
    ///
    /// # Panics
    ///
    /// When there is no room for a temporary folder.
    pub async fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().expect("a temporary folder"))
    }

    /// Another fresh one of the same kind.
    pub async fn another(&self) -> Self {
        match self {
            Self::Postgres(_) => Self::postgres().await,
            Self::Sqlite(_) => Self::sqlite().await,
        }
    }

    /// A copy of its files, as a backup makes it while nobody writes.
    ///
    /// # Panics
    ///
    /// When it is no SQLite file, or the copy fails.
    pub async fn copied(&self) -> Self {
        let copy = Self::sqlite().await;
        let (Self::Sqlite(from), Self::Sqlite(to)) = (self, &copy) else {
            panic!("a server's files cannot be copied")
        };
        for file in ["test.db", "test.db-wal"] {
            let file_there = from.path().join(file);
            if file_there.exists() {
                std::fs::copy(file_there, to.path().join(file)).expect("it can be copied");
            }
        }
        copy
    }

    /// Changes what it holds.
    ///
    /// # Panics
    ///
    /// When it does not accept the statement.
    pub async fn execute(&self, statement: String) {
        let statement = AssertSqlSafe(statement);
        match self {
            Self::Postgres(database) => {
                let connection = PgConnection::connect(database.direct_url()).await;
                let mut connection = connection.expect("the server answers");
                sqlx::query(statement).execute(&mut connection).await.expect("it is accepted");
            }
            Self::Sqlite(_) => {
                let connection = SqliteConnection::connect(&self.url()).await;
                let mut connection = connection.expect("the file opens");
                sqlx::query(statement).execute(&mut connection).await.expect("it is accepted");
            }
        }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        match self {
            Self::Postgres(database) => database.url().to_owned(),
            Self::Sqlite(folder) => format!("sqlite://{}", folder.path().join("test.db").display()),
        }
    }

    /// The same past any pooler.
    pub fn direct_url(&self) -> String {
        match self {
            Self::Postgres(database) => database.direct_url().to_owned(),
            Self::Sqlite(_) => self.url(),
        }
    }
}

/// Makes a test of each named async function for each kind of database.
#[macro_export]
macro_rules! on_both_databases {
    ($($test:ident),* $(,)?) => {
        mod postgres {
            $(#[tokio::test]
            async fn $test() {
                super::$test($crate::databases::Fresh::postgres().await).await;
            })*
        }

        mod sqlite {
            $(#[tokio::test]
            async fn $test() {
                super::$test($crate::databases::Fresh::sqlite().await).await;
            })*
        }
    };
}
