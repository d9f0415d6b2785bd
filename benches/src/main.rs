//! What Indelible costs. Figures, not tests: nothing here passes or fails.
//!
//! `cargo run --release -p indelible-benches -- sleeping 10000`

mod latency;
mod limits;
mod memory;
mod seeding;
mod waking;

use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};
use indelible::prelude::*;

use self::limits::{churned, limited, unlimited};
use self::seeding::Database;

#[derive(Parser)]
struct Args {
    /// Where to keep the runs; a temporary SQLite file unless said otherwise
    #[arg(long, value_name = "URL", global = true)]
    database_url: Option<String>,

    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    /// What so many runs weigh that only sleep
    Sleeping { runs: usize },
    /// How many steps a second so many runs of ten steps make
    Steps { runs: usize },
    /// How late so many sleeping runs wake, a thousand a second
    Waking { runs: usize },
    /// How soon one of so many waiting runs hears of its event
    Waiting { runs: u32 },
    /// How long a run with so many steps behind it takes to resume
    Resuming { steps: u32 },
    /// How long a run takes to resume in this iteration of its carried loop
    Carried { iteration: u32 },
    /// How soon so many runs, one after the other, give their results: to a client in the worker's
    /// process and to one apart, and through a chain of ten events
    Latency { runs: usize },
    /// How fast runs of many keys are, where half of so many runs have one key: with a limit of one a key, and
    /// without
    Keys { runs: usize },
    /// How fast the first runs are driven where so many are queued
    Queued { runs: usize },
    /// How large the tables of queues and limits get in so many seconds
    Churn { seconds: u64 },
    /// Drives runs until it is killed, for what is measured from another process
    #[command(hide = true)]
    Worker,
}

/// An order was paid.
#[derive(Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "benches/paid")]
struct Paid {
    order: u32,
    again: bool,
}

/// Sleeps for a day.
#[workflow(input)]
async fn sleeper((): (), step: Step) -> Result<(), Failure> {
    step.sleep("night", "1 day").await;
    Ok(())
}

/// Ten steps that do next to nothing.
#[workflow(input)]
async fn walker(distance: u32, step: Step) -> Result<u32, Failure> {
    let mut walked = 0;
    for _ in 0..distance {
        walked += step.run("step", async { Ok::<u32, Failure>(1) }).await?;
    }
    Ok(walked)
}

/// Sleeps until a time; by how many microseconds it woke too late.
#[workflow(input)]
async fn early_bird(time: Timestamp, step: Step) -> Result<u64, Failure> {
    step.sleep_until("dawn", time).await;
    Ok(u64::try_from(step.now().duration_since(time).as_micros()).unwrap_or(0))
}

/// Waits for the payment of an order.
#[workflow(input)]
async fn patient(order: u32, step: Step) -> Result<u32, Failure> {
    step.wait_for_event::<Paid>("paid").matching(order = order).await;
    Ok(order)
}

/// Makes so many steps, then waits for the payment of an order.
#[workflow(input)]
async fn wanderer((distance, order): (u32, u32), step: Step) -> Result<u32, Failure> {
    let mut walked = 0;
    for _ in 0..distance {
        walked += step.run("step", async { Ok::<u32, Failure>(1) }).await?;
    }
    step.wait_for_event::<Paid>("paid").matching(order = order).await;
    Ok(walked)
}

/// Counts the payments of an order, until one is the last.
#[workflow(input)]
async fn counting(order: u32, step: Step) -> Result<u32, Failure> {
    let mut payments = 1;
    #[carried(payments)]
    loop {
        let paid = step.wait_for_event::<Paid>("paid").matching(order = order).await;
        if !paid.is_some_and(|paid| paid.data.again) {
            break;
        }
        payments += 1;
    }
    Ok(payments)
}

/// So many events have still to be sent, one after the other.
#[derive(Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "benches/hop")]
struct Hop {
    chain: Uuid,
    left: u32,
}

/// All of them have been.
#[derive(Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "benches/arrived")]
struct Arrived {
    chain: Uuid,
}

