use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

#[workflow]
async fn on_ticket(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    join!();
    step.join_all([desk.ticket(event.ticket)]).await;
    join!(step.sleep("rest", "1s"), desk.ticket(event.ticket));
    join!(
        step.sleep("a", "1s"), step.sleep("b", "1s"), step.sleep("c", "1s"), step.sleep("d", "1s"),
        step.sleep("e", "1s"), step.sleep("f", "1s"), step.sleep("g", "1s"), step.sleep("h", "1s"),
        step.sleep("i", "1s"), step.sleep("j", "1s"), step.sleep("k", "1s"), step.sleep("l", "1s"),
        step.sleep("m", "1s"),
    );
    Ok(())
}

#[workflow]
async fn awaits_by_itself(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    let (ticket, ()) = join!(
        step.run("fetch-ticket", desk.ticket(event.ticket)).await?,
        step.sleep("rest", "1s"),
    );
    let (sent, again) = try_join!(
        step.run("send", desk.mail(&ticket.subject)).await,
        step.run("send-again", desk.mail(&ticket.subject)),
    )?;
    step.run("send-all", desk.mail(&format!("{sent} {again}"))).await?;
    Ok(())
}

#[workflow]
async fn awaits_twice(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    let (ticket, sent) = join!(
        step.run("fetch-ticket", desk.ticket(event.ticket)),
        step.run("send", desk.mail("hello")),
    )
    .await;
    println!("{} {}", ticket?.subject, sent?);
    Ok(())
}

#[workflow]
async fn joins_lists(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    let tickets = [event.ticket, 2];
    join!(tickets.iter().map(|id| step.run("fetch", desk.ticket(*id)).key(id)));
    try_join!([step.run("one", desk.ticket(1)), step.run("other", desk.ticket(2))], async {
        step.sleep("rest", "1s").await;
        Ok::<(), Failure>(())
    });
    Ok(())
}

mod future {
    pub async fn join_all<F: Future>(all: impl IntoIterator<Item = F>) -> Vec<F::Output> {
        let mut outcomes = Vec::new();
        for each in all {
            outcomes.push(each.await);
        }
        outcomes
    }
}

#[workflow]
async fn joins_futures(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    let steps = [event.ticket, 2].map(|id| step.run("fetch", desk.ticket(id)).key(id));
    future::join_all(steps).await;
    Ok(())
}

fn main() {}
