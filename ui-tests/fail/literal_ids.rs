use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

#[workflow]
async fn on_ticket(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    let name = "fetch-ticket";
    step.run(name, desk.ticket(event.ticket)).await?;
    step.run(format!("fetch-{}", event.ticket), desk.ticket(event.ticket)).await?;
    step.run(desk.ticket(event.ticket)).await?;
    step.uuid();
    step.run().await?;
    step.sleep().await;
    step.run(step.uuid("name").to_string(), desk.ticket(event.ticket)).await?;
    Ok(())
}

fn main() {}
