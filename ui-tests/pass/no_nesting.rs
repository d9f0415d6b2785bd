use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

#[workflow]
async fn on_ticket(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    let ticket = step.run("fetch-ticket", desk.ticket(event.ticket)).await?;
    step.run("triage", desk.analyse(&ticket)).await?;
    Ok(())
}

#[workflow]
async fn by_another_name(event: TicketCreated, step: Step) -> Result<(), Failure> {
    let (fetch, pause) = (event.ticket, 1);
    let again = step.clone();
    again.run("fetch", async move { Ok(fetch) }).await?;
    let also = &again;
    also.sleep("pause", "1s").await;
    again.run("unrelated", async { Ok(pause) }).await?;
    Ok(())
}

fn main() {
    assert_eq!(by_another_name::GRAPH.states().len(), 3);
}
