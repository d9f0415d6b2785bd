use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

#[durable]
async fn notify(step: &Step, desk: &Desk) -> Result<usize, Failure> {
    let mailed = step.run("mail", desk.mail("hello")).await?;
    Ok(mailed)
}

#[workflow]
async fn on_ticket(
    _event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<usize, Failure> {
    notify(&step, &desk).await
}

#[workflow]
async fn on_another_ticket(
    _event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<usize, Failure> {
    notify(&step, &desk).await
}

indelible::app! {
    HelpDesk = "help-desk";
    events: [TicketCreated],
    workflows: [on_ticket, on_another_ticket],
}

fn main() {}
