use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

#[workflow]
async fn on_ticket(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    let began = step.now();
    let id = step.uuid("mail-id");
    let home = step.run("read-home", async { std::env::var("HOME") }).await?;
    let mut recipients = std::collections::BTreeSet::new();
    recipients.insert(event.ticket);
    for recipient in &recipients {
        let text = format!("{home} {id} {recipient} {:?}", step.now());
        step.run("send-mail", desk.mail(&text)).await?;
    }
    println!("{began:?}");
    step.sleep("rest", "1s").await;
    Ok(())
}

fn main() {}
