//! The embedded store: one file, one host, real `fsync`. One connection writes, under `BEGIN
//! IMMEDIATE`, so that what it reads first still holds when it writes; others read beside it.
//!
//! Batches travel as one JSON array a statement (`json_each`), the counterpart of Postgres' `UNNEST`.
//! The times are the process's clock: every process that uses the file is on the same host.
//!
//! Each room of the store is implemented in the file of its name.

mod accept;
mod batches;
mod checks;
mod claim;
mod commits;
mod connect;
mod database;
mod file;
mod flush;
mod gates;
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
mod restart;
mod route;
mod runs;
mod transaction;
mod upkeep;
mod value;
mod waits;
mod workers;

pub(super) use self::database::SqliteStore;
use super::Store;
use super::problem::Problem;

impl SqliteStore {
    pub(super) async fn open(url: &str) -> Result<Self, Problem> {
        connect::connect(url).await
    }
}

impl Store for SqliteStore {
    fn name(&self) -> &'static str {
        "sqlite"
    }
}
