use indelible::prelude::*;
use indelible_ui_tests::TicketCreated;

#[workflow(concurrency(limit = 5.5, scope = "Big Model", hold = forever))]
async fn out_of_bounds(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(concurrency(size = 5), concurrency = 5, throttle(limit = 0, per = "400 days"))]
async fn misspelt(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(
    concurrency(limit = 5),
    concurrency(limit = 5, key = event.ticket),
    concurrency(limit = 5, key = event.ticket / 10)
)]
async fn three(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(
    concurrency(limit = 5, key = event.ticket),
    concurrency(limit = 7, key = event.ticket, hold = run)
)]
async fn of_one_key(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(
    concurrency(limit = 5, scope = "llm", key = event.ticket),
    concurrency(limit = 5, scope = "llm", key = event.ticket / 10)
)]
async fn of_one_scope(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

struct Desk;

impl Desk {
    fn of(_ticket: u32) -> Self {
        Self
    }
}

#[workflow(concurrency(limit = 5, key = Desk::of(event.ticket)))]
async fn by_no_value(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(throttle(limit = 5, per = "1m", key = event.priority))]
async fn by_no_field(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(input, throttle(limit = 5, per = "1m", key = event.ticket))]
async fn by_no_event(_ticket: u32) -> Result<(), Failure> {
    Ok(())
}

#[workflow(batch(max = 10, timeout = "5s"), concurrency(limit = 5, key = event.ticket))]
async fn by_one_of_many(_events: Vec<TicketCreated>) -> Result<(), Failure> {
    Ok(())
}

#[workflow(priority = 90_000)]
async fn too_far_ahead(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(priority = event.ticket > 7)]
async fn no_number(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(priority)]
async fn unsaid(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

fn main() {}
