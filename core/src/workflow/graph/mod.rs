//! The static graph of a workflow, made by `#[workflow]` from its body, and its renderings.

mod render;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};

/// The static states of a workflow and how they may follow one another.
///
/// ```
/// # extern crate indelible_core as indelible;
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
/// let ids: Vec<_> = welcome::GRAPH.states().iter().map(|state| state.id).collect();
/// assert_eq!(ids, ["greet", "subscribe"]);
/// assert_eq!(welcome::GRAPH.edges()[1].condition, "event.subscribes");
/// ```
///
/// The graph is stored as text and parsed on each call. One expression for each state and edge would cost
/// rustc more than everything else about a workflow's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Graph {
    /// `29 run fetch`, a state a line.
    states: &'static str,
    /// `0 1 total > 10`, an edge a line.
    edges: &'static str,
    events: &'static [(usize, &'static str)],
    helpers: &'static [(usize, &'static Graph)],
    allowed: &'static [Allowed],
}

impl Graph {
    /// The graph of a workflow without steps.
    pub const EMPTY: Self = Self::written("", "");

    /// As the macros write it, a line for each state and each edge.
    #[doc(hidden)]
    pub const fn written(states: &'static str, edges: &'static str) -> Self {
        Self { states, edges, events: &[], helpers: &[], allowed: &[] }
    }

    /// The same with the events that states wait for, by the places of the states.
    #[doc(hidden)]
    pub const fn with_events(self, events: &'static [(usize, &'static str)]) -> Self {
        Self { events, ..self }
    }

    /// The same with the graphs of helpers, by the places of the states.
    #[doc(hidden)]
    pub const fn with_helpers(self, helpers: &'static [(usize, &'static Graph)]) -> Self {
        Self { helpers, ..self }
    }

    /// The same with the rules that were turned off.
    #[doc(hidden)]
    pub const fn with_allowed(self, allowed: &'static [Allowed]) -> Self {
        Self { allowed, ..self }
    }

    /// A state for each step, in the order of the source.
    pub fn states(&self) -> Vec<StateDef> {
        let mut states: Vec<_> = self.states.lines().map(read_state).collect();
        for (place, event) in self.events {
            states[*place].event = Some(event);
        }
        for (place, graph) in self.helpers {
            states[*place].helper = Some(graph);
        }
        states
    }

    /// Which state may follow which. An error that leaves the body by `?` can end the run at any step, and is
    /// not an edge.
    pub fn edges(&self) -> Vec<Edge> {
        self.edges.lines().map(read_edge).collect()
    }

    /// The rules that were turned off for it, and why.
    pub const fn allowed(&self) -> &'static [Allowed] {
        self.allowed
    }
}

impl Serialize for Graph {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

/// One step of a workflow, as it stands in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct StateDef {
    /// The step's id.
    pub id: &'static str,
    /// What the step does.
    pub kind: StepKind,
    /// Its line in the source.
    pub line: u32,
    /// The name of the event that is waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<&'static str>,
    /// The graph of the helper that is called.
    pub helper: Option<&'static Graph>,
    /// The function that undoes it, as it stands in the source.
    pub undo: Option<&'static str>,
}

/// One place in a graph may follow another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Edge {
    /// Where it comes from.
    pub from: Node,
    /// Where it leads.
    pub to: Node,
    /// The condition, as it stands in the source; empty if there is none.
    pub condition: &'static str,
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
    /// The run restarts.
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
    /// Runs your future.
    Run,
    /// Runs your SQL in the transaction that commits the step's outcome.
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
    /// Undoes what another step did. It occurs in journals only, under that step's key.
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

/// Reads a state: `29 run fetch`, which is a line of the source, a kind and an id, and after that
/// perhaps the function that undoes it.
fn read_state(text: &'static str) -> StateDef {
    let mut words = text.split(' ');
    let line = words.next().and_then(|line| line.parse().ok()).unwrap_or_default();
    let kind = words.next().and_then(|kind| kind.parse().ok()).unwrap_or(StepKind::Run);
    let id = words.next().unwrap_or_default();
    StateDef { id, kind, line, event: None, helper: None, undo: words.next() }
}

/// Reads an edge: `0 fork1 total > 10`, which is where it comes from, where it leads, and perhaps
/// when.
fn read_edge(text: &'static str) -> Edge {
    let mut words = text.splitn(3, ' ');
    let mut node = || words.next().map_or(Node::End, read_node);
    let (from, to) = (node(), node());
    Edge { from, to, condition: words.next().unwrap_or_default() }
}

fn read_node(text: &str) -> Node {
    let number = |digits: &str| digits.parse().unwrap_or_default();
    match text {
        "start" => Node::Start,
        "end" => Node::End,
        "failed" => Node::Failed,
        "restarted" => Node::Restarted,
        _ => match (text.strip_prefix("fork"), text.strip_prefix("join")) {
            (Some(digits), _) => Node::Fork(number(digits)),
            (_, Some(digits)) => Node::Join(number(digits)),
            _ => Node::State(number(text)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_read_from_text() {
        const INSIDE: Graph = Graph::EMPTY;
        const GRAPH: Graph =
            Graph::written("3 run fetch crate::put_back\n4 wait_for_event paid\n5 helper tell", "")
                .with_events(&[(1, "order/paid")])
                .with_helpers(&[(2, &INSIDE)]);
        let state =
            |line, kind, id| StateDef { id, kind, line, event: None, helper: None, undo: None };
        let expected = [
            StateDef { undo: Some("crate::put_back"), ..state(3, StepKind::Run, "fetch") },
            StateDef { event: Some("order/paid"), ..state(4, StepKind::WaitForEvent, "paid") },
            StateDef { helper: Some(&INSIDE), ..state(5, StepKind::Helper, "tell") },
        ];
        assert_eq!(GRAPH.states(), expected);
        assert_eq!(Graph::EMPTY.states(), []);
    }

    #[test]
    fn edges_are_read_from_text() {
        let text = "start 0\n0 12 größer > 10\n12 fork1\nfork1 join1\njoin1 failed else\n\
                    0 restarted\n0 end";
        let edge = |from, to, condition| Edge { from, to, condition };
        let expected = [
            edge(Node::Start, Node::State(0), ""),
            edge(Node::State(0), Node::State(12), "größer > 10"),
            edge(Node::State(12), Node::Fork(1), ""),
            edge(Node::Fork(1), Node::Join(1), ""),
            edge(Node::Join(1), Node::Failed, "else"),
            edge(Node::State(0), Node::Restarted, ""),
            edge(Node::State(0), Node::End, ""),
        ];
        assert_eq!(Graph::written("", text).edges(), expected);
        assert_eq!(Graph::EMPTY.edges(), []);
    }
}
