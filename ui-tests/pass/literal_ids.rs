use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

#[workflow]
async fn on_ticket(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    for offset in 0..3 {
        step.run("fetch-ticket", desk.ticket(event.ticket + offset)).await?;
    }
    step.uuid("message-id");
    Ok(())
}

fn main() {}
