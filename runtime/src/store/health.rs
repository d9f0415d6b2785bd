//! How the database is doing.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Serialize;

use super::StoreError;
use super::read::Columns;

/// What is asked by whoever looks after the database.
#[async_trait]
pub(crate) trait Health: Send + Sync {
    /// How the database is doing.
    async fn health(&self) -> Result<DatabaseHealth, StoreError>;
}

/// How the database is doing. See [`Client::database_health`](crate::Client::database_health).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DatabaseHealth {
    /// `postgres` or `sqlite`.
    pub kind: &'static str,
    /// The version of the server, or of the library.
    pub version: String,
    /// The time by the database's clock.
    pub at: Timestamp,
    /// Settings on which durability rests, with their values.
    pub settings: Vec<Setting>,
    /// The tables of Indelible, the largest first. On SQLite, the whole file.
    pub tables: Vec<TableHealth>,
    /// What keeps VACUUM from removing dead rows for longest, if anything does. Postgres only.
    #[doc(alias("xmin", "idle in transaction"))]
    pub horizon: Option<Horizon>,
}

/// A setting of the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// Its value, as the database writes it.
    pub value: String,
}

impl Setting {
    /// The settings whose names a row has as its columns.
    pub(super) fn read_all<const N: usize>(
        row: &impl Columns,
        names: [&'static str; N],
    ) -> Result<Vec<Self>, StoreError> {
        let read = |name| Ok(Self { name, value: row.text(name)? });
        names.into_iter().map(read).collect()
    }
}

/// The size of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TableHealth {
    /// Its name.
    pub name: String,
    /// How much it takes on the disk with its indexes, in bytes.
    pub bytes: u64,
    /// About how many rows it has. Postgres only.
    pub rows: Option<u64>,
    /// About how many rows are dead and not removed yet. Postgres only.
    pub dead_rows: Option<u64>,
}

impl TableHealth {
    pub(super) fn read(row: &impl Columns) -> Result<Self, StoreError> {
        Ok(Self {
            name: row.text("name")?,
            bytes: row.number("bytes")?,
            rows: row.number_or_null("live")?,
            dead_rows: row.number_or_null("dead")?,
        })
    }
}

/// What keeps dead rows from being removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Horizon {
    /// A session with its process and state, a replication slot, a replica or a prepared transaction.
    pub holder: String,
    /// Since when, if that is known.
    pub since: Option<Timestamp>,
    /// How many transactions have begun since.
    pub transactions: u64,
}

impl Horizon {
    pub(super) fn read(row: &impl Columns) -> Result<Self, StoreError> {
        Ok(Self {
            holder: row.text("holder")?,
            since: row.time_or_null("since")?,
            transactions: row.number("transactions")?,
        })
    }
}
