use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

struct Own {
    steps: Step,
}

async fn look_up(step: &Step, desk: &Desk) -> Result<(), Failure> {
    let _ = step.run("fetch-ticket", || desk.ticket(1));
    Ok(())
}

async fn as_in_a_workflow(step: &Step, desk: &Desk) -> Result<usize, Failure> {
    let ticket = step.run("fetch-ticket", desk.ticket(1)).retries(3).timeout("30s").await?;
    step.sleep("rest", "1h").await;
    step.invoke("analyse", analyse, 1).timeout("1 day").await?;
    step.transaction("note", async |_tx| Ok::<_, Failure>(())).await?;
    Ok(ticket.subject.len())
}

#[workflow(input)]
async fn analyse(_ticket: u32, _step: Step) -> Result<(), Failure> {
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
