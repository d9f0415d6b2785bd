use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

#[workflow]
async fn on_ticket(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    let mut sent = 0;
    sent += step.run("send-mail", desk.mail("hello")).await?;
    let log = step
        .run("log", async {
            let mut log = Vec::new();
            log.push(event.ticket);
            log[0] += 1;
            Ok(log)
        })
        .await?;
    assert!(sent > log.len());
    Ok(())
}

#[workflow]
async fn locked_where_it_is_made(_event: TicketCreated, step: Step) -> Result<(), Failure> {
    let seen = Mutex::new(Vec::new());
    for name in ["ann", "mary"] {
        let found = step.run("find", async { Ok(name.len()) }).key(name).await?;
        seen.lock().unwrap().push(found);
    }
    step.run("tell", async { Ok(seen.lock().unwrap().len()) }).await?;
    let counted = AtomicU32::new(0);
    let sum = step
        .run("sum", async {
            let own = AtomicU32::new(counted.load(Ordering::Relaxed));
            own.fetch_add(1, Ordering::Relaxed);
            let counted = own;
            counted.store(3, Ordering::Relaxed);
            Ok(counted.into_inner())
        })
        .await?;
    counted.store(sum, Ordering::Relaxed);
    Ok(())
}

fn main() {}
