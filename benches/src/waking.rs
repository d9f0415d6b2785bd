//! How late sleepers wake, how soon waiting runs hear of their events, how long a resume takes.

use std::error::Error;
use std::time::{Duration, Instant};

use indelible::journal::MatchKey;
use indelible::prelude::*;
use indelible::{Payload, RunQuery};

use crate::latency::Latencies;
use crate::seeding::{Copy, Database};
use crate::{Paid, counting, early_bird, patient, settle, wanderer};

/// How many runs are woken, one after the other, for one figure.
const WOKEN: u32 = 200;

/// So many runs sleep until times that are a thousandth of a second apart.
pub(crate) async fn waking(runtime: &Runtime, runs: usize) -> Result<(), Box<dyn Error>> {
    const A_SECOND: usize = 1000;
    // Until then all have gone to sleep.
    let lead = Duration::from_secs(10 + runs as u64 / 500);
    let first = Timestamp::now() + lead;
    let times =
        (0..runs).map(|nth| first + Duration::from_micros((nth * 1_000_000 / A_SECOND) as u64));
    runtime.start_all(early_bird, times).await?;
    let early = first.duration_since(Timestamp::now());
    settle(runtime, RunStatus::Waiting, runs).await?;
    assert!(Timestamp::now() < first, "they went to sleep too late; they had {early:#}");
    settle(runtime, RunStatus::Completed, runs).await?;
    let mut query = RunQuery { limit: Some(10_000), ..RunQuery::default() };
    let mut late = Vec::new();
    loop {
        let page = runtime.runs(&query).await?;
        let Some(last) = page.last() else { break };
        query.after = Some(last.id);
        for record in &page {
            let micros: u64 = record.output.as_ref().map_or(Ok(0), Payload::decode)?;
            late.push(Duration::from_micros(micros));
        }
    }
    println!("{} runs woken, {A_SECOND} a second: late by {}", late.len(), Latencies::of(late));
    Ok(())
}

/// More and more runs wait for one event name, each for an order of its own.
pub(crate) async fn waiting(
    runtime: &Runtime,
    database: &Database,
    runs: u32,
) -> Result<(), Box<dyn Error>> {
    let template = runtime.start(patient, u32::MAX).await?;
    settle(runtime, RunStatus::Waiting, 1).await?;
    let mut waiting = 0;
    let mut served = 0;
    let sizes = (3..).map(|power| 10u32.pow(power)).take_while(|size| *size < runs);
    for size in sizes.chain([runs]).collect::<Vec<_>>() {
        let begun = Instant::now();
        let copies: Vec<_> = (waiting..size)
            .map(|order| Copy {
                run: run_of(order),
                input: order.to_string(),
                hash: MatchKey::new(Paid::NAME, &[("order", order.into())]).as_uuid(),
            })
            .collect();
        database.copy(&["runs", "journal", "waits"], template.id(), &copies).await?;
        let seeded = begun.elapsed();
        waiting = size;
        let mut times = Vec::new();
        for nth in 0..WOKEN {
            // Spread over those that have not been served yet.
            let order = served + (size - served) / WOKEN * nth;
            let handle = runtime.handle::<u32>(run_of(order));
            let sent = Instant::now();
            runtime.send(Paid { order, again: false }).await?;
            handle.result().await?;
            times.push(sent.elapsed());
        }
        served = size;
        println!(
            "{size} runs wait (seeded in {seeded:.0?}): from send to end {}",
            Latencies::of(times)
        );
    }
    Ok(())
}

/// The same id for the same order.
fn run_of(order: u32) -> RunId {
    RunId::from(Uuid::from_u64_pair(
        0x0190_0000_0000_7000 | u64::from(order) << 20,
        u64::from(order) | 1 << 63,
    ))
}

/// A run with so many steps behind it wakes.
pub(crate) async fn resuming(runtime: &Runtime, steps: u32) -> Result<(), Box<dyn Error>> {
    const RUNS: u32 = 5;
    for steps in [0, steps] {
        let mut handles = Vec::new();
        for nth in 0..RUNS {
            handles.push((steps + nth, runtime.start(wanderer, (steps, steps + nth)).await?));
        }
        settle(runtime, RunStatus::Waiting, RUNS as usize).await?;
        let mut times = Vec::new();
        for (order, run) in &handles {
            let sent = Instant::now();
            runtime.send(Paid { order: *order, again: false }).await?;
            run.result().await?;
            times.push(sent.elapsed());
        }
        let lines = handles[0].1.journal().await?.len();
        println!("a journal of {lines} lines: from event to end {}", Latencies::of(times));
    }
    Ok(())
}

/// A run in a late iteration of its carried loop wakes.
pub(crate) async fn carried(
    runtime: &Runtime,
    database: &Database,
    iteration: u32,
) -> Result<(), Box<dyn Error>> {
    const RUNS: u32 = 20;
    for iteration in [1, iteration] {
        let mut times = Vec::new();
        let mut lines = 0;
        for order in 0..RUNS {
            let run = runtime.start(counting, order).await?;
            settle(runtime, RunStatus::Waiting, 1).await?;
            if iteration > 1 {
                database.iterate(run.id(), iteration, &format!("[{iteration}]")).await?;
            }
            // One iteration more, and then the end.
            let sent = Instant::now();
            runtime.send(Paid { order, again: true }).await?;
            runtime.send(Paid { order, again: false }).await?;
            assert_eq!(run.result().await?, iteration + 1);
            times.push(sent.elapsed());
            lines = run.journal().await?.len();
        }
        println!(
            "iteration {iteration}, a journal of {lines} lines: from event to end, one iteration later, {}",
            Latencies::of(times)
        );
    }
    Ok(())
}
