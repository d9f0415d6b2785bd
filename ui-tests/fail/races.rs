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
async fn half_typed(_event: TicketCreated, step: Step) -> Result<(), Failure> {
    let rested = race! { () = step.sleep("rest", "1s") => true, () = step.sleep("sleep", "2s") };
    let slept = race! { () = step.sleep("doze", "1s") => true, woken = step. };
    Ok(())
}

#[workflow]
async fn as_in_select(event: TicketCreated, step: Step) -> Result<(), Failure> {
    race! {
        biased;
        () = step.sleep("rest", "1s") => Ok(()),
        () = step.sleep("sleep", "2s") => Ok(()),
    };
    race! {
        () = step.sleep("doze", "1s") if event.ticket > 1 => Ok(()),
        () = step.sleep("wake", "2s") => Ok(()),
    }
}

#[workflow]
async fn gives_nothing_alone(_event: TicketCreated, step: Step) -> Result<(), Failure> {
    let _now = race! { () = step.sleep("rest", "1s") => step.now() };
    let _nothing = race!();
    Ok(())
}

#[workflow]
async fn awaits_by_itself(_event: TicketCreated, step: Step) -> Result<(), Failure> {
    let rested = race! {
        () = step.sleep("rest", "1s").await => true,
        () = step.sleep("sleep", "2s") => false,
    };
    println!("{rested}");
    Ok(())
}

#[workflow]
async fn covers_some(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    race! {
        () = step.sleep("rest", "1s") => Ok(()),
        Ok(_) = step.run("fetch-ticket", desk.ticket(event.ticket)) => Ok(()),
    }
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
