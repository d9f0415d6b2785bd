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

#[workflow]
async fn through_closures(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    let names = ["ann", "mary"];
    let made = |name| step.run("made", desk.mail(name));
    join!(made("ann").key("ann"), made("mary").key("mary"));
    step.join_all(names.into_iter().map(|name| {
        let mail = step.run("bound", desk.mail(name));
        mail.key(name)
    }))
    .await;
    let mut calls = Vec::new();
    for name in names {
        let call = tell(&step, &desk, name).key(name);
        calls.push(call);
    }
    calls.push(tell(&step, &desk, "fred").key("fred"));
    step.join_all(calls).await;
    let helped = |name| tell(&step, &desk, name).key(name);
    join!(helped("ann"), helped("mary"));
    for name in names {
        let (one, other) = (step.run("one", desk.mail(name)), step.run("other", desk.mail(name)));
        join!(one, other);
        let both = [step.run("both", desk.mail(name)), step.run("both-again", desk.mail(name))];
        step.join_all(both).await;
    }
    // No two of one id are in progress at the same time.
    let alone = async |name| step.run("alone", desk.mail(name)).await;
    try_join!(alone("ann"), step.run("beside", desk.mail("mary")))?;
    alone("mary").await?;
    let call = alone("fred");
    call.await?;
    let outer = async |name| alone(name).await;
    outer("ann").await?;
    let alone = async |ticket: u32| step.run("of-the-same-name", desk.ticket(ticket)).await;
    if event.ticket > 1 {
        let alone = |name: &str| name.len();
        assert_eq!(alone("ann") + alone("mary"), 7);
    }
    alone(1).await?;
    let again = &alone;
    again(2).await?;
    Ok(())
}

fn main() {}
