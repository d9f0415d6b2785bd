use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

#[workflow]
async fn on_ticket(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    step.run("fetch-ticket", desk.ticket(event.ticket)).retries(3).await?;
    let rest = step.sleep("rest", "1s");
    let mail = step.run("send-mail", desk.mail("hello"));
    let ((), mailed) = join!(rest, mail);
    mailed?;
    Ok(())
}

fn mark(step: &Step, name: &str) {
    step.attribute("name", name);
}

fn marked<'n>(step: &Step, name: &'n str) -> &'n str {
    mark(step, name);
    name
}

#[durable]
async fn notify(step: &Step, name: u32) -> Result<u32, Failure> {
    mark(step, "notified");
    Ok(step.run("notify", async move { Ok(name) }).await?)
}

#[workflow]
async fn other_functions_that_are_given_the_handle(
    event: TicketCreated,
    step: Step,
) -> Result<(), Failure> {
    mark(&step, "begun");
    let _ = marked(&step, &event.ticket.to_string());
    #[workflow(allow(used_outcomes, reason = "only its name is wanted"))]
    let _ = notify(&step, 1);
    let later = notify(&step, 2);
    later.await?;
    Ok(())
}

fn main() {}
