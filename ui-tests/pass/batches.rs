use indelible::prelude::*;
use indelible_ui_tests::TicketCreated;

#[workflow(batch(max = 100, timeout = "5s", key = event.ticket / 10))]
async fn by_tens(events: Vec<TicketCreated>, step: Step) -> Result<usize, Failure> {
    step.sleep("rest", "1s").await;
    Ok(events.len())
}

#[workflow(batch(max = 1_000, timeout = "1h"), on(TicketCreated, if = event.ticket > 7))]
async fn all_together(events: Vec<TicketCreated>) -> Result<usize, Failure> {
    Ok(events.len())
}

fn main() {
    assert_eq!(by_tens::CONFIG.flow.batch.map(|batch| batch.max()), Some(100));
    assert!(all_together::CONFIG.flow.batch.is_some());
}
