use indelible::prelude::*;
use indelible_ui_tests::TicketCreated;

#[derive(Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "ticket/answered")]
struct TicketAnswered {
    ticket: u32,
}

#[durable]
async fn answered(step: &Step, ticket: u32) -> bool {
    step.wait_for_event::<TicketAnswered>("await").matching(ticket = ticket).await.is_some()
}

#[workflow]
async fn waits(event: TicketCreated, step: Step) -> Result<bool, Failure> {
    Ok(answered(&step, event.ticket).await)
}

indelible::app! {
    Desk = "desk";
    events: [TicketCreated, TicketAnswered],
    workflows: [waits],
}

fn main() {}
