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

fn main() {}
