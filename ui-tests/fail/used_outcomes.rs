use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

#[workflow]
async fn on_ticket(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    step.run("fetch-ticket", desk.ticket(event.ticket)).retries(3);
    let _ = step.sleep("rest", "1s");
    let mail = step.run("send-mail", desk.mail("hello"));
    Ok(())
}

fn main() {}
