use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

#[durable]
async fn adds_up(a: u32, b: u32) -> u32 {
    a + b
}

#[durable(retries = 2)]
async fn counts_down(step: &Step, from: u32) -> Result<(), StepError> {
    if from > 0 {
        counts_down(step, from - 1).await?;
    }
    Ok(())
}

struct Mailer;

impl Mailer {
    #[durable]
    async fn sends_itself(&self, step: &Step) -> Result<(), Failure> {
        step.sleep("rest", "1s").await;
        Ok(())
    }
}

#[durable]
fn waits_for_nothing(step: &Step) {
    step.sleep("rest", "1s").await;
}

#[durable]
async extern "C" fn speaks_c(step: &Step) {
    step.sleep("rest", "1s").await;
}

#[durable]
async fn has_two_handles(step: &Step, other: &Step) {
    step.sleep("rest", "1s").await;
    other.sleep("rest-again", "1s").await;
}

#[durable]
struct NoFunction;

async fn undurable(step: &Step, desk: &Desk) -> Result<(), Failure> {
    desk.mail("hello").await?;
    let _ = step.now();
    Ok(())
}

#[workflow]
async fn on_ticket(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    let ticket = step.run("fetch-ticket", desk.ticket(event.ticket)).await?;
    undurable(&step, &desk).await?;
    Mailer.sends_itself(&step).await?;
    println!("{}", ticket.subject);
    Ok(())
}

fn main() {}
