//! A workflow for each argument of flow control, for tests with several worker processes. Each leaves a trace of the
//! load that it works on.

use indelible::prelude::*;

use crate::fleet::{Ground, pay_toll};

/// Something to be worked on.
#[derive(Debug, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "fleet/load")]
pub struct Load {
    /// The workflow that it starts.
    pub to: String,
    /// What its limits count apart.
    pub key: u32,
    /// Its number, in the order of sending.
    pub no: u32,
}

/// How many runs of a key of `whole` there are at a time.
pub const WHOLE: i64 = 2;
/// How many events of a key start a run of `rated`.
pub const RATED: usize = 3;
/// How many microseconds are between two starts of `paced`.
pub const PACE: i64 = 50_000;
/// How many events a run of `lots` has at most.
pub const LOT: usize = 5;

/// Parks in the middle, so that another worker may go on with it.
#[durable]
async fn handle(step: &Step, ground: &Ground, load: &Load) -> Result<(), Failure> {
    step.run("begin", ground.stay(load.no)).await?;
    step.invoke("toll", pay_toll, ()).await?;
    step.run("end", ground.stay(load.no)).await?;
    Ok(())
}

/// Keeps its slot until it ends.
#[workflow(on(Load, if = event.to == "whole"), concurrency(limit = 2, key = event.key, hold = run))]
pub async fn whole(
    event: Load,
    step: Step,
    Resource(ground): Resource<Ground>,
) -> Result<(), Failure> {
    handle(&step, &ground, &event).await
}

/// Works on what is urgent first, one at a time.
#[workflow(
    on(Load, if = event.to == "ranked"),
    concurrency(limit = 1, hold = run),
    priority = if event.no.is_multiple_of(2) { 3600 } else { 0 },
)]
pub async fn ranked(
    event: Load,
    step: Step,
    Resource(ground): Resource<Ground>,
) -> Result<(), Failure> {
    handle(&step, &ground, &event).await
}

/// Starts at a pace.
#[workflow(on(Load, if = event.to == "paced"), throttle(limit = 20, per = "1s", burst = 1))]
pub async fn paced(
    event: Load,
    step: Step,
    Resource(ground): Resource<Ground>,
) -> Result<(), Failure> {
    handle(&step, &ground, &event).await
}

/// Starts for the first events of a key.
#[workflow(on(Load, if = event.to == "rated"), rate_limit(limit = 3, per = "1h", key = event.key))]
pub async fn rated(
    event: Load,
    step: Step,
    Resource(ground): Resource<Ground>,
) -> Result<(), Failure> {
    handle(&step, &ground, &event).await
}

/// Starts once a key.
#[workflow(on(Load, if = event.to == "once"), idempotency(key = event.key, within = "24h"))]
pub async fn once(
    event: Load,
    step: Step,
    Resource(ground): Resource<Ground>,
) -> Result<(), Failure> {
    handle(&step, &ground, &event).await
}

/// Starts if no other run of its key is there.
#[workflow(on(Load, if = event.to == "alone"), singleton(key = event.key, mode = skip))]
pub async fn alone(
    event: Load,
    step: Step,
    Resource(ground): Resource<Ground>,
) -> Result<(), Failure> {
    handle(&step, &ground, &event).await
}

/// Takes the place of the run of its key.
#[workflow(on(Load, if = event.to == "newest"), singleton(key = event.key, mode = cancel))]
pub async fn newest(
    event: Load,
    step: Step,
    Resource(ground): Resource<Ground>,
) -> Result<(), Failure> {
    handle(&step, &ground, &event).await
}

/// Takes the place of the run of its key that waits.
#[workflow(on(Load, if = event.to == "latest"), singleton(key = event.key, mode = latest))]
pub async fn latest(
    event: Load,
    step: Step,
    Resource(ground): Resource<Ground>,
) -> Result<(), Failure> {
    handle(&step, &ground, &event).await
}

/// Waits until a key is quiet.
#[workflow(
    on(Load, if = event.to == "settled"),
    debounce(period = "300ms", max = "1s", key = event.key),
)]
pub async fn settled(
    loads: Vec<Load>,
    step: Step,
    Resource(ground): Resource<Ground>,
) -> Result<usize, Failure> {
    let first = loads.first().map_or(0, |load| load.no);
    step.run("take", ground.stay(first)).await?;
    Ok(loads.len())
}

/// Gathers what comes.
#[workflow(
    on(Load, if = event.to == "lots"),
    batch(max = 5, timeout = "2s", key = event.key),
)]
pub async fn lots(
    loads: Vec<Load>,
    step: Step,
    Resource(ground): Resource<Ground>,
) -> Result<usize, Failure> {
    let first = loads.first().map_or(0, |load| load.no);
    step.run("take", ground.stay(first)).await?;
    Ok(loads.len())
}
