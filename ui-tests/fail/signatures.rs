use std::error::Error;
use std::time::Instant;

use indelible::prelude::*;
use indelible_ui_tests::TicketCreated;

#[workflow]
fn waits_for_nothing(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow]
async fn generic<E: Event>(_event: E) -> Result<(), Failure> {
    Ok(())
}

struct Owner;

impl Owner {
    #[workflow]
    async fn belongs_to_something(&self, _event: TicketCreated) -> Result<(), Failure> {
        Ok(())
    }
}

#[workflow]
async unsafe fn makes_promises(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow]
const async fn is_constant(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow]
async fn has_two_handles(_event: TicketCreated, step: Step, other: Step) -> Result<(), Failure> {
    step.sleep("rest", "1s").await;
    other.sleep("rest-again", "1s").await;
    Ok(())
}

#[workflow]
async fn gives_a_number(_event: TicketCreated) -> u32 {
    7
}

#[workflow]
async fn gives_nothing(_event: TicketCreated) {}

#[workflow]
async fn takes_a_number(_event: TicketCreated, _number: u32) -> Result<(), Failure> {
    Ok(())
}

#[workflow]
async fn borrows_its_event(event: &TicketCreated) -> Result<(), Failure> {
    println!("{}", event.ticket);
    Ok(())
}

#[workflow]
async fn takes_some_event(_event: impl Event) -> Result<(), Failure> {
    Ok(())
}

#[workflow]
async fn gives_something(_event: TicketCreated) -> Result<impl Serialize, Failure> {
    Ok(7)
}

#[workflow]
async fn gives_an_option(_event: TicketCreated) -> Option<u32> {
    Some(7)
}

#[workflow]
async fn fails_with_anything(_event: TicketCreated) -> Result<(), Box<dyn Error>> {
    Ok(())
}

struct NoError;

#[workflow]
async fn fails_with_no_error(_event: TicketCreated) -> Result<(), NoError> {
    Ok(())
}

#[workflow(input)]
async fn takes_an_instant(_input: Instant) -> Result<(), Failure> {
    Ok(())
}

#[workflow]
#[workflow(input)]
async fn is_one_twice(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow]
#[durable]
async fn is_a_helper_too(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow]
#[carried(total)]
async fn is_no_loop(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow]
struct NoFunction;

#[workflow]
async fn gives_what_it_borrows(_event: TicketCreated, step: Step) -> Result<&str, Failure> {
    step.sleep("rest", "1s").await;
    Ok("rested")
}

fn main() {}
