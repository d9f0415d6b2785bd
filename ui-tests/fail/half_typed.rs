use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

#[durable]
async fn notify(step: &Step, desk: &Desk) -> Result<usize, Failure> {
    let mailed = step.run("mail", desk.mail("hello")).await? Ok(mailed)
}

#[workflow]
async fn on_ticket(
    _event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<usize, Failure> {
    let count = step. ;
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

#[workflow]
async fn joins_something(_event: TicketCreated, step: Step) -> Result<usize, Failure> {
    let (rested, found) = join!(step.sleep("rest", "1s"), step.);
    found
}

#[workflow]
async fn tries_something(_event: TicketCreated, step: Step) -> Result<usize, Failure> {
    let (rested, found) = try_join!(step.sleep("rest", "1s") step.sleep("sleep", "2s"))?;
    found
}

indelible::app! {
    HelpDesk = "help-desk";
    events: [TicketCreated],
    workflows: [on_ticket, on_another_ticket],
}

fn main() {}
