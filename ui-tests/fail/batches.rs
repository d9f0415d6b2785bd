use indelible::prelude::*;
use indelible_ui_tests::TicketCreated;

#[workflow(batch(max = 100, timeout = "5s"))]
async fn without_a_list(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(batch(max = 100, timeout = "5s", key = event.ticket))]
async fn without_a_list_by_key(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow]
async fn without_batches(_events: Vec<TicketCreated>) -> Result<(), Failure> {
    Ok(())
}

#[workflow(batch(max = 1, timeout = "0s"))]
async fn of_one(_events: Vec<TicketCreated>) -> Result<(), Failure> {
    Ok(())
}

#[workflow(batch(max = 100_000, timeout = "soon"))]
async fn of_too_many(_events: Vec<TicketCreated>) -> Result<(), Failure> {
    Ok(())
}

#[workflow(batch(size = 100))]
async fn misspelt(_events: Vec<TicketCreated>) -> Result<(), Failure> {
    Ok(())
}

#[workflow(batch(max = 100, timeout = "5s", key = events.len()))]
async fn by_what_is_not_there_yet(events: Vec<TicketCreated>) -> Result<usize, Failure> {
    Ok(events.len())
}

#[workflow(batch(max = 100, timeout = "5s", key = event.priority))]
async fn by_no_field(_events: Vec<TicketCreated>) -> Result<(), Failure> {
    Ok(())
}

#[workflow(batch = 100)]
async fn in_another_form(_events: Vec<TicketCreated>) -> Result<(), Failure> {
    Ok(())
}

#[workflow(input, batch(max = 100, timeout = "5s"))]
async fn only_direct(_numbers: Vec<u32>) -> Result<(), Failure> {
    Ok(())
}

fn main() {}
