//! Transactions, in all the places where a step may stand.

use indelible::prelude::*;
use indelible::Tx;

struct Ledger;

impl Ledger {
    async fn book(&self, tx: &mut Tx, order: i64) -> Result<u64, sqlx::Error> {
        let Ok(connection) = tx.postgres() else { return Ok(0) };
        let booked = sqlx::query("INSERT INTO ledger VALUES ($1)").bind(order);
        Ok(booked.execute(connection).await?.rows_affected())
    }
}

#[workflow(input)]
async fn pay(
    order: i64,
    step: Step,
    Resource(ledger): Resource<Ledger>,
) -> Result<u64, Failure> {
    let name = format!("order {order}");
    let paid = step
        .transaction("pay", async |tx| {
            let update = sqlx::query("UPDATE orders SET name = $1").bind(&name);
            let paid = update.execute(tx.postgres()?).await?.rows_affected();
            if paid == 0 {
                return Err(Permanent(format!("there is no order {order}").into()).into());
            }
            Ok::<_, Failure>(paid)
        })
        .retries(5)
        .timeout("2s")
        .await?;
    // Another type of error, and another function that is given the transaction.
    let booked = step.transaction("book", async |mut tx| ledger.book(&mut tx, order).await).await?;
    let both = join!(
        step.transaction("left", async |tx| {
            let mut rows = 0;
            let connection = tx.postgres()?;
            while rows < 3 {
                let inserted = sqlx::query("INSERT INTO rows VALUES (1)").execute(&mut *connection);
                rows += inserted.await?.rows_affected();
            }
            Ok(rows)
        }),
        step.transaction("right", async |tx: Tx| {
            drop(tx);
            Ok(1)
        }),
    );
    let lines = vec!["a".to_owned(), "b".to_owned()];
    let written = step
        .join_all(lines.into_iter().map(|line| {
            step.transaction("write", async |tx| {
                sqlx::query("INSERT INTO lines VALUES ($1)").bind(&line).execute(tx.postgres()?).await?;
                Ok(line.len())
            })
            .key(&line)
        }))
        .limit(2)
        .await;
    Ok(paid + booked + both.0? + both.1? + written.len() as u64)
}

fn main() {}
