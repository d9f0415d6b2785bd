use indelible::Tx;
use indelible::prelude::*;

use super::Bank;
use super::database::{Database, on};
use crate::events::AwardRequested;

/// Points that went into a wallet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posting {
    /// Its number.
    pub id: i64,
    /// Whose wallet.
    pub user_id: String,
    /// For which purchase.
    pub source_id: String,
    /// How many points.
    pub points: i64,
}

const POST: &str = "
    insert into postings (user_id, source_id, points) values ($1, $2, $3) returning id";

/// The unique index on `reverses` lets no posting be taken back twice.
const REVERSE: &str = "
    insert into postings (user_id, source_id, points, reverses) values ($1, $2, $3, $4)
    on conflict do nothing";

/// Served by the primary key.
const ADD: &str = "
    insert into wallets (user_id, points) values ($1, $2)
    on conflict (user_id) do update set points = wallets.points + excluded.points";

/// Scans the wallets: a report.
const WALLETS: &str = "select user_id, points from wallets order by user_id";

impl Bank {
    /// Puts points into the member's wallet, in the transaction of a step.
    ///
    /// # Errors
    ///
    /// When the database refuses it.
    pub async fn post(
        &self,
        tx: &mut Tx,
        award: &AwardRequested,
        points: i64,
    ) -> Result<Posting, Failure> {
        let AwardRequested { user_id, source_id, .. } = award;
        macro_rules! post {
            ($connection:expr) => {{
                let connection = $connection;
                sqlx::query(ADD).bind(user_id).bind(points).execute(&mut *connection).await?;
                sqlx::query_scalar(POST)
                    .bind(user_id)
                    .bind(source_id)
                    .bind(points)
                    .fetch_one(connection)
                    .await?
            }};
        }
        let id: i64 = match self.database {
            Database::Postgres(_) => post!(tx.postgres()?),
            Database::Sqlite(_) => post!(tx.sqlite()?),
        };
        Ok(Posting { id, user_id: user_id.clone(), source_id: source_id.clone(), points })
    }

    /// Takes a posting back, once, however often it is called.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn reverse(&self, posting: &Posting) -> sqlx::Result<()> {
        on!(self.database, pool => {
            let mut transaction = pool.begin().await?;
            let reversed = sqlx::query(REVERSE)
                .bind(&posting.user_id)
                .bind(&posting.source_id)
                .bind(-posting.points)
                .bind(posting.id)
                .execute(&mut *transaction)
                .await?;
            if reversed.rows_affected() > 0 {
                sqlx::query(ADD)
                    .bind(&posting.user_id)
                    .bind(-posting.points)
                    .execute(&mut *transaction)
                    .await?;
            }
            transaction.commit().await
        })
    }

    /// Every wallet: whose it is, and how many points are in it.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn wallets(&self) -> sqlx::Result<Vec<(String, i64)>> {
        on!(self.database, pool => sqlx::query_as(WALLETS).fetch_all(pool).await)
    }
}
