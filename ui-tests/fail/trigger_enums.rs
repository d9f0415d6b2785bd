use indelible::prelude::*;
use indelible_ui_tests::{Ticket, TicketCreated};

#[derive(Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "ticket/closed")]
struct TicketClosed;

type Opened = TicketCreated;

#[derive(Triggers)]
enum NoEvent {
    Created(TicketCreated),
    Plain(Ticket),
}

#[derive(Triggers)]
enum Twice {
    Created(TicketCreated),
    Closed(TicketClosed),
    Opened(Received<Opened>),
}

#[derive(Triggers)]
enum OtherShapes {
    Created(TicketCreated),
    Nothing,
    Two(TicketCreated, TicketClosed),
    Named { closed: TicketClosed },
}

#[derive(Triggers)]
enum Generic<T> {
    Created(T),
}

#[derive(Triggers)]
enum Empty {}

#[derive(Triggers)]
struct Struct {
    created: TicketCreated,
}

#[derive(Triggers)]
#[triggers(name = "ticket")]
enum Argued {
    Created(TicketCreated),
}

#[workflow]
async fn on_generic(_event: Generic<TicketCreated>) -> Result<(), Failure> {
    Ok(())
}

#[workflow]
async fn on_struct(_event: Struct) -> Result<(), Failure> {
    Ok(())
}

fn main() {}
