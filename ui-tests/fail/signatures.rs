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
struct NoFunction;

fn main() {}
