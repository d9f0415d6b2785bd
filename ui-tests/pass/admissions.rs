use indelible::prelude::*;
use indelible::workflow::Single;
use indelible_ui_tests::TicketCreated;

#[workflow(
    rate_limit(limit = 3, per = "1h", key = event.ticket / 10),
    singleton(mode = cancel),
    idempotency(key = event.ticket),
)]
async fn complete(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(singleton(key = event.ticket, mode = latest))]
async fn in_this_way(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(debounce(period = "1m", max = "1m"))]
async fn at_most_a_minute(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(debounce(period = "7 days"), throttle(limit = 3, per = "1h"))]
async fn for_long(_event: Received<TicketCreated>) -> Result<(), Failure> {
    Ok(())
}

#[workflow(debounce(period = "30s", key = event.ticket), concurrency(limit = 1, hold = run))]
async fn gathered(_events: Vec<TicketCreated>) -> Result<(), Failure> {
    Ok(())
}

#[workflow(idempotency(key = event.ticket, within = "366 days"))]
async fn once_in_a_year(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(singleton(key = event.ticket, mode = skip), concurrency(limit = 5))]
async fn one_each_and_five(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[derive(Triggers)]
enum OnTicket {
    Created(TicketCreated),
    Tick(Tick),
}

#[workflow(
    cron("0 9 * * *"),
    debounce(period = "30s", key = matches!(event, OnTicket::Created(_))),
)]
async fn with_events(ticket: OnTicket) -> Result<u32, Failure> {
    Ok(match ticket {
        OnTicket::Created(created) => created.ticket,
        OnTicket::Tick(_) => 0,
    })
}

#[workflow(cron("0 9 * * *"), singleton(mode = skip))]
async fn one_at_a_time(_tick: Tick) -> Result<(), Failure> {
    Ok(())
}

#[workflow(input, singleton(key = input, mode = latest))]
async fn by_the_input(_ticket: u32) -> Result<(), Failure> {
    Ok(())
}

fn main() {
    let singleton = in_this_way::CONFIG.flow.singleton.expect("it is one");
    assert_eq!(singleton.mode(), Single::Latest);
}
