use indelible::prelude::*;
use indelible_ui_tests::TicketCreated;

#[derive(Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "ticket/answered")]
struct TicketAnswered {
    ticket: u32,
}

#[workflow]
async fn by_a_name(_event: TicketCreated, step: Step) -> Result<(), Failure> {
    step.wait_for_event("await-answer", "ticket/answered").await;
    step.wait_for_event("await-more").timeout("1h").await;
    step.wait_for_event("await-most").matching(ticket = 1_u32).timeout("1h").await;
    Ok(())
}

#[workflow]
async fn by_a_comparison(_event: TicketCreated, step: Step) -> Result<(), Failure> {
    step.wait_for_event::<TicketAnswered>("await-answer").matching(1 == 2).await;
    step.wait_for_event::<TicketAnswered>("await-other").matching(|e| e.ticket == 1).await;
    step.wait_for_event::<TicketAnswered>("await-named").matching("ticket", 1).await;
    Ok(())
}

#[workflow]
async fn by_another_field(event: TicketCreated, step: Step) -> Result<(), Failure> {
    step.wait_for_event::<TicketAnswered>("await-answer").matching(tiket = event.ticket).await;
    Ok(())
}

#[workflow]
async fn by_another_type(_event: TicketCreated, step: Step) -> Result<(), Failure> {
    step.wait_for_event::<TicketAnswered>("await-answer").matching(ticket = "seven").await;
    let seven = "seven".to_owned();
    step.wait_for_event::<TicketAnswered>("await-owned").matching(ticket = seven).await;
    Ok(())
}

#[workflow]
async fn by_no_event(_event: TicketCreated, step: Step) -> Result<(), Failure> {
    step.wait_for_event::<Plain>("await-answer").await;
    Ok(())
}

struct Plain;

#[workflow]
async fn apart(event: TicketCreated, step: Step) -> Result<(), Failure> {
    let wait = step.wait_for_event::<TicketAnswered>("await-answer");
    wait.matching(ticket = event.ticket).await;
    let other = step.wait_for_event::<TicketAnswered>("await-other");
    println!("{}", other.matching(ticket = event.ticket).await.is_some());
    Ok(())
}

#[workflow]
async fn by_an_event_of_its_own(_event: TicketCreated, step: Step) -> Result<(), Failure> {
    #[derive(Event, Serialize, Deserialize, JsonSchema)]
    #[event(name = "ticket/closed")]
    struct TicketClosed {
        ticket: u32,
    }
    step.wait_for_event::<TicketClosed>("await-end").matching(ticket = 1_u32).await;
    Ok(())
}

#[durable]
async fn any<E: Event>(step: &Step, _like: &E) -> bool {
    step.wait_for_event::<E>("await").await.is_some()
}

fn main() {}
