use indelible::prelude::*;

#[derive(Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "ticket/deleted")]
struct TicketDeleted {
    number: u32,
}

#[derive(Serialize, Deserialize)]
struct Ticket {
    number: u32,
}

#[workflow(input)]
async fn report(_failed: RunFailed<Ticket>) -> Result<(), Failure> {
    Ok(())
}

#[workflow(input)]
async fn regret(_cancelled: RunCancelled) -> Result<(), Failure> {
    Ok(())
}

#[workflow(input, cancel_on(TicketDeleted, matching = number), on_failure = report)]
async fn answer(_ticket: Ticket) -> Result<(), Failure> {
    Ok(())
}

indelible::app! {
    Desk = "desk";
    events: [],
    workflows: [answer],
    on_cancel: regret,
}

fn main() {}
