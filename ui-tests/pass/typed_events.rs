use indelible::prelude::*;
use indelible_ui_tests::TicketCreated;

#[workflow]
async fn on_ticket(event: TicketCreated, step: Step) -> Result<EventId, Failure> {
    let next = TicketCreated { ticket: event.ticket + 1 };
    Ok(step.send_event("send-created", next).await?)
}

fn main() {}
