use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

#[derive(Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "ticket/closed")]
struct TicketClosed {
    ticket: u32,
}

#[derive(Triggers)]
enum OnTicket {
    Created(TicketCreated),
    Tick(Tick),
}

#[workflow(on(TicketClosed, if = event.ticket > 7))]
async fn of_another_event(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(on(TicketClosed, if = event.ticket > 7), cron("0 9 * * *"))]
async fn without_a_variant(_ticket: OnTicket) -> Result<(), Failure> {
    Ok(())
}

#[workflow(on(TicketCreated, if = event.ticket))]
async fn no_condition(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(on(TicketCreated, if = desk.is_open() && ticket.ticket > 7))]
async fn of_what_is_not_there_yet(
    ticket: TicketCreated,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    let _ = (ticket, desk);
    Ok(())
}

#[workflow(on(TicketCreated))]
async fn unconditional(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(on(TicketCreated, if = event.ticket > 7), on(TicketCreated, if = event.ticket < 9))]
async fn twice(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(input, on(TicketCreated, if = event.ticket > 7))]
async fn only_direct(_ticket: u32) -> Result<(), Failure> {
    Ok(())
}

#[workflow(on, on(), on("ticket/created", if = true), on(TicketCreated, when = true))]
async fn malformed(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

fn main() {}
