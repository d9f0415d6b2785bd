use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

#[workflow]
async fn on_ticket(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    let ticket = desk.ticket(event.ticket).await?;
    step.run("send-mail", desk.mail(&ticket.subject)).await?;
    Ok(())
}

#[workflow]
async fn in_a_box(_event: TicketCreated, step: Step) -> Result<(), Failure> {
    Box::pin(async { step.sleep("rest", "1s").await }).await;
    Ok(())
}

struct Kitchen;

impl Kitchen {
    async fn run<S, F>(&self, _state: S, _work: F) {}
}

#[workflow]
async fn on_another_handle(_event: TicketCreated, step: Step) -> Result<(), Failure> {
    let _ = step;
    let step = Kitchen;
    step.run("chop", async {}).await;
    Ok(())
}

#[workflow]
async fn two_of_a_name(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    let fetch = |ticket| desk.ticket(ticket);
    join!(async {
        let fetch = async |ticket| step.run("fetch", desk.ticket(ticket)).key(ticket).await;
        std::mem::size_of_val(&fetch)
    });
    fetch(event.ticket).await?;
    Ok(())
}

fn main() {}
