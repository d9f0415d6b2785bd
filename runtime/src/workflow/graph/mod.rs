//! The static graph of a workflow, made by `#[workflow]` from its body, and its renderings.

mod render;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The static states of a workflow and how they may follow one another.
///
/// ```
/// use indelible::prelude::*;
/// # #[derive(Event, Serialize, Deserialize, JsonSchema)]
/// # #[event(name = "user/signup")]
/// # pub struct SignedUp { subscribes: bool }
/// # async fn mail() -> Result<(), Failure> { Ok(()) }
///
/// #[workflow]
/// async fn welcome(event: SignedUp, step: Step) -> Result<(), Failure> {
///     step.run("greet", mail()).await?;
///     if event.subscribes {
///         step.run("subscribe", mail()).await?;
///     }
///     Ok(())
/// }
///
/// let ids: Vec<_> = welcome::GRAPH.states.iter().map(|state| state.id).collect();
/// assert_eq!(ids, ["greet", "subscribe"]);
/// assert_eq!(welcome::GRAPH.edges[1].condition, "event.subscribes");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Graph {
    /// A state for each step, in the order of the source.
    pub states: &'static [StateDef],
    /// Which may follow which. An error that leaves the body by `?` ends the run from any step;
    /// that is no edge.
    pub edges: &'static [Edge],
    /// The rules that were turned off for it, and why.
    pub allowed: &'static [Allowed],
}

impl Graph {
    /// The graph of a workflow without steps.
    pub const EMPTY: Self = Self { states: &[], edges: &[], allowed: &[] };
}

/// One step of a workflow, as it stands in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct StateDef {
    /// The step's id.
    pub id: &'static str,
    /// What the step does.
    pub kind: StepKind,
    /// The line on which it stands.
    pub line: u32,
    /// The name of the event that is waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<&'static str>,
    /// The graph of the helper that is called.
    pub helper: Option<&'static Graph>,
    /// The function that undoes it, as it stands in the source.
    pub undo: Option<&'static str>,
}

/// As the macros write them.
#[doc(hidden)]
impl StateDef {
    const fn new(id: &'static str, kind: StepKind, line: u32) -> Self {
        Self { id, kind, line, event: None, helper: None, undo: None }
    }

    pub const fn run(id: &'static str, line: u32) -> Self {
        Self::new(id, StepKind::Run, line)
    }

    pub const fn transaction(id: &'static str, line: u32) -> Self {
        Self::new(id, StepKind::Transaction, line)
    }

    pub const fn sleep(id: &'static str, line: u32) -> Self {
        Self::new(id, StepKind::Sleep, line)
    }

    pub const fn send_event(id: &'static str, line: u32) -> Self {
        Self::new(id, StepKind::SendEvent, line)
    }

    pub const fn wait_for_event(id: &'static str, line: u32, event: &'static str) -> Self {
        Self { event: Some(event), ..Self::new(id, StepKind::WaitForEvent, line) }
    }

    pub const fn invoke(id: &'static str, line: u32) -> Self {
        Self::new(id, StepKind::Invoke, line)
    }

    pub const fn carried(id: &'static str, line: u32) -> Self {
        Self::new(id, StepKind::Carried, line)
    }

    pub const fn derive(id: &'static str, line: u32) -> Self {
        Self::new(id, StepKind::Derive, line)
    }

    pub const fn helper(id: &'static str, line: u32, graph: &'static Graph) -> Self {
        Self { helper: Some(graph), ..Self::new(id, StepKind::Helper, line) }
    }

    pub const fn undone_by(self, function: &'static str) -> Self {
        Self { undo: Some(function), ..self }
    }
}

/// One place in a graph may follow another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Edge {
    /// Where it comes from.
    pub from: Node,
    /// Where it leads.
    pub to: Node,
    /// When, as it stands in the source; empty if always.
    pub condition: &'static str,
}

impl Edge {
    /// As the macros write it.
    #[doc(hidden)]
    pub const fn new(from: Node, to: Node, condition: &'static str) -> Self {
        Self { from, to, condition }
    }
}

/// A place in a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Node {
    /// Where the run begins.
    Start,
    /// A step, by its place in [`Graph::states`].
    State(usize),
    /// Where the branches of a `join!` begin, numbered in the order of the source.
    Fork(usize),
    /// Where the branches of that `join!` have all ended.
    Join(usize),
    /// The run has its output.
    End,
    /// The body gives an error of its own.
    Failed,
    /// The run begins anew.
    Restarted,
}

/// A rule that was turned off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Allowed {
    /// The rule.
    pub rule: &'static str,
    /// Why.
    pub reason: &'static str,
    /// Where.
    pub line: u32,
}

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// Runs a future of the user's.
    Run,
    /// Runs statements of the user's in the transaction of its own checkpoint.
    Transaction,
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
    /// Calls a helper, whose steps are checkpointed under its name. It has no checkpoint of its own.
    Helper,
    /// Undoes what another step did. It stands in journals, under that step's key, and in no graph.
    Undo,
}

impl StepKind {
    const NAMES: [(Self, &'static str); 10] = [
        (Self::Run, "run"),
        (Self::Transaction, "transaction"),
        (Self::Sleep, "sleep"),
        (Self::SendEvent, "send_event"),
        (Self::WaitForEvent, "wait_for_event"),
        (Self::Invoke, "invoke"),
        (Self::Carried, "carried"),
        (Self::Derive, "derive"),
        (Self::Helper, "helper"),
        (Self::Undo, "undo"),
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
