use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

#[derive(Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "ticket/answered")]
#[serde(rename_all = "camelCase")]
struct TicketAnswered {
    ticket_id: u32,
    answered_by: String,
}

#[durable]
async fn answer(step: &Step, ticket: u32) -> bool {
    let wait = step.wait_for_event::<TicketAnswered>("await").matching(ticket_id = ticket);
    wait.await.is_some()
}

#[workflow]
async fn by_type(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<usize, Failure> {
    let name = "mary";
    let mary = step
        .wait_for_event::<TicketAnswered>("await-mary")
        .matching(ticket_id = event.ticket, answered_by = name)
        .timeout("1h");
    let answered = answer(&step, event.ticket).await;
    race! {
        Some(_) | None = mary.from_now() => Ok(1),
        mailed = step.run("remind", desk.mail("still open")) => {
            let size = mailed?;
            if answered { return Ok(0) }
            Ok(size)
        }
    }
}

indelible::app! {
    Answers = "answers";
    events: [TicketCreated, TicketAnswered],
    workflows: [by_type],
}

fn main() {}
