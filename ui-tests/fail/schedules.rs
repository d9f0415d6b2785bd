use indelible::prelude::*;
use indelible_ui_tests::TicketCreated;

#[workflow(cron("0 25 * * *"))]
async fn at_no_hour(_tick: Tick) -> Result<(), Failure> {
    Ok(())
}

#[workflow(cron("0 9 * *", tz = "Europe/Pari", catch_up = some))]
async fn several_mistakes(_tick: Tick) -> Result<(), Failure> {
    Ok(())
}

#[workflow(cron("0 0 30 2 *"))]
async fn never(_tick: Tick) -> Result<(), Failure> {
    Ok(())
}

#[workflow(cron("0 0 31 APR,JUN,SEP,NOV *"))]
async fn never_in_short_months(_tick: Tick) -> Result<(), Failure> {
    Ok(())
}

#[workflow(cron("60 0 9 * * *"))]
async fn at_no_second(_tick: Tick) -> Result<(), Failure> {
    Ok(())
}

#[workflow(cron("0 9 * * FRI#6"))]
async fn on_no_friday(_tick: Tick) -> Result<(), Failure> {
    Ok(())
}

#[workflow(cron("@dayly"))]
async fn by_no_nickname(_tick: Tick) -> Result<(), Failure> {
    Ok(())
}

#[workflow(cron("@reboot"))]
async fn at_each_start(_tick: Tick) -> Result<(), Failure> {
    Ok(())
}

#[workflow(cron("30 2 * * *", tz = "Europe/Paris", dst = twice))]
async fn with_no_policy(_tick: Tick) -> Result<(), Failure> {
    Ok(())
}

#[workflow(cron("30 2 * * *", dst = skip))]
async fn without_daylight_saving(_tick: Tick) -> Result<(), Failure> {
    Ok(())
}

#[workflow(cron("*/15 * * * *", tz = "Europe/Paris", dst = both))]
async fn in_every_hour(_tick: Tick) -> Result<(), Failure> {
    Ok(())
}

#[workflow(cron("*/5 * * * *", jitter = "5m"))]
async fn with_a_long_jitter(_tick: Tick) -> Result<(), Failure> {
    Ok(())
}

#[workflow(cron("0 9 * * *", jitter = "soon"))]
async fn with_no_jitter(_tick: Tick) -> Result<(), Failure> {
    Ok(())
}

#[workflow(cron("0 9 * * *", jitter = 30))]
async fn with_a_number(_tick: Tick) -> Result<(), Failure> {
    Ok(())
}

#[workflow(cron = "0 9 * * *")]
async fn in_another_form(_tick: Tick) -> Result<(), Failure> {
    Ok(())
}

#[workflow(cron(tz = "Europe/Paris"))]
async fn without_an_expression(_tick: Tick) -> Result<(), Failure> {
    Ok(())
}

#[workflow(cron("0 9 * * *", zone = "Europe/Paris"), cron("0 10 * * *"))]
async fn twice(_tick: Tick) -> Result<(), Failure> {
    Ok(())
}

#[workflow(cron("0 9 * * *"))]
async fn without_a_tick(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow]
async fn without_a_schedule(_tick: Tick) -> Result<(), Failure> {
    Ok(())
}

#[workflow(input, cron("0 9 * * *"))]
async fn only_direct(_day: u32) -> Result<(), Failure> {
    Ok(())
}

fn main() {}
