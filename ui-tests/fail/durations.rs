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
    step.run("fetch-again", desk.ticket(event.ticket)).timeout("0s").retries(5_000).await?;
    step.run("fetch-late", desk.ticket(event.ticket)).backoff(initial = "1h", max = "1m").await?;
    step.run("fetch-later", desk.ticket(event.ticket)).backoff(inital = "1h").await?;
    step.sleep("rest-a-little", "1.5s").await;
    step.sleep("rest-more", "1.3 days").await;
    Ok(())
}

fn main() {}
