use indelible::prelude::*;
use indelible_ui_tests::TicketCreated;

struct NotThere;

async fn find(_ticket: u32) -> Result<String, NotThere> {
    Err(NotThere)
}

#[workflow]
async fn on_ticket(event: TicketCreated, step: Step) -> Result<(), Failure> {
    step.run("find", async { Ok(find(event.ticket).await?) }).await?;
    Ok(())
}

fn main() {}
