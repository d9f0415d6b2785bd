//! Admission: what becomes of that which would start a workflow. It is decided here from the workflow's
//! definition alone; the store carries it out. No decision reads a clock or draws an id.

mod admission;
mod checks;
mod firing;
mod opening;

use jiff::Timestamp;
use uuid::Uuid;

pub use self::admission::{
    Admission, Arrival, Gathering, Keep, Skip, Window, at_once, gathered, misfit,
};
pub use self::checks::{Checked, Displaced, Known, Present, Quota, Skipped, Why};
pub use self::firing::Firing;
pub use self::opening::{GateState, Opened, Waiter};
use crate::event::EventId;
use crate::journal::{CancelKey, RunId};
use crate::payload::Payload;
use crate::trace::TraceContext;
use crate::workflow::{Checks, Gate, Passage};

/// A run to be started.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    /// Its id.
    pub id: RunId,
    /// Its workflow.
    pub workflow: String,
    /// The event that starts it; `None` if there is not just one.
    pub event: Option<EventId>,
    /// Its input.
    pub input: Payload,
    /// What its derived values rest on.
    pub seed: Uuid,
    /// When it was due, if a schedule starts it.
    pub scheduled_at: Option<Timestamp>,
    /// The trace that it belongs to: that of its event, the last one if there are several.
    pub trace: Option<TraceContext>,
    /// The events that cancel it, if they were accepted after its trigger.
    pub cancels: Vec<CancelKey>,
    /// What it has to pass before it begins.
    pub gates: Vec<Gate>,
    /// How many seconds it is ahead of others that were accepted with it.
    pub ahead: i32,
    /// What is asked about its event before it starts.
    pub checks: Checks,
    /// Whether a program that has the workflow has yet to say what cancels it and what it has to pass.
    pub unsettled: bool,
}

impl NewRun {
    /// A run with an id and a seed of its own, which no event cancels and no limit concerns.
    pub fn new(workflow: &str, event: Option<EventId>, input: Payload) -> Self {
        let (id, seed, workflow) = (RunId::new(), Uuid::new_v4(), workflow.to_owned());
        Self {
            id,
            workflow,
            event,
            input,
            seed,
            scheduled_at: None,
            trace: None,
            cancels: Vec::new(),
            gates: Vec::new(),
            ahead: 0,
            checks: Checks::default(),
            unsettled: false,
        }
    }
}

impl NewRun {
    /// The same run, with what it has to pass.
    #[must_use]
    pub fn passing(self, Passage { gates, ahead, checks }: Passage) -> Self {
        Self { gates, ahead, checks, ..self }
    }

    /// Whether it starts whatever else there is: nothing is asked, and nothing to be passed.
    fn is_free(&self) -> bool {
        self.gates.is_empty() && self.checks.are_none()
    }
}

/// Makes a run of a workflow that no event cancels. Whoever asks draws its id and its seed.
pub type Draw = fn(&str, Option<EventId>, Payload) -> NewRun;

/// A run with the same id and seed as any other.
#[cfg(test)]
fn drawn(workflow: &str, event: Option<EventId>, input: Payload) -> NewRun {
    let (id, seed) = (Uuid::from_u128(1).into(), Uuid::from_u128(2));
    NewRun { id, seed, ..NewRun::new(workflow, event, input) }
}
