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
    let ticket = step.run("fetch-ticket", desk.ticket(parse(&text)?)).await?;
    step.run(
        "send-mail",
        desk.mail(if ticket.subject.is_empty() { return Ok(()) } else { &ticket.subject }),
    )
    .await?;
    for text in ["hello", ""] {
        step.run("send-more", desk.mail(if text.is_empty() { break } else { text })).await?;
        step.run("send-last", desk.mail(if text.is_empty() { continue } else { text })).await?;
    }
    Ok(())
}

#[workflow]
async fn gives_what_it_awaited(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    let ticket = step.run("fetch-ticket", desk.ticket(event.ticket).await?).await?;
    step.run("send-mail", desk.mail(&parse(&ticket.subject)?.to_string())).await?;
    Ok(())
}

fn main() {}
