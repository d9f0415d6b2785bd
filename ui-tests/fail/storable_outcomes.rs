use indelible::prelude::*;
use indelible_ui_tests::TicketCreated;

struct Connection;

async fn connect() -> Result<Connection, std::io::Error> {
    Ok(Connection)
}

async fn borrow(text: &str) -> Result<&str, std::io::Error> {
    Ok(text)
}

#[workflow]
async fn on_ticket(_event: TicketCreated, step: Step) -> Result<(), Failure> {
    let text = String::new();
    step.run("connect", connect()).await?;
    step.run("borrow", borrow(&text)).await?;
    Ok(())
}

#[workflow]
async fn gives_a_connection(_event: TicketCreated) -> Result<Connection, Failure> {
    Ok(Connection)
}

#[workflow]
async fn gives_a_time(_event: TicketCreated) -> Result<std::time::Instant, Failure> {
    Err(Failure::msg("none"))
}

async fn count(tickets: u32) -> Option<u32> {
    tickets.checked_sub(1)
}

#[workflow]
async fn no_result(event: TicketCreated, step: Step) -> Result<(), Failure> {
    let left = step.run("count", count(event.ticket)).await?;
    println!("{left:?}");
    Ok(())
}

fn main() {}
