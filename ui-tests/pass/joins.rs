use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

#[workflow]
async fn on_ticket(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    let (ticket, mail) = try_join!(
        step.run("fetch-ticket", desk.ticket(event.ticket)),
        step.run("send-mail", desk.mail("hello")),
    )?;
    join!(step.sleep("rest", "1s"), async {
        if ticket.subject.len() > mail {
            step.sleep("rest-more", "1s").await;
        }
    });
    Ok(())
}

#[durable]
async fn send(step: &Step, desk: &Desk, text: &str) -> Result<usize, StepError> {
    step.run("send", desk.mail(text)).await
}

#[workflow]
async fn one_for_each(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<usize, Failure> {
    let tickets = vec![event.ticket, 2];
    let fetch = async |id: &u32| step.run("fetch", desk.ticket(*id)).key(id).await;
    let fetched = step.join_all(tickets.iter().map(fetch)).await;
    let owned = tickets.clone().into_iter().map(async |id: u32| {
        let ticket = step.run("fetch-again", desk.ticket(id)).key(id).await?;
        send(&step, &desk, &ticket.subject).key(id).await
    });
    Ok(fetched.len() + step.join_all(owned).await.len())
}

fn main() {}
