use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The static states of a workflow, in the order of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Graph {
    /// A state for each step.
    pub states: &'static [StateDef],
}

/// One step of a workflow, as it stands in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateDef {
    /// The step's id.
    pub id: &'static str,
    /// What the step does.
    pub kind: StepKind,
    /// The line on which it stands.
    pub line: u32,
}

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// Runs a future of the user's.
    Run,
    /// Waits for a time.
    Sleep,
    /// Sends events.
    SendEvent,
    /// Waits for an event.
    WaitForEvent,
    /// Starts a run of another workflow and waits for its end.
    Invoke,
    /// Checkpoints the variables of a loop at its head.
    Carried,
    /// Derives a value from the run's seed; it has no checkpoint of its own.
    Derive,
}

impl StepKind {
    const NAMES: [(Self, &'static str); 7] = [
        (Self::Run, "run"),
        (Self::Sleep, "sleep"),
        (Self::SendEvent, "send_event"),
        (Self::WaitForEvent, "wait_for_event"),
        (Self::Invoke, "invoke"),
        (Self::Carried, "carried"),
        (Self::Derive, "derive"),
    ];
}

impl fmt::Display for StepKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(kind, _)| kind == self).map_or("?", |(_, name)| name);
        f.pad(name)
    }
}

impl FromStr for StepKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::NAMES
            .iter()
            .find(|(_, name)| *name == text)
            .map(|(kind, _)| *kind)
            .ok_or_else(|| format!("`{text}` is not a kind of step"))
    }
}
