use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

#[durable]
async fn tell(step: &Step, desk: &Desk, name: &str) -> Result<usize, StepError> {
    step.run("mail", desk.mail(name)).await
}

#[workflow]
async fn mails(
    _event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    let names = ["ann", "mary"];
    step.join_all(names.iter().map(|name| step.run("mail", desk.mail(name)))).await;
    step.join_all(names.iter().map(|name| tell(&step, &desk, name))).await;
    let mut more = Vec::new();
    for name in names {
        more.push(step.run("mail-more", desk.mail(name)));
    }
    step.join_all(more).await;
    Ok(())
}

fn main() {}
