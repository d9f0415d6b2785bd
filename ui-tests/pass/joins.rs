use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

#[workflow]
async fn on_ticket(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    let (ticket, mail) = try_join!(
        step.run("fetch-ticket", desk.ticket(event.ticket)),
        step.run("send-mail", desk.mail("hello")),
    )?;
    join!(step.sleep("rest", "1s"), async {
        if ticket.subject.len() > mail {
            step.sleep("rest-more", "1s").await;
        }
    });
    Ok(())
}

fn main() {}
