use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

#[workflow]
async fn on_ticket(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    let ticket = step.run("fetch", desk.ticket(event.ticket)).await?;
    if ticket.subject.is_empty() {
        step.run("fetch", desk.ticket(event.ticket + 1)).await?;
    }
    Ok(())
}

fn main() {}
