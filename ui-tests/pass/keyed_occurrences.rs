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
    step.join_all(names.iter().map(|name| step.run("mail", desk.mail(name)).key(name))).await;
    step.join_all(names.iter().map(|name| tell(&step, &desk, name).key(name))).limit(2).await;
    let mut more = Vec::new();
    for name in names {
        let text = format!("dear {name}");
        more.push(step.run("mail-more", desk.mail(&text)).key(name));
    }
    let mut last = Vec::new();
    for name in names {
        let mail = step.run("mail-again", desk.mail(name)).key(name);
        last.push(mail);
    }
    step.join_all(more.into_iter().chain(last)).await;
    let notify = async |name| step.run("notify", desk.mail(name)).key(name).await;
    join!(notify("ann"), notify("mary"));
    // One after the other they are told apart by their order.
    for name in names {
        let mail = step.run("mail-last", desk.mail(name));
        mail.await?;
    }
    Ok(())
}

fn main() {}
