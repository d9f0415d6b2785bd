use indelible::prelude::*;
use indelible_ui_tests::TicketCreated;

#[workflow]
async fn on_ticket(event: TicketCreated, step: Step) -> Result<(), Failure> {
    step.send_event("send-created", "ticket/created").await?;
    step.send_event("send-again", event.ticket).await?;
    Ok(())
}

fn main() {}
