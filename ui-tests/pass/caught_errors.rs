//! A step's `?` takes what a step may give: also errors that are no `std::error::Error` themselves.

use std::error::Error;

use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

async fn find(ticket: u32) -> anyhow::Result<String> {
    anyhow::ensure!(ticket > 0, "there is no ticket {ticket}");
    Ok(ticket.to_string())
}

async fn read(text: &str) -> Result<u32, Box<dyn Error + Send + Sync>> {
    Ok(text.parse()?)
}

fn is_away(error: &Failure) -> bool {
    error.to_string().contains("away")
}

#[workflow]
async fn on_ticket(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<u32, Failure> {
    let alone = step.run("alone", find(event.ticket)).await?;
    let block = step
        .run("block", async {
            let text = find(event.ticket).await?;
            let ticket = desk.ticket(read(&text).await?).await?;
            Ok(ticket.id + text.parse::<u32>()?)
        })
        .await?;
    let closure = step.run("closure", async || Ok(find(block).await?.len())).await?;
    // The type of the step's error is `Failure`, as that of a step that tries nothing.
    let steps = [
        step.run("tries", async { Ok(find(block).await?) }).retry_if(is_away),
        step.run("tries-nothing", async { Ok(alone.clone()) }).retry_if(is_away),
    ];
    let both = step.join_all(steps).await;
    let each = [1, 2].map(|id| step.run("each", async move { Ok(find(id).await?) }).key(id));
    let each = step.join_all(each).await;
    let inferred: Vec<u32> =
        step.run("inferred", async { Ok(alone.split(',').map(str::parse).collect::<Result<_, _>>()?) }).await?;
    Ok(block + (closure + both.len() + each.len() + inferred.len()) as u32)
}

#[workflow(input)]
async fn pay(order: i64, step: Step) -> Result<u64, Failure> {
    let paid = step
        .transaction("pay", async |tx| {
            let amount = find_in(&mut tx, order).await?;
            Ok(amount)
        })
        .await?;
    let lines = vec!["a".to_owned(), "b".to_owned()];
    let written = lines.into_iter().map(|line| {
        step.transaction("write", async |tx| {
            let amount = find_in(&mut tx, order).await?;
            Ok(amount + line.len() as u64)
        })
        .key(&line)
    });
    let written = step.join_all(written).await;
    Ok(paid + written.len() as u64)
}

async fn find_in(tx: &mut indelible::step::Tx, order: i64) -> anyhow::Result<u64> {
    let found = sqlx::query("UPDATE orders SET paid = 1 WHERE id = $1").bind(order);
    Ok(found.execute(tx.postgres()?).await?.rows_affected())
}

/// A function of the program's own makes a failure of such an error.
async fn triage(ticket: u32) -> Result<String, Failure> {
    let text = find(ticket).await.map_err(Failure::new)?;
    Ok(text)
}

#[workflow]
async fn on_triage(event: TicketCreated, step: Step) -> Result<String, Failure> {
    Ok(step.run("triage", triage(event.ticket)).await?)
}

fn main() {}
