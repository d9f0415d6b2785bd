//! The text that the macros make of a graph.

use super::{Edge, Node, StateDef, StepKind};

/// Reads a state: `29 run fetch`, which is a line of the source, a kind and an id, and after that
/// perhaps the function that undoes it.
pub(super) fn state(text: &'static str) -> StateDef {
    let mut words = text.split(' ');
    let line = words.next().and_then(|line| line.parse().ok()).unwrap_or_default();
    let kind = words.next().and_then(|kind| kind.parse().ok()).unwrap_or(StepKind::Run);
    let id = words.next().unwrap_or_default();
    StateDef { id, kind, line, event: None, helper: None, undo: words.next() }
}

/// Reads an edge: `0 fork1 total > 10`, which is where it comes from, where it leads, and perhaps
/// when.
pub(super) fn edge(text: &'static str) -> Edge {
    let mut words = text.splitn(3, ' ');
    let mut node = || words.next().map_or(Node::End, node);
    let (from, to) = (node(), node());
    Edge { from, to, condition: words.next().unwrap_or_default() }
}

fn node(text: &str) -> Node {
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
    use super::super::Graph;
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
