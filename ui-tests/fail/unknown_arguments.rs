use indelible::prelude::*;
use indelible_ui_tests::TicketCreated;

#[workflow(retry = 2)]
async fn misspelt(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(colour = "red", retries = "two", id = 7)]
async fn several(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(backoff(first = "1s", max = "1 moon"), retries = 1, retries = 2)]
async fn nested(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(backoff(initial = "2h", max = "1h"))]
async fn contradictory(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(retries = 1_000_000)]
async fn endless(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(on_change = discard)]
async fn undecided(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(idempotency = event.ticket)]
async fn begun_once(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

fn main() {}
