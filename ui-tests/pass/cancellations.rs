use indelible::prelude::*;

#[derive(Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "ticket/deleted")]
struct TicketDeleted {
    ticket_id: String,
    number: u32,
}

#[derive(Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "help-desk/closed")]
struct Closed {}

#[derive(Serialize, Deserialize)]
struct Named {
    name: String,
    number: u32,
}

#[workflow(
    input,
    cancel_on(TicketDeleted, matching = number),
    cancel_on(TicketDeleted, matching(ticket_id = name, number)),
    cancel_on(Closed),
)]
async fn by_its_fields(_input: Named) -> Result<(), Failure> {
    Ok(())
}

#[workflow(cancel_on(TicketDeleted, matching = ticket_id))]
async fn by_those_of_an_event(_event: Received<TicketDeleted>) -> Result<(), Failure> {
    Ok(())
}

#[workflow(cron("0 9 * * *"), cancel_on(Closed))]
async fn whatever_starts_it(_tick: Tick) -> Result<(), Failure> {
    Ok(())
}

indelible::app! {
    HelpDesk = "help-desk";
    events: [TicketDeleted, Closed],
    workflows: [by_its_fields, by_those_of_an_event, whatever_starts_it],
}

fn main() {}
