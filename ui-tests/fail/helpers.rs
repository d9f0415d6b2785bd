use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

#[durable]
async fn adds_up(a: u32, b: u32) -> u32 {
    a + b
}

#[durable(retries = 2)]
async fn counts_down(step: &Step, from: u32) -> Result<(), StepError> {
    if from > 0 {
        counts_down(step, from - 1).await?;
    }
    Ok(())
}

async fn undurable(step: &Step, desk: &Desk) -> Result<(), Failure> {
    desk.mail("hello").await?;
    let _ = step.now();
    Ok(())
}

#[workflow]
async fn on_ticket(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    let ticket = step.run("fetch-ticket", desk.ticket(event.ticket)).await?;
    undurable(&step, &desk).await?;
    println!("{}", ticket.subject);
    Ok(())
}

fn main() {}
