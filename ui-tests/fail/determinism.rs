use std::collections::HashSet;
use std::thread::spawn;
use std::time::Instant as Stopwatch;

use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

#[workflow]
async fn on_ticket(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    use std::time::SystemTime as Clock;
    let began = Clock::now();
    let id = Uuid::new_v4();
    let home = std::env::var("HOME").unwrap_or_default();
    let mut recipients = std::collections::HashSet::new();
    recipients.insert(event.ticket);
    for recipient in &recipients {
        let text = format!("{home} {id} {recipient} {:?}", Clock::now());
        step.run("send-mail", desk.mail(&text)).await?;
    }
    let listed = recipients.iter().collect::<Vec<_>>();
    println!("{began:?} {:?} {listed:?}", Stopwatch::now());
    spawn(|| println!("done"));
    std::thread::sleep(std::time::Duration::from_secs(1));
    let is_late = matches!(deadline(), Some(at) if at < Clock::now());
    told!(took = ?began.elapsed(), "late: {}", is_late);
    println!("{is_late}");
    tell_all(&step, &desk, &recipients).await
}

#[durable]
async fn tell_all(step: &Step, desk: &Desk, tickets: &HashSet<u32>) -> Result<(), Failure> {
    let mut listed = Vec::from_iter(tickets);
    listed.truncate(3);
    step.run("tell-some", desk.mail(&format!("{listed:?} of {tickets:?}"))).await?;
    let amounts: f32 = tickets.iter().map(|ticket| *ticket as f32).sum();
    step.run("tell-amounts", desk.mail(&amounts.to_string())).await?;
    step.run("tell-now", desk.mail(&format!("{:?}", Stopwatch::now()))).await?;
    Ok(())
}

fn deadline() -> Option<std::time::SystemTime> {
    None
}

macro_rules! told {
    ($($fields:tt)*) => {};
}
use told;

#[workflow]
async fn awaits_what_is_refused(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    let limit = std::time::Duration::from_secs(3);
    tokio::time::sleep(limit).await;
    tokio::time::timeout(limit, step.run("fetch", desk.ticket(event.ticket))).await??;
    tokio::spawn(async { desk.ticket(1).await });
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async { 3 });
    let lines = std::os::unix::net::UnixStream::connect("/run/lines")?;
    println!("{:?} {:?}", lines, std::path::Path::new("/run").read_dir()?.count());
    Ok(())
}

fn main() {}
