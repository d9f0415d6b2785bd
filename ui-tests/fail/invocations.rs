use indelible::prelude::*;
use indelible_ui_tests::TicketCreated;

#[workflow(input)]
async fn answers(ticket: u32, _step: Step) -> Result<u32, Failure> {
    Ok(ticket)
}

#[workflow]
async fn by_another_input(_event: TicketCreated, step: Step) -> Result<(), Failure> {
    step.invoke("answer", answers, "seven").await?;
    Ok(())
}

fn main() {}
