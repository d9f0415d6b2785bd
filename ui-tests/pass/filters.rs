use indelible::prelude::*;
use indelible_ui_tests::TicketCreated;

#[derive(Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "ticket/closed")]
struct TicketClosed {
    ticket: u32,
    reason: String,
}

#[derive(Triggers)]
enum OnTicket {
    Created(TicketCreated),
    Closed(Received<TicketClosed>),
}

#[workflow(on(TicketCreated, if = event.ticket > 1_000))]
async fn on_late_ticket(event: TicketCreated) -> Result<u32, Failure> {
    Ok(event.ticket)
}

fn is_odd(number: u32) -> bool {
    number % 2 == 1
}

#[workflow(
    on(TicketCreated, if = is_odd(event.ticket)),
    on(TicketClosed, if = event.reason == "done" && is_odd(event.ticket)),
)]
async fn on_odd_ticket(_ticket: OnTicket) -> Result<(), Failure> {
    Ok(())
}

indelible::app! {
    HelpDesk = "help-desk";
    events: [TicketCreated, TicketClosed],
    workflows: [on_late_ticket, on_odd_ticket],
}

fn main() {}
