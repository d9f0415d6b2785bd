use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

macro_rules! say {
    ($name:ident = %$value:expr) => {
        println!("{} {}", stringify!($name), $value)
    };
}

macro_rules! select {
    ($operation:expr) => {
        $operation.await
    };
}

#[workflow]
async fn on_ticket(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    let ticket = step.run("fetch-ticket", desk.ticket(event.ticket)).await?;
    say!(ticket = %ticket.subject);
    println!("{}", step.run("fetch-again", desk.ticket(event.ticket)).await?.subject);
    assert!(step.run("mail", desk.mail("hello")).await? > 0, "{}", ticket.subject);
    let mailed = step.run("mail-more", desk.mail("hello")).await?;
    debug_assert!(mailed > 0);
    // What a step does is awaited as written.
    step.run("check", async {
        debug_assert!(desk.mail("hello").await? > 0);
        say!(ticket = %desk.ticket(event.ticket).await?.subject);
        Ok(select!(desk.ticket(event.ticket))?)
    })
    .await?;
    race! {
        () = step.sleep("rest", "1s") => {},
        () = step.sleep("rest-more", "2s") => {}
    }
    Ok(())
}

fn main() {}
