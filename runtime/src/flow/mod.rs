//! Admission: what becomes of that which would start a workflow. It is decided here from the workflow's
//! definition alone; the store carries it out. Nothing here knows a database, reads a clock or draws an
//! id.

mod admission;
mod firing;

use jiff::Timestamp;
use uuid::Uuid;

#[cfg(test)]
pub(crate) use self::admission::Keep;
pub(crate) use self::admission::{Admission, Arrival, Gathering, Window, at_once};
pub(crate) use self::firing::Firing;
use crate::event::EventId;
use crate::journal::{CancelKey, RunId};
use crate::payload::Payload;
use crate::workflow::{Checks, Gate, Passage};

/// A run to be started.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NewRun {
    pub(crate) id: RunId,
    pub(crate) workflow: String,
    pub(crate) event: Option<EventId>,
    pub(crate) input: Payload,
    pub(crate) seed: Uuid,
    /// When it was due, if a schedule starts it.
    pub(crate) scheduled_at: Option<Timestamp>,
    /// The events that cancel it, if they were accepted after its trigger.
    pub(crate) cancels: Vec<CancelKey>,
    /// What it has to pass before it begins.
    pub(crate) gates: Vec<Gate>,
    /// How many seconds it is ahead of others that were accepted with it.
    pub(crate) ahead: i32,
    /// What is asked about its event before it starts.
    pub(crate) checks: Checks,
}

impl NewRun {
    /// The same run, with what it has to pass.
    pub(crate) fn passing(self, Passage { gates, ahead, checks }: Passage) -> Self {
        Self { gates, ahead, checks, ..self }
    }

    /// Whether it starts whatever else there is: nothing is asked, and nothing to be passed.
    fn is_free(&self) -> bool {
        self.gates.is_empty() && self.checks.are_none()
    }
}

/// Makes a run of a workflow that no event cancels. Whoever asks draws its id and its seed.
pub(crate) type Draw = fn(&str, Option<EventId>, Payload) -> NewRun;

/// A run with the same id and seed as any other.
#[cfg(test)]
fn drawn(workflow: &str, event: Option<EventId>, input: Payload) -> NewRun {
    let (id, seed) = (Uuid::from_u128(1).into(), Uuid::from_u128(2));
    NewRun {
        id,
        workflow: workflow.to_owned(),
        event,
        input,
        seed,
        scheduled_at: None,
        cancels: Vec::new(),
        gates: Vec::new(),
        ahead: 0,
        checks: Checks::default(),
    }
}
