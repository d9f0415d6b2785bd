use indelible::prelude::*;
use indelible_ui_tests::TicketCreated;

#[workflow(concurrency(limit = 5, scope = "big-model", hold = run))]
async fn within_bounds(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(concurrency(limit = 0), throttle(limit = 1, per = "366 days"))]
async fn spelt(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(
    concurrency(limit = 5, key = event.ticket, scope = workflow, hold = active),
    concurrency(limit = 7, key = event.ticket / 10, hold = run)
)]
async fn of_two_keys(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(
    concurrency(limit = 5, scope = app, key = event.ticket),
    concurrency(limit = 5, scope = "llm", key = event.ticket)
)]
async fn of_two_scopes(_event: Received<TicketCreated>) -> Result<(), Failure> {
    Ok(())
}

#[derive(Serialize)]
struct Desk(u32);

#[workflow(concurrency(limit = 5, key = Desk(event.ticket)))]
async fn by_a_value(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(throttle(limit = 5, per = "1m", burst = 3, key = (event.ticket > 7).then_some("vip")))]
async fn by_some_tickets(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(input, throttle(limit = 5, per = "1m", key = input))]
async fn by_the_input(_ticket: u32) -> Result<(), Failure> {
    Ok(())
}

#[workflow(
    batch(max = 10, timeout = "5s", key = event.ticket),
    concurrency(limit = 5, key = events.iter().map(|event| event.ticket).max()),
    priority = i64::try_from(events.len()).unwrap_or(0),
)]
async fn by_many(_events: Vec<TicketCreated>) -> Result<(), Failure> {
    Ok(())
}

#[workflow(cron("0 9 * * *"), concurrency(limit = 1, key = tick.scheduled_at))]
async fn by_the_tick(_tick: Tick) -> Result<(), Failure> {
    Ok(())
}

#[derive(Triggers)]
enum OnTicket {
    Created(TicketCreated),
    Tick(Tick),
}

#[workflow(
    cron("0 9 * * *"),
    concurrency(limit = 1, key = matches!(event, OnTicket::Created(_))),
    priority = -43_200,
)]
async fn by_which_it_is(event: OnTicket) -> Result<u32, Failure> {
    Ok(match event {
        OnTicket::Created(created) => created.ticket,
        OnTicket::Tick(_) => 0,
    })
}

#[workflow(priority = if event.ticket > 7 { 43_200 } else { 0 })]
async fn ahead(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

indelible::app! {
    App = "app";
    events: [TicketCreated],
    workflows: [within_bounds, spelt, of_two_keys, of_two_scopes],
}

fn main() {
    assert_eq!(within_bounds::CONFIG.flow.concurrency[0].map(|slots| slots.limit()), Some(5));
}
