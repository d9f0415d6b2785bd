use indelible::prelude::*;

#[derive(Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "ticket/created")]
struct TicketCreated;

#[derive(Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "ticket/created")]
struct TicketOpened;

#[derive(Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "ticket/closed")]
struct TicketClosed;

#[workflow]
async fn on_ticket(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(id = "on-ticket")]
async fn on_ticket_again(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow]
async fn on_closed(_event: TicketClosed) -> Result<(), Failure> {
    Ok(())
}

indelible::app! {
    HelpDesk = "help-desk";
    events: [TicketCreated, TicketOpened],
    workflows: [on_ticket, on_ticket_again, on_closed],
}

indelible::app! {
    Repeated = "repeated";
    events: [TicketCreated, TicketClosed, TicketCreated],
    workflows: [on_ticket, on_closed, on_closed],
}

fn main() {}
