use std::collections::{BTreeSet, HashSet};

use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

#[workflow]
async fn on_ticket(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    let began = step.now();
    let id = step.uuid("mail-id");
    let trace = step.trace_context();
    step.run("trace", async { Ok(trace == step.trace_context()) }).await?;
    let home = step.run("read-home", async { std::env::var("HOME") }).await?;
    let mut recipients = BTreeSet::new();
    recipients.insert(event.ticket);
    for recipient in &recipients {
        let text = format!("{home} {id} {recipient} {:?}", step.now());
        step.run("send-mail", desk.mail(&text)).await?;
    }
    let unordered: HashSet<u32> = recipients.into_iter().collect();
    let mut listed = unordered.iter().collect::<Vec<_>>();
    listed.sort();
    #[workflow(allow(determinism, reason = "a shift is not the clock's"))]
    let shift = Shift::now();
    println!("{began:?} {listed:?} {shift}");
    let most = unordered.iter().max();
    let total = unordered.iter().sum::<u32>();
    let mut all = Vec::from_iter(&unordered);
    all.extend(most);
    all.sort();
    let is_late = matches!(most, Some(ticket) if *ticket > total);
    let total: BTreeSet<_> = unordered.iter().map(|ticket| (ticket, is_late)).collect();
    for unordered in [all] {
        let text = format!("{unordered:?} {total:?}");
        step.run("send-all", desk.mail(&text)).await?;
    }
    let again = step.clone();
    let heads = random(&again);
    println!("{heads}");
    step.sleep("rest", "1s").await;
    Ok(())
}

fn random(step: &Step) -> bool {
    step.now().as_second() % 2 == 0
}

struct Shift;

impl Shift {
    fn now() -> u32 {
        3
    }
}

fn main() {}
