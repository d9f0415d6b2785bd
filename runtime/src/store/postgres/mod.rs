//! The store for production: many workers on many hosts.
//!
//! A batch travels as one array a column (`unnest`), and what has to happen at once is one statement:
//! one round trip, one commit. Times are the server's clock. Rows that several processes want are
//! taken with `FOR UPDATE SKIP LOCKED`, so that nobody waits for another.
//!
//! Each room of the store is implemented in the file of its name. What such an `impl` wraps in
//! [`again`](database::again) is one attempt; there, and nowhere below, an attempt is made again that was
//! in another transaction's way.

mod accept;
mod batch;
mod batches;
mod blocked;
mod checks;
mod children;
mod claim;
mod commits;
mod connect;
mod database;
mod flush;
#[cfg(test)]
mod gate_races;
mod gates;
mod health;
mod hints;
mod history;
mod inbox;
mod ingress;
mod later;
mod leases;
mod limits;
#[cfg(test)]
mod looks;
mod migrate;
mod neighbours;
mod notify;
mod operators;
#[cfg(test)]
mod plans;
mod pool;
mod queue;
#[cfg(test)]
mod races;
mod registry;
mod reports;
mod restart;
mod route;
mod runs;
mod sent;
#[cfg(test)]
mod statements;
mod sweep;
mod transaction;
mod unsettled;
mod upkeep;
mod value;
mod views;
mod waits;
mod why;

use std::sync::Arc;

use sqlx::PgPool;

use self::claim::Floors;
use self::connect::Connected;
use self::database::Database;
use self::inbox::Broom;
use self::notify::Telling;
use self::sent::Sent;
use super::Store;
use super::problem::Problem;
use super::tables::Tables;
use super::unheard::Unheard;

/// See the [module](self).
pub(super) struct PostgresStore {
    database: Database,
    /// For the user's transactions.
    lent: PgPool,
    floors: Floors,
    broom: Broom,
    telling: Telling,
    unheard: Unheard,
    sent: Sent,
}

impl PostgresStore {
    pub(super) async fn open(
        url: &str,
        hints_url: Option<&str>,
        tables: Tables,
    ) -> Result<Self, Problem> {
        let connected = connect::connect(url, hints_url, tables, Arc::default()).await?;
        let Connected { database, lent, listening } = connected;
        let telling = Telling::begin(&database, listening);
        let (floors, broom) = (Floors::default(), Broom::default());
        let (unheard, sent) = (Unheard::default(), Sent::default());
        Ok(Self { database, lent, floors, broom, telling, unheard, sent })
    }
}

impl Store for PostgresStore {
    fn name(&self) -> &'static str {
        "postgres"
    }
}
