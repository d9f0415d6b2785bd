use indelible::prelude::*;
use indelible_ui_tests::TicketCreated;

#[workflow(id = "triage", retries = 2, backoff(initial = "1s", max = "1h"))]
async fn on_ticket(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(on_change = pin)]
async fn pinned(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(on_change = resume)]
async fn resumed(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

fn main() {}
