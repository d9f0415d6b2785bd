use indelible::prelude::*;
use indelible_ui_tests::TicketCreated;

#[workflow(rate_limit(limit = 3), singleton(), idempotency())]
async fn incomplete(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(singleton(key = event.ticket, mode = queue))]
async fn in_another_way(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(debounce(period = "1m", max = "30s"))]
async fn over_before_it_begins(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(debounce(max = "1h"))]
async fn for_how_long(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(debounce(period = "8 days"))]
async fn for_too_long(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(batch(max = 10, timeout = "5s"), debounce(period = "30s"))]
async fn gathered_twice(_events: Vec<TicketCreated>) -> Result<(), Failure> {
    Ok(())
}

#[workflow(batch(max = 10, timeout = "5s"), rate_limit(limit = 3, per = "1h"), singleton(mode = skip))]
async fn of_no_single_event(_events: Vec<TicketCreated>) -> Result<(), Failure> {
    Ok(())
}

#[workflow(debounce(period = "30s"), idempotency(key = event.ticket))]
async fn of_which_event(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(singleton(key = event.ticket, mode = skip), concurrency(limit = 5, key = event.ticket))]
async fn one_and_five(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(input, rate_limit(limit = 3, per = "1h"))]
async fn only_direct(_ticket: u32) -> Result<(), Failure> {
    Ok(())
}

#[workflow(cron("0 9 * * *"), debounce(period = "30s"))]
async fn without_events(_tick: Tick) -> Result<(), Failure> {
    Ok(())
}

#[workflow(debounce(period = "30s", key = events.len()))]
async fn by_all_of_them(_events: Vec<TicketCreated>) -> Result<(), Failure> {
    Ok(())
}

fn main() {}
