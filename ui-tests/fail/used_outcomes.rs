use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

#[workflow]
async fn on_ticket(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    step.run("fetch-ticket", desk.ticket(event.ticket)).retries(3);
    let _ = step.sleep("rest", "1s");
    let mail = step.run("send-mail", desk.mail("hello"));
    _ = step.sleep("rest-more", "1s");
    drop(step.run("dropped", desk.mail("hello")));
    let shadowed = step.run("shadowed", desk.mail("hello"));
    let shadowed = step.run("shadowing", desk.mail("hello"));
    shadowed.await?;
    if event.ticket > 1 { step.sleep("one", "1s") } else { step.sleep("other", "1s") };
    let (block, closure) = (1, async |name| step.run("called", desk.mail(name)).await);
    closure("ann").await?;
    let called = closure("mary");
    {
        let block = async { step.sleep("block", "1s").await };
    }
    drop(block);
    Ok(())
}

#[durable]
async fn notify(step: &Step, name: u32) -> Result<u32, Failure> {
    Ok(step.run("notify", async move { Ok(name) }).await?)
}

#[workflow]
async fn helpers(event: TicketCreated, step: Step) -> Result<(), Failure> {
    notify(&step, 1);
    let _ = notify(&step, 2).key(2);
    let unused = notify(&step, 3);
    if event.ticket > 1 { notify(&step, 4) } else { notify(&step, 5) };
    Ok(())
}

#[workflow]
async fn for_each(_event: TicketCreated, step: Step) -> Result<(), Failure> {
    [1, 2].iter().for_each(|n| {
        step.run("count", async move { Ok(*n) });
    });
    Ok(())
}

#[workflow]
async fn awaited_otherwise(event: TicketCreated, step: Step) -> Result<(), Failure> {
    let id = step.uuid("id").await;
    let at = step.now().await;
    let _trace = step.trace_context().await;
    step.attribute("at", at).await;
    let ticket = Box::pin(step.run("count", async move { Ok(event.ticket) }).retries(2)).await?;
    step.run("count-more", async move { Ok((ticket, id)) }).await?;
    Box::pin(notify(&step, ticket)).await?;
    Ok(())
}

#[workflow]
async fn asked_before_it_is_awaited(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    let ticket = step.run("fetch-ticket", desk.ticket(event.ticket))?;
    println!("{}", ticket.subject);
    let count = notify(&step, event.ticket)?;
    println!("{}", count + 1);
    Ok(())
}

#[workflow]
async fn joined_for_nothing(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    let tickets = [event.ticket, 2];
    step.join_all(tickets.iter().map(|id| step.run("fetch", desk.ticket(*id)).key(id)));
    let _ = step.join_all(tickets.map(|id| step.run("again", desk.ticket(id)).key(id)));
    step.run("keyed", desk.ticket(1)).key(1);
    Ok(())
}

fn main() {}
