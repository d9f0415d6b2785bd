//! The macros where the crate goes by another name (`dur`), and the names of the standard library by
//! other meanings. That it compiles is the test.

use dur::{Event, step::Failure, step::Step, workflow};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

// What the macros write has to mean its own names, whatever these mean here.
mod hostile {
    pub struct Result;
    pub struct Option;
    pub struct Box;
    pub struct Vec;
    pub struct String;
    pub struct Duration;
    pub struct State;
    pub struct Workflow;
    pub struct Send;
    pub trait Clone {}
    pub trait Copy {}
    pub trait Debug {}
    pub fn durable() {}
    pub fn join() {}
    pub mod indelible {}
    pub mod core {}
    pub mod std {}
}
pub use hostile::*;

/// A customer opened a ticket.
#[derive(Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "ticket/created")]
pub struct TicketCreated {
    /// The ticket.
    pub ticket: u32,
}

async fn look_up(ticket: u32) -> ::core::result::Result<u32, ::std::io::Error> {
    ::core::result::Result::Ok(ticket)
}

/// Answers the ticket.
#[workflow(retries = 2, backoff(initial = "2s"))]
pub async fn on_ticket(event: TicketCreated, s: Step) -> ::core::result::Result<u32, Failure> {
    let step = s.run("look-up", look_up(event.ticket)).timeout("30s").await?;
    let context = s.run("look-again", async move { Ok(step) }).await?;
    join!(s.sleep("rest", "1s"), async { s.sleep("rest-more", "2s").await });
    Ok(context)
}

dur::app! {
    /// The desk.
    pub HelpDesk = "help-desk";
    events: [TicketCreated],
    workflows: [on_ticket],
}

#[cfg(test)]
mod tests {
    use dur::Workflow as _;

    use super::{OnTicketState, on_ticket};

    #[test]
    fn the_workflow_is_complete() {
        assert_eq!(on_ticket::GRAPH.states().len(), 4);
        assert_eq!(OnTicketState::LookUp.to_string(), "look-up");
    }
}
