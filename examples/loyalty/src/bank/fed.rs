use indelible::prelude::*;

use super::Bank;
use super::database::on;

/// Served by the primary key.
const WAS_FED: &str = "select count(*) from fed where file = $1";

const NOTE: &str = "insert into fed (file) values ($1) on conflict do nothing";

impl Bank {
    /// Whether the events of a file were sent. Their idempotency keys cover the moment between their
    /// acceptance and this note of it. The note lasts longer than any key.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn was_fed(&self, file: &str) -> Result<bool, Failure> {
        let notes: i64 = on!(self.database, pool => {
            sqlx::query_scalar(WAS_FED).bind(file).fetch_one(pool).await
        })?;
        Ok(notes > 0)
    }

    /// Notes that the events of a file were sent.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn note_fed(&self, file: &str) -> Result<(), Failure> {
        on!(self.database, pool => sqlx::query(NOTE).bind(file).execute(pool).await.map(drop))?;
        Ok(())
    }
}
