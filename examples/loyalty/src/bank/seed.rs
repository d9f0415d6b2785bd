use indelible::prelude::*;

use super::database::on;
use super::{Bank, Merchant};

const MERCHANTS: &str = include_str!("../../data/merchants.jsonl");
const MEMBERS: &str = include_str!("../../data/members.jsonl");

const INSERT_MERCHANT: &str = "
    insert into merchants (id, name, delay_hours) values ($1, $2, $3) on conflict do nothing";

const INSERT_MEMBER: &str = "
    insert into members (id, name, gold) values ($1, $2, $3) on conflict do nothing";

#[derive(Deserialize)]
struct Member {
    id: String,
    name: String,
    #[serde(default)]
    gold: bool,
}

impl Bank {
    /// Fills in the merchants and members that are missing: what the web application of a real programme
    /// would have written.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn seed(&self) -> Result<(), Failure> {
        let merchants: Vec<Merchant> = parse(MERCHANTS)?;
        let members: Vec<Member> = parse(MEMBERS)?;
        on!(self.database, pool => {
            let mut transaction = pool.begin().await?;
            for merchant in &merchants {
                sqlx::query(INSERT_MERCHANT)
                    .bind(&merchant.id)
                    .bind(&merchant.name)
                    .bind(merchant.delay_hours)
                    .execute(&mut *transaction)
                    .await?;
            }
            for member in &members {
                sqlx::query(INSERT_MEMBER)
                    .bind(&member.id)
                    .bind(&member.name)
                    .bind(member.gold)
                    .execute(&mut *transaction)
                    .await?;
            }
            transaction.commit().await?;
        });
        Ok(())
    }
}

fn parse<T: for<'de> Deserialize<'de>>(lines: &str) -> Result<Vec<T>, serde_json::Error> {
    lines.lines().map(serde_json::from_str).collect()
}
