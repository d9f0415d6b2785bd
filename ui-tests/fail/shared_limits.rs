use indelible::prelude::*;
use indelible_ui_tests::TicketCreated;

#[workflow(concurrency(limit = 5, scope = "llm"))]
async fn triage(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(concurrency(limit = 100), concurrency(limit = 10, scope = "llm"))]
async fn summarise(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

indelible::app! {
    HelpDesk = "help-desk";
    events: [TicketCreated],
    workflows: [triage, summarise],
}

fn main() {}
