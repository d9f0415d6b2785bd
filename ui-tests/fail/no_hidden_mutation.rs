use std::fmt::Write as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

#[workflow]
async fn on_ticket(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    let mut sent = 0;
    let mut log = Vec::new();
    step.run("send-mail", async {
        sent += desk.mail("hello").await?;
        Ok(())
    })
    .await?;
    step.run("log", async {
        let log = &mut log;
        log.push(event.ticket);
        Ok(())
    })
    .await?;
    Ok(())
}

#[workflow]
async fn changes_by_other_means(event: TicketCreated, step: Step) -> Result<(), Failure> {
    let mut seen = Vec::new();
    let mut text = String::new();
    let (mut first, mut last) = (Some(1), None);
    step.run("push", async {
        seen.push(event.ticket);
        Ok(())
    })
    .await?;
    step.run("write", async {
        writeln!(text, "hello")?;
        Ok(())
    })
    .await?;
    step.run("swap", async {
        (first, last) = (last, first);
        Ok(())
    })
    .await?;
    step.run("borrow", async {
        if let Some(ref mut first) = first {
            *first = 2;
        }
        Ok(())
    })
    .await?;
    for ticket in [1, 2] {
        let ticket = step.run("each", async {
            seen.extend([ticket]);
            Ok(ticket)
        });
        step.join_all([ticket.key(event.ticket)]).await;
    }
    step.transaction("charge", async |_tx| {
        seen.sort();
        Ok(())
    })
    .await?;
    println!("{seen:?} {text} {first:?} {last:?}");
    Ok(())
}

#[workflow]
async fn behind_locks(_event: TicketCreated, step: Step) -> Result<(), Failure> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let counted = AtomicU32::new(0);
    let again = Arc::clone(&seen);
    let counted = &counted;
    step.run("count", async {
        counted.fetch_add(1, Ordering::Relaxed);
        seen.lock().unwrap().push(1);
        Ok(())
    })
    .await?;
    step.run("count-more", async move {
        let mut again = again.lock().unwrap();
        again.push(counted.load(Ordering::Relaxed));
        Ok(())
    })
    .await?;
    Ok(())
}

struct Counter(u32);

impl Counter {
    async fn add(&mut self, more: u32) -> Result<(), Failure> {
        self.0 += more;
        Ok(())
    }
}

#[workflow]
async fn by_a_method_of_its_own(event: TicketCreated, step: Step) -> Result<(), Failure> {
    let mut counter = Counter(0);
    step.run("count", counter.add(event.ticket)).await?;
    println!("{}", counter.0);
    Ok(())
}

fn main() {}
