use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

#[workflow]
async fn on_ticket(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    let rest = std::time::Duration::from_secs(event.ticket.into());
    step.sleep("rest", "3 days").await;
    step.sleep("rest-more", rest).await;
    step.run("fetch-ticket", desk.ticket(event.ticket)).retries(2).timeout("250ms").await?;
    Ok(())
}

fn main() {}
