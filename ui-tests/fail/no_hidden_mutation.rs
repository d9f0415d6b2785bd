use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

#[workflow]
async fn on_ticket(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    let mut sent = 0;
    let mut log = Vec::new();
    step.run("send-mail", async {
        sent += desk.mail("hello").await?;
        Ok(())
    })
    .await?;
    step.run("log", async {
        let log = &mut log;
        log.push(event.ticket);
        Ok(())
    })
    .await?;
    Ok(())
}

fn main() {}
