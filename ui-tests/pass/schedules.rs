use indelible::prelude::*;
use indelible::workflow::CatchUp;
use indelible_ui_tests::TicketCreated;

#[workflow(cron("0 9 * * 1-5", tz = "Europe/Paris", catch_up = all))]
async fn on_workdays(tick: Tick, step: Step) -> Result<(), Failure> {
    step.sleep_until("rest", tick.scheduled_at).await;
    Ok(())
}

#[derive(Triggers)]
enum Stocktaking {
    Asked(TicketCreated),
    Nightly(Tick),
}

#[workflow(cron("*/15 0-5 * JAN,JUL SUN"))]
async fn take_stock(taking: Stocktaking) -> Result<u32, Failure> {
    match taking {
        Stocktaking::Asked(asked) => Ok(asked.ticket),
        Stocktaking::Nightly(_tick) => Ok(0),
    }
}

fn main() {
    let cron = on_workdays::CONFIG.cron.expect("it has a schedule");
    assert_eq!((cron.zone(), cron.catch_up()), ("Europe/Paris", CatchUp::All));
    assert_eq!(take_stock::CONFIG.cron.map(|cron| cron.zone()), Some("UTC"));
}
