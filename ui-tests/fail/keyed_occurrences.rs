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
    let mut last = Vec::new();
    for name in names {
        let mail = step.run("mail-last", desk.mail(name));
        last.push(mail);
    }
    step.join_all(more.into_iter().chain(last)).await;
    let notify = async |name| step.run("notify", desk.mail(name)).await;
    join!(notify("ann"), notify("mary"));
    Ok(())
}

fn main() {}
