use indelible::prelude::*;
use indelible_ui_tests::TicketCreated;

#[derive(Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "ticket/closed")]
struct TicketClosed {
    ticket: u32,
}

#[derive(Triggers)]
enum OnTicket {
    Created(TicketCreated),
    Closed(Received<TicketClosed>),
}

#[workflow]
async fn on_ticket(ticket: OnTicket, step: Step) -> Result<u32, Failure> {
    let number = match ticket {
        OnTicket::Created(created) => created.ticket,
        OnTicket::Closed(closed) => closed.data.ticket,
    };
    step.sleep("rest", "1s").await;
    Ok(number)
}

indelible::app! {
    HelpDesk = "help-desk";
    events: [TicketCreated, TicketClosed],
    workflows: [on_ticket],
}

fn main() {
    // A name that a workflow has is a pattern.
    #[workflow]
    async fn name(_ticket: OnTicket) -> Result<(), Failure> {
        Ok(())
    }
    assert_eq!(name::ID, "name");
}
