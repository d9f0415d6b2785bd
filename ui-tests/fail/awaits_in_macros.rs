#![allow(unused_macros)]

use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

macro_rules! say {
    ($name:ident = %$value:expr) => {
        println!("{} {}", stringify!($name), $value)
    };
}

macro_rules! select {
    ($($branch:tt)*) => {};
}

macro_rules! table {
    ($($name:literal => $value:expr),*) => {
        [$(($name, $value)),*]
    };
}

#[workflow]
async fn on_ticket(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    say!(ticket = %desk.ticket(event.ticket).await?.subject);
    println!("{}", desk.ticket(event.ticket).await?.subject);
    debug_assert!(step.run("mail", desk.mail("hello")).await? > 0);
    debug_assert!({
        debug_assert!(step.run("mail-again", desk.mail("hello")).await? > 0);
        true
    });
    select! {
        _ = step.sleep("rest", "1s") => {}
        _ = step.sleep("rest-more", "2s") => {}
    }
    Ok(())
}

#[workflow]
async fn in_a_table(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    table!("mail" => step.run("mail", desk.mail("hello")).await?);
    table!("ticket" => step.run("ticket", desk.ticket(event.ticket)));
    Ok(())
}

fn main() {}
