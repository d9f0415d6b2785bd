use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

#[workflow]
async fn on_ticket(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    step.run("triage", async {
        let ticket = step.run("fetch-ticket", desk.ticket(event.ticket)).await?;
        Ok(desk.analyse(&ticket).await?)
    })
    .await?;
    Ok(())
}

#[workflow]
async fn three_deep(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    step.run("triage", async {
        step.run("look-closer", async {
            Ok(step.run("fetch-ticket", desk.ticket(event.ticket)).await?)
        })
        .await
    })
    .await?;
    Ok(())
}

#[durable]
async fn notify(step: &Step) -> Result<u32, Failure> {
    Ok(step.run("count", async { Ok(1) }).await?)
}

#[workflow]
async fn a_helper(_event: TicketCreated, step: Step) -> Result<(), Failure> {
    step.run("as-it-is", notify(&step)).await?;
    step.run("made-anew", || notify(&step)).await?;
    Ok(())
}

#[workflow]
async fn by_another_name(event: TicketCreated, step: Step) -> Result<(), Failure> {
    let fetch = async |n: u32| step.run("fetch", async move { Ok(n) }).await;
    let again = step.clone();
    step.run("by-a-closure", async { Ok(fetch(event.ticket).await?) }).await?;
    step.transaction("in-a-transaction", async |tx| {
        fetch(event.ticket).await?;
        Ok(tx.postgres().map(drop)?)
    })
    .await?;
    step.run("by-a-copy", async { Ok(again.uuid("id")) }).await?;
    step.run("of-a-copy", async { notify(&again).await }).await?;
    Ok(())
}

fn main() {}
