use std::time::Duration;

use indelible::prelude::*;

use super::Bank;
use super::database::on;
use crate::events::AwardRequested;

/// Where members buy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merchant {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// How many hours after a purchase the points for it are posted; `None`: at once.
    pub delay_hours: Option<i32>,
}

#[derive(Debug, thiserror::Error)]
#[error("there is no merchant `{0}`")]
struct NoSuchMerchant(String);

#[derive(Debug, thiserror::Error)]
#[error("there is no member `{0}`")]
struct NoSuchMember(String);

// All of these are served by primary keys.

const MERCHANT: &str = "select id, name, delay_hours from merchants where id = $1";

const GOLD: &str = "select gold from members where id = $1";

impl Bank {
    /// How many points are due for a purchase: one for each euro, two for gold members. `None` if it was
    /// refunded.
    ///
    /// # Errors
    ///
    /// A permanent one if there is no such member.
    pub async fn calculate(&self, award: &AwardRequested) -> Result<Option<i64>, Failure> {
        let work = async {
            if self.is_refunded(&award.source_id).await? {
                return Ok(None);
            }
            let gold: Option<bool> = on!(self.database, pool => {
                sqlx::query_scalar(GOLD).bind(&award.user_id).fetch_optional(pool).await
            })?;
            let gold = gold.ok_or_else(|| Permanent(NoSuchMember(award.user_id.clone()).into()))?;
            let points = award.amount / 100;
            Ok(Some(if gold { points * 2 } else { points }))
        };
        self.log_work("calculate", award, work).await
    }

    /// The configuration of the merchant.
    ///
    /// # Errors
    ///
    /// A permanent one if there is no such merchant.
    pub async fn merchant(&self, award: &AwardRequested) -> Result<Merchant, Failure> {
        let work = async {
            let row: Option<(String, String, Option<i32>)> = on!(self.database, pool => {
                sqlx::query_as(MERCHANT).bind(&award.merchant_id).fetch_optional(pool).await
            })?;
            let (id, name, delay_hours) =
                row.ok_or_else(|| Permanent(NoSuchMerchant(award.merchant_id.clone()).into()))?;
            Ok(Merchant { id, name, delay_hours })
        };
        self.log_work("read-merchant", award, work).await
    }

    /// How long after a purchase a merchant's points are posted.
    pub fn delay(&self, merchant: &Merchant) -> Option<Duration> {
        let hours = u32::try_from(merchant.delay_hours?).ok()?;
        Some(self.day * hours / 24)
    }
}
