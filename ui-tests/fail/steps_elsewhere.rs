use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

async fn look_up(step: &Step, desk: &Desk) -> Result<(), Failure> {
    let _ = step.run("fetch-ticket", || desk.ticket(1));
    Ok(())
}

#[workflow]
async fn on_ticket(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    let steps = step.clone();
    let ticket = steps.run("fetch-ticket", || desk.ticket(event.ticket)).await?;
    look_up(&step, &desk);
    println!("{}", ticket.subject);
    Ok(())
}

fn main() {}
