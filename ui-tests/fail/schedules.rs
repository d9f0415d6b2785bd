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
