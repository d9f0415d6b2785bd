use indelible::prelude::*;
use indelible::race;
use indelible_ui_tests::{Desk, TicketCreated};

#[workflow]
async fn alone(_event: TicketCreated, step: Step) -> Result<(), Failure> {
    race! { () = step.sleep("rest", "1s") => Ok(()) }
}

#[workflow]
async fn without_branches(_event: TicketCreated, step: Step) -> Result<(), Failure> {
    race!(step.sleep("rest", "1s"), step.sleep("sleep", "2s"));
    step.sleep("wake", "3s").await;
    Ok(())
}

#[workflow]
async fn against_a_future(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    race! {
        () = step.sleep("rest", "1s") => Ok(()),
        _ = desk.ticket(event.ticket) => Ok(()),
    }
}

async fn elsewhere() {
    race! { () = async {} => (), () = async {} => () }
}

fn main() {}
