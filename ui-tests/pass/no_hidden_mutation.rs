use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

#[workflow]
async fn on_ticket(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    let mut sent = 0;
    sent += step.run("send-mail", desk.mail("hello")).await?;
    let log = step
        .run("log", async {
            let mut log = Vec::new();
            log.push(event.ticket);
            log[0] += 1;
            Ok(log)
        })
        .await?;
    assert!(sent > log.len());
    Ok(())
}

fn main() {}
