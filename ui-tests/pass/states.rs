use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

#[workflow]
async fn on_ticket(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    let ticket = step.run("fetch-ticket", desk.ticket(event.ticket)).await?;
    if ticket.subject.is_empty() {
        step.sleep("wait-for-1-hour", "1h").await;
    }
    Ok(())
}

fn check() {
    use indelible::workflow::State;
    assert_eq!(OnTicketState::ALL.len(), 2);
    assert_eq!(OnTicketState::FetchTicket.to_string(), "fetch-ticket");
    assert_eq!("wait-for-1-hour".parse(), Ok(OnTicketState::WaitFor_1Hour));
    assert!("gone".parse::<OnTicketState>().is_err());
    let ids: Vec<_> = on_ticket::GRAPH.states().iter().map(|state| (state.id, state.line)).collect();
    assert_eq!(ids, [("fetch-ticket", 10), ("wait-for-1-hour", 12)]);
    assert_eq!(on_ticket::ID, "on-ticket");
}

fn main() {
    check();
}
