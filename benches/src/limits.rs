//! What limits and long queues cost.

use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use indelible::WorkflowFn;
use indelible::prelude::*;
use indelible::workflow::Direct;

use crate::Benches;
use crate::seeding::{self, Database};

/// How many runs have made their step, of those that are not on the key of half of them.
static OTHERS: AtomicUsize = AtomicUsize::new(0);

/// The key of half of all runs.
const BUSY: u32 = u32::MAX;

/// So many runs are started in one commit.
const AT_ONCE: usize = 1_000;

async fn count(key: u32) -> Result<(), Failure> {
    if key != BUSY {
        OTHERS.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// One step, one run of a key at a time.
#[workflow(input, concurrency(limit = 1, key = input))]
pub(crate) async fn limited(key: u32, step: Step) -> Result<(), Failure> {
    step.run("count", count(key)).await?;
    Ok(())
}

/// The same without a limit.
#[workflow(input)]
pub(crate) async fn unlimited(key: u32, step: Step) -> Result<(), Failure> {
    step.run("count", count(key)).await?;
    Ok(())
}

/// A limit of each kind, and a short sleep, so that runs give their slots back.
#[workflow(
    input,
    concurrency(limit = 3, key = input % 50),
    throttle(limit = 1_000, per = "1s", burst = 100, key = input % 10)
)]
pub(crate) async fn churned(key: u32, step: Step) -> Result<(), Failure> {
    step.run("count", count(key)).await?;
    step.sleep("rest", "10ms").await;
    step.run("count-again", count(key)).await?;
    Ok(())
}

/// Half of the runs on one key, and each other one on a key of its own: how fast the others are, with a limit
/// of one run a key and without.
pub(crate) async fn keys(runtime: &Runtime, runs: usize) -> indelible::Result<()> {
    const PAIRS: usize = 5;
    let others = runs / 2;
    for pair in 1..=PAIRS {
        let without = rate(runtime, unlimited, runs).await?;
        crate::settle(runtime, RunStatus::Completed, (2 * pair - 1) * runs).await?;
        let with = rate(runtime, limited, runs).await?;
        println!(
            "{others} runs of as many keys, beside as many of one key: {with:.0} a second with a limit \
             of one, {without:.0} without: {:.0} %",
            with / without * 100.0
        );
        crate::settle(runtime, RunStatus::Completed, 2 * pair * runs).await?;
    }
    Ok(())
}

/// How many of the others made their step a second, of so many runs.
async fn rate<W: Workflow<Input = Direct<u32>>>(
    runtime: &Runtime,
    workflow: impl WorkflowFn<W>,
    runs: usize,
) -> indelible::Result<f64> {
    let (begun, before) = (Instant::now(), OTHERS.load(Ordering::Relaxed));
    let keys: Vec<u32> =
        (0..runs as u32).map(|nth| if nth % 2 == 0 { BUSY } else { nth }).collect();
    for some in keys.chunks(AT_ONCE) {
        runtime.start_all(workflow, some.iter().copied()).await?;
    }
    reach(before + runs / 2).await;
    Ok((runs / 2) as f64 / begun.elapsed().as_secs_f64())
}

/// How fast the first runs of so many that are queued are driven.
pub(crate) async fn queued(url: &str, runs: usize) -> Result<(), Box<dyn Error>> {
    /// How many are timed at once.
    const PART: usize = 2_000;
    const PARTS: usize = 3;
    let client = Runtime::builder(Benches).database(url).connect().await?;
    let template = client.start(unlimited, 0).await?.id();
    let copies = (1..runs).map(|_| seeding::Copy {
        run: RunId::from(Uuid::now_v7()),
        input: "0".to_owned(),
        hash: Uuid::nil(),
    });
    let copies: Vec<_> = copies.collect();
    Database::open(url).await?.copy(&["runs", "ready"], template, &copies).await?;
    client.close().await;
    let runtime = Runtime::builder(Benches).database(url).start().await?;
    for part in 1..=PARTS {
        let (begun, before) = (Instant::now(), OTHERS.load(Ordering::Relaxed));
        reach(before + PART).await;
        let driven = OTHERS.load(Ordering::Relaxed) - before;
        let rate = driven as f64 / begun.elapsed().as_secs_f64();
        println!("{runs} queued, part {part}: {rate:.0} runs a second");
    }
    runtime.shutdown().await;
    Ok(())
}

/// Starts runs for so many seconds, and tells how large the tables are through which they pass.
pub(crate) async fn churn(
    runtime: &Runtime,
    database: &Database,
    seconds: u64,
) -> Result<(), Box<dyn Error>> {
    const REPORTS: u32 = 10;
    let begun = Instant::now();
    let mut started = 0;
    for report in 1..=REPORTS {
        let until = Duration::from_secs(seconds) * report / REPORTS;
        while begun.elapsed() < until {
            runtime.start_all(churned, started..started + 200).await?;
            started += 200;
            crate::settle(runtime, RunStatus::Completed, started as usize).await?;
        }
        let sizes = database.sizes().await?;
        let sizes: Vec<_> =
            sizes.iter().map(|(name, bytes)| format!("{name} {}", bytes / 1024)).collect();
        println!("{until:.0?}, {started} runs, in KiB: {}", sizes.join(", "));
    }
    Ok(())
}

/// Waits until so many of the others have made their step.
async fn reach(others: usize) {
    while OTHERS.load(Ordering::Relaxed) < others {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
