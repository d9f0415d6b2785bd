//! Which lines were fed already. An event's idempotency key covers the moment between its acceptance
//! and this note of it; the note lasts longer than any key.

use std::collections::HashSet;

use sqlx::Result;

use super::Desk;
use super::database::on;

/// Scans the table: it is read once, when the feed begins.
const ALL: &str = "select key from fed";

const NOTE: &str = "insert into fed (key) values ($1) on conflict (key) do nothing";

impl Desk {
    /// The keys of the lines that were fed before.
    pub(crate) async fn fed(&self) -> Result<HashSet<String>> {
        let rows: Vec<(String,)> =
            on!(self.database, pool => sqlx::query_as(ALL).fetch_all(pool).await)?;
        Ok(rows.into_iter().map(|(key,)| key).collect())
    }

    /// Notes that lines were fed.
    pub(crate) async fn note_fed(&self, keys: &[String]) -> Result<()> {
        on!(self.database, pool => {
            let mut transaction = pool.begin().await?;
            for key in keys {
                sqlx::query(NOTE).bind(key).execute(&mut *transaction).await?;
            }
            transaction.commit().await
        })
    }
}
