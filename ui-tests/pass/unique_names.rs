use indelible::prelude::*;

#[derive(Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "ticket/created")]
struct TicketCreated;

#[derive(Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "ticket/closed")]
struct TicketClosed;

#[workflow]
async fn on_ticket(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(input)]
async fn on_demand(_ticket: u32) -> Result<(), Failure> {
    Ok(())
}

indelible::app! {
    HelpDesk = "help-desk";
    events: [TicketCreated, TicketClosed],
    workflows: [on_ticket, on_demand],
}

fn main() {}
