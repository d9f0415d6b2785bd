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
    step.run("fetch-again", desk.ticket(event.ticket)).backoff(initial = "1s", max = "1h").await?;
    step.run("fetch-once-more", desk.ticket(event.ticket)).backoff(max = "1m").await?;
    Ok(())
}

fn main() {}
