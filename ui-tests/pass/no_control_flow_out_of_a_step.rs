use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

fn parse(text: &str) -> Result<u32, std::num::ParseIntError> {
    text.parse()
}

#[workflow]
async fn on_ticket(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    let text = event.ticket.to_string();
    let ticket = step
        .run("fetch-ticket", async { Ok::<_, Failure>(desk.ticket(parse(&text)?).await?) })
        .await?;
    if ticket.subject.is_empty() {
        return Ok(());
    }
    step.run("send-mail", desk.mail(&ticket.subject)).await?;
    for text in ["hello", ""] {
        if text.is_empty() {
            break;
        }
        step.run("send-more", desk.mail(text)).await?;
    }
    Ok(())
}

fn main() {}
