//! An app for a fleet whose machines differ: each worker drives some of its workflows.

use indelible::prelude::*;

/// Lifts what is heavy. Only some machines have one.
pub struct Crane;

/// A parcel has come.
#[derive(Debug, Clone, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "split/parcel")]
pub struct Parcel {
    /// Which one.
    pub no: u32,
}

/// The process that does this.
async fn process() -> Result<u32, Failure> {
    Ok(std::process::id())
}

/// Takes a machine with a crane.
#[workflow]
pub async fn heavy(
    _event: Parcel,
    step: Step,
    Resource(_crane): Resource<Crane>,
) -> Result<u32, Failure> {
    Ok(step.run("lift", process()).await?)
}

/// Any machine will do, one run at a time.
#[workflow(concurrency(limit = 1))]
pub async fn light(_event: Parcel, step: Step) -> Result<u32, Failure> {
    Ok(step.run("carry", process()).await?)
}

/// Counts what came in a moment.
#[workflow(batch(max = 100, timeout = "50ms"))]
pub async fn tally(events: Vec<Parcel>, step: Step) -> Result<usize, Failure> {
    step.run("count", process()).await?;
    Ok(events.len())
}

/// Looks after the yard each second.
#[workflow(cron("* * * * * *"))]
pub async fn round(_tick: Tick, step: Step) -> Result<u32, Failure> {
    Ok(step.run("look", process()).await?)
}

indelible::app! {
    pub Split = "split";
    events: [Parcel],
    workflows: [heavy, light, tally, round],
}
