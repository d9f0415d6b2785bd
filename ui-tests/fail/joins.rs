use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

#[workflow]
async fn on_ticket(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    join!();
    step.join_all([desk.ticket(event.ticket)]).await;
    join!(step.sleep("rest", "1s"), desk.ticket(event.ticket));
    join!(
        step.sleep("a", "1s"), step.sleep("b", "1s"), step.sleep("c", "1s"), step.sleep("d", "1s"),
        step.sleep("e", "1s"), step.sleep("f", "1s"), step.sleep("g", "1s"), step.sleep("h", "1s"),
        step.sleep("i", "1s"), step.sleep("j", "1s"), step.sleep("k", "1s"), step.sleep("l", "1s"),
        step.sleep("m", "1s"),
    );
    Ok(())
}

fn main() {}
