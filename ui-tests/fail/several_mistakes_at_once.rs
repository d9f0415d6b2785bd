use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

#[workflow(retry = 2)]
async fn on_ticket(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    let ticket = step.run("fetchTicket", desk.ticket(event.ticket)).await?;
    step.sleep("rest", "soon").await;
    desk.mail(&ticket.subject).await?;
    Ok(())
}

// The item is there all the same, with its types.
fn output() -> <on_ticket as Workflow>::Output {}

fn main() {}
