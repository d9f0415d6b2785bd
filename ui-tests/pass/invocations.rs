use indelible::prelude::*;
use indelible_ui_tests::TicketCreated;

#[workflow(input)]
async fn answers(ticket: u32, _step: Step) -> Result<u32, Failure> {
    Ok(ticket)
}

#[workflow]
async fn by_its_input(event: TicketCreated, step: Step) -> Result<(), Failure> {
    step.invoke("answer", answers, event.ticket).await?;
    Ok(())
}

fn main() {}
