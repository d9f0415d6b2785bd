//! The embedded store: one file, one host, real `fsync`. One connection writes, under `BEGIN
//! IMMEDIATE`, so that what it reads first still holds when it writes; others read beside it.
//!
//! Batches travel as one JSON array a statement (`json_each`), the counterpart of Postgres' `UNNEST`.
//! The times are the process's clock: every process that uses the file is on the same host.
//!
//! Each room of the store is implemented in the file of its name.

mod accept;
mod batches;
mod blocked;
mod checks;
mod claim;
mod commits;
mod connect;
mod database;
mod file;
mod flush;
mod gates;
mod health;
mod hints;
mod history;
mod inbox;
mod ingress;
mod later;
mod leases;
mod life;
mod limits;
mod migrate;
mod opener;
mod operators;
#[cfg(test)]
mod plans;
mod registry;
mod reports;
mod restart;
mod route;
mod runs;
mod sweep;
mod transaction;
mod unsettled;
mod upkeep;
mod value;
mod views;
mod waits;
mod why;
mod workers;

pub(super) use self::database::SqliteStore;
use super::Store;
use super::problem::Problem;
use super::tables::Tables;

impl SqliteStore {
    pub(super) async fn open(url: &str, tables: Tables) -> Result<Self, Problem> {
        connect::connect(url, tables).await
    }
}

impl Store for SqliteStore {
    fn name(&self) -> &'static str {
        "sqlite"
    }
}