/// Passes on what is left to be sent.
#[workflow]
async fn relay(event: Hop, step: Step) -> Result<(), Failure> {
    let Hop { chain, left } = event;
    if left == 0 {
        step.send_event("arrive", Arrived { chain }).await?;
    } else {
        step.send_event("hop", Hop { chain, left: left - 1 }).await?;
    }
    Ok(())
}

/// Sends the first of so many events and waits for the last.
#[workflow(input)]
async fn chain(hops: u32, step: Step) -> Result<u32, Failure> {
    let chain = step.uuid("chain");
    step.send_event("set-out", Hop { chain, left: hops }).await?;
    step.wait_for_event::<Arrived>("arrived").matching(chain = chain).await;
    Ok(hops)
}

indelible::app! {
    Benches = "benches";
    events: [Paid, Hop, Arrived],
    workflows: [sleeper, walker, early_bird, patient, wanderer, counting, relay, chain, limited, unlimited, churned],
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_max_level(tracing_subscriber::filter::LevelFilter::WARN).init();
    let args = Args::parse();
    let folder = tempfile::tempdir()?;
    let file = format!("sqlite://{}", folder.path().join("bench.db").display());
    let url = args.database_url.unwrap_or(file);
    if let Bench::Latency { runs } = args.bench {
        return latency::latency(&url, runs).await;
    }
    if let Bench::Queued { runs } = args.bench {
        return limits::queued(&url, runs).await;
    }
    let runtime = Runtime::builder(Benches).database(&*url).start().await?;
    let database = Database::open(&url).await?;
    match args.bench {
        Bench::Sleeping { runs } => sleeping(&runtime, runs).await?,
        Bench::Steps { runs } => steps(&runtime, runs).await?,
        Bench::Waking { runs } => waking::waking(&runtime, runs).await?,
        Bench::Waiting { runs } => waking::waiting(&runtime, &database, runs).await?,
        Bench::Resuming { steps } => waking::resuming(&runtime, steps).await?,
        Bench::Carried { iteration } => waking::carried(&runtime, &database, iteration).await?,
        Bench::Keys { runs } => limits::keys(&runtime, runs).await?,
        Bench::Churn { seconds } => limits::churn(&runtime, &database, seconds).await?,
        Bench::Latency { .. } | Bench::Queued { .. } => {}
        Bench::Worker => return Ok(runtime.until_signal().await?),
    }
    runtime.shutdown().await;
    Ok(())
}

async fn sleeping(runtime: &Runtime, runs: usize) -> indelible::Result<()> {
    let idle = memory::resident();
    let begun = Instant::now();
    runtime.start_all(sleeper, (0..runs).map(|_| ())).await?;
    settle(runtime, RunStatus::Waiting, runs).await?;
    let asleep = memory::resident();
    println!(
        "{runs} runs asleep after {:.1?}: {} KiB above an idle worker's {} KiB",
        begun.elapsed(),
        asleep.saturating_sub(idle),
        idle
    );
    Ok(())
}

async fn steps(runtime: &Runtime, runs: usize) -> indelible::Result<()> {
    const STEPS: u32 = 10;
    let begun = Instant::now();
    runtime.start_all(walker, (0..runs).map(|_| STEPS)).await?;
    settle(runtime, RunStatus::Completed, runs).await?;
    let took = begun.elapsed();
    let made = runs as f64 * f64::from(STEPS);
    println!(
        "{runs} runs of {STEPS} steps in {took:.1?}: {:.0} steps a second, {:.0} runs a second",
        made / took.as_secs_f64(),
        runs as f64 / took.as_secs_f64()
    );
    Ok(())
}

/// Waits until so many runs stand there.
async fn settle(runtime: &Runtime, there: RunStatus, runs: usize) -> indelible::Result<()> {
    loop {
        let counts = runtime.counts().await?;
        let found: u64 =
            counts.iter().filter(|count| count.status == there).map(|count| count.runs).sum();
        if found >= runs as u64 {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
