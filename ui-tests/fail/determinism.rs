use std::thread::spawn;
use std::time::Instant as Stopwatch;

use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

#[workflow]
async fn on_ticket(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    use std::time::SystemTime as Clock;
    let began = Clock::now();
    let id = Uuid::new_v4();
    let home = std::env::var("HOME").unwrap_or_default();
    let mut recipients = std::collections::HashSet::new();
    recipients.insert(event.ticket);
    for recipient in &recipients {
        let text = format!("{home} {id} {recipient} {:?}", Clock::now());
        step.run("send-mail", desk.mail(&text)).await?;
    }
    let listed = recipients.iter().collect::<Vec<_>>();
    println!("{began:?} {:?} {listed:?}", Stopwatch::now());
    spawn(|| println!("done"));
    std::thread::sleep(std::time::Duration::from_secs(1));
    Ok(())
}

fn main() {}
