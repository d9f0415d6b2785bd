//! One workflow for each durable operation, in an app of two versions: the second one has been
//! changed between the steps and beside them, and nowhere else.

mod ledger;

use indelible::prelude::*;

pub use self::ledger::Ledger;

/// An order was paid.
#[derive(Debug, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "operations/paid")]
pub struct Paid {
    /// Which one.
    pub order: u32,
}

/// A parcel is on its way.
#[derive(Debug, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "operations/sent")]
pub struct Sent {
    /// Which one.
    pub parcel: u32,
}

/// What the version has between its steps: nothing.
macro_rules! meanwhile {
    () => {};
}

#[path = "workflows.rs"]
pub mod before;

/// What the version has between its steps.
macro_rules! meanwhile {
    () => {
        let squares: Vec<u32> = (1..4).map(|n| n * n).collect();
        if squares.len() > 3 {
            return Err(Failure::msg("there are three of them"));
        }
    };
}

#[path = "workflows.rs"]
#[allow(clippy::duplicate_mod, reason = "it is the same program, but for what `meanwhile` is")]
pub mod after;

/// Only in the second version.
#[workflow(input)]
pub async fn added(name: String, step: Step) -> Result<String, Failure> {
    Ok(step.run("greet", async { Ok(format!("Hello, {name}")) }).await?)
}

indelible::app! {
    pub Before = "operations";
    events: [Paid, Sent],
    workflows: [
        before::runs, before::retries, before::transacts, before::sleeps, before::waits,
        before::gives_up, before::invokes, before::detaches, before::abandons, before::sends,
        before::races, before::joins, before::carries, before::restarts, before::undoes,
        before::fails, before::cancels, before::takes_turns, before::takes_its_turn, before::plays, before::receive, before::note_failure,
        before::note_cancellation, before::tells, before::hears,
    ],
}

indelible::app! {
    pub After = "operations";
    events: [Paid, Sent],
    workflows: [
        added,
        after::runs, after::retries, after::transacts, after::sleeps, after::waits,
        after::gives_up, after::invokes, after::detaches, after::abandons, after::sends,
        after::races, after::joins, after::carries, after::restarts, after::undoes,
        after::fails, after::cancels, after::takes_turns, after::takes_its_turn, after::plays, after::receive, after::note_failure,
        after::note_cancellation, after::tells, after::hears,
    ],
}
