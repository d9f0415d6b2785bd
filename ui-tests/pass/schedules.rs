use std::time::Duration;

use indelible::prelude::*;
use indelible::workflow::{CatchUp, Dst};
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

#[workflow(cron("*/10 30 2 L * *", tz = "Europe/Paris", dst = skip, jitter = "9s"))]
async fn close_the_books(_tick: Tick) -> Result<(), Failure> {
    Ok(())
}

#[workflow(cron("30 2 * * MON#1,FRIL", tz = "Europe/Paris", dst = both, jitter = "1 day"))]
async fn tidy_up(_tick: Tick) -> Result<(), Failure> {
    Ok(())
}

#[workflow(cron("@midnight", tz = "America/New_York", dst = once))]
async fn at_midnight(_tick: Tick) -> Result<(), Failure> {
    Ok(())
}

fn main() {
    let cron = close_the_books::CONFIG.cron.expect("it has a schedule");
    assert_eq!((cron.dst(), cron.jitter()), (Dst::Skip, Duration::from_secs(9)));
    assert_eq!(tidy_up::CONFIG.cron.map(|cron| cron.dst()), Some(Dst::Both));
    let cron = at_midnight::CONFIG.cron.expect("it has a schedule");
    assert_eq!((cron.expression(), cron.jitter()), ("0 0 * * *", Duration::ZERO));
    let cron = on_workdays::CONFIG.cron.expect("it has a schedule");
    assert_eq!((cron.zone(), cron.catch_up()), ("Europe/Paris", CatchUp::All));
    assert_eq!(take_stock::CONFIG.cron.map(|cron| cron.zone()), Some("UTC"));
}
