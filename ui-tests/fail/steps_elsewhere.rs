use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

struct Own {
    steps: Step,
}

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
    let own = Own { steps: step.clone() };
    let ticket = own.steps.run("fetch-ticket", || desk.ticket(event.ticket)).await?;
    look_up(&step, &desk);
    println!("{}", ticket.subject);
    Ok(())
}

fn main() {}
