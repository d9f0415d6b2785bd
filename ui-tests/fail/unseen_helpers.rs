use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

#[durable]
async fn notify(step: &Step, ticket: u32) -> Result<u32, Failure> {
    Ok(step.run("count", async move { Ok(ticket) }).await?)
}

#[workflow]
async fn through_a_copy(event: TicketCreated, step: Step) -> Result<(), Failure> {
    let copies = [&step];
    notify(copies[0], event.ticket).await?;
    Ok(())
}

#[workflow]
async fn through_a_collection(event: TicketCreated, step: Step) -> Result<(), Failure> {
    let mut calls = Vec::new();
    calls.push(notify(&step, event.ticket));
    step.join_all(calls).await;
    Ok(())
}

#[workflow]
async fn of_a_function_that_is_none(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    ask(&step, &desk, event.ticket).await?;
    Ok(())
}

async fn ask(_step: &Step, desk: &Desk, ticket: u32) -> Result<(), Failure> {
    desk.ticket(ticket).await?;
    Ok(())
}

fn main() {}
