//! A transaction is given an `async` closure that awaits nothing but its transaction.

use indelible::prelude::*;

struct Bank;

impl Bank {
    async fn charge(&self, _order: i64) -> Result<u64, sqlx::Error> {
        Ok(1)
    }
}

#[workflow(input)]
async fn pay(order: i64, step: Step, Resource(bank): Resource<Bank>) -> Result<u32, Failure> {
    step.transaction("charge", async |tx| {
        let paid = bank.charge(order).await?;
        sqlx::query("UPDATE orders SET paid = $1").bind(paid as i64).execute(tx.postgres()?).await?;
        Ok(())
    })
    .await?;
    step.transaction("charge-only", bank.charge(order)).await?;
    let mut total = 0;
    step.transaction("count", async |tx| {
        total += 1;
        sqlx::query("UPDATE orders SET paid = 1").execute(tx.postgres()?).await?;
        Ok(())
    })
    .await?;
    step.transaction("look-then-charge", async |tx| {
        let query = sqlx::query_scalar("SELECT id FROM orders");
        let found: i64 = query.fetch_one(tx.postgres()?).await?;
        bank.charge(found).await?;
        Ok(())
    })
    .await?;
    step.transaction("outer", async |tx| {
        step.run("inner", bank.charge(order)).await?;
        sqlx::query("UPDATE orders SET paid = 1").execute(tx.postgres()?).await?;
        Ok(())
    })
    .await?;
    Ok(total)
}

fn main() {}
