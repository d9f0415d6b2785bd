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

#[workflow]
async fn through_closures(
    _event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    let names = ["ann", "mary"];
    let side_by_side = |name| step.run("side-by-side", desk.mail(name));
    join!(side_by_side("ann"), side_by_side("mary"));
    let for_each = |name| step.run("for-each", desk.mail(name));
    step.join_all(names.into_iter().map(for_each)).await;
    let in_a_block = |name| {
        let (step, desk) = (&step, &desk);
        async move { step.run("in-a-block", desk.mail(name)).await }
    };
    step.join_all(names.into_iter().map(in_a_block)).await;
    let held = |name| step.run("held", desk.mail(name));
    let (first, second) = (held("ann"), held("mary"));
    join!(first, second);
    let named = async |name| step.run("named", desk.mail(name)).await;
    let first = named("ann");
    let second = named("mary");
    join!(first, second);
    let awaited = async |name| step.run("awaited", desk.mail(name)).await;
    join!(async { awaited("ann").await }, async { awaited("mary").await });
    let inner = async |name| step.run("inner", desk.mail(name)).await;
    let outer = async |name| inner(name).await;
    join!(outer("ann"), outer("mary"));
    let helped = |name| tell(&step, &desk, name);
    join!(helped("ann"), helped("mary"));
    let mut later = Vec::new();
    let gathered = async |name| step.run("gathered", desk.mail(name)).await;
    for name in names {
        let mail = gathered(name);
        later.push(mail);
    }
    step.join_all(later).await;
    let mut blocks = Vec::new();
    for name in names {
        let (step, desk) = (&step, &desk);
        let block = async move { step.run("block", desk.mail(name)).await };
        blocks.push(block);
    }
    step.join_all(blocks).await;
    Ok(())
}

fn main() {}
