use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

#[workflow(id = "OnTicket")]
async fn on_ticket(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    step.run("fetchTicket", desk.ticket(event.ticket)).await?;
    step.run("Send the mail!", desk.mail("hello")).await?;
    step.sleep("", "1s").await;
    Ok(())
}

fn main() {}
