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

#[workflow]
async fn of_a_function_of_a_type(event: TicketCreated, step: Step) -> Result<(), Failure> {
    Tools::tell(&step, event.ticket).await?;
    Ok(())
}

#[workflow]
async fn through_another_name(event: TicketCreated, step: Step) -> Result<(), Failure> {
    let tell = notify;
    tell(&step, event.ticket).await?;
    Ok(())
}

#[workflow]
async fn of_a_workflow(event: TicketCreated, step: Step) -> Result<(), Failure> {
    through_another_name(event, step).await
}

#[workflow]
async fn of_none(event: TicketCreated, step: Step) -> Result<(), Failure> {
    notfy(&step, event.ticket).await?;
    Ok(())
}

struct Tools;

impl Tools {
    async fn tell(_step: &Step, ticket: u32) -> Result<u32, Failure> {
        Ok(ticket)
    }
}

async fn ask(_step: &Step, desk: &Desk, ticket: u32) -> Result<(), Failure> {
    desk.ticket(ticket).await?;
    Ok(())
}

fn main() {}
