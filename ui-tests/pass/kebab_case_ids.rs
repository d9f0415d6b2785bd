use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

#[workflow(id = "on-ticket")]
async fn on_ticket(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    step.run("fetch-ticket", desk.ticket(event.ticket)).await?;
    step.run("send-the-mail", desk.mail("hello")).await?;
    step.sleep("rest", "1s").await;
    Ok(())
}

fn main() {}
