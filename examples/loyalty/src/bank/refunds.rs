use indelible::Client;
use indelible::prelude::*;

use super::Bank;
use super::database::on;
use crate::events::PurchaseRefunded;

/// Served by the primary key.
const IS_REFUNDED: &str = "select count(*) from refunds where source_id = $1";

const NOTE: &str = "insert into refunds (source_id) values ($1) on conflict do nothing";

impl Bank {
    /// Refunds a purchase: notes it, and then sends the event.
    ///
    /// The order matters. A request that is accepted after the event finds the note. A request that was
    /// accepted before it is cancelled by the event.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn refund(&self, client: &Client, source_id: &str) -> Result<EventId, Failure> {
        self.note_refunds(&[source_id]).await?;
        let refunded = PurchaseRefunded { source_id: source_id.to_owned() };
        Ok(client.send(refunded).await?)
    }

    /// Notes that purchases are refunded.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn note_refunds(&self, source_ids: &[&str]) -> sqlx::Result<()> {
        on!(self.database, pool => {
            let mut transaction = pool.begin().await?;
            for source_id in source_ids {
                sqlx::query(NOTE).bind(*source_id).execute(&mut *transaction).await?;
            }
            transaction.commit().await
        })
    }

    pub(super) async fn is_refunded(&self, source_id: &str) -> sqlx::Result<bool> {
        let refunds: i64 = on!(self.database, pool => {
            sqlx::query_scalar(IS_REFUNDED).bind(source_id).fetch_one(pool).await
        })?;
        Ok(refunds > 0)
    }
}
