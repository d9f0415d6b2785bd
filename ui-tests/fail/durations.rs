use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

#[workflow]
async fn on_ticket(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    step.sleep("rest", "30").await;
    step.run("fetch-ticket", desk.ticket(event.ticket)).retries(2).timeout("a while").await?;
    Ok(())
}

fn main() {}
