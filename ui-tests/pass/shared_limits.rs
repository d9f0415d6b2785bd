use indelible::prelude::*;
use indelible_ui_tests::TicketCreated;

#[workflow(concurrency(limit = 5, scope = "llm"))]
async fn triage(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(concurrency(limit = 100), concurrency(limit = 5, scope = "llm", hold = run))]
async fn summarise(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(concurrency(limit = 7, scope = "mail"))]
async fn answer(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

indelible::app! {
    HelpDesk = "help-desk";
    events: [TicketCreated],
    workflows: [triage, summarise, answer],
}

fn main() {}
