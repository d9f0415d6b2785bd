use std::collections::HashMap;

use super::{Flow, Line, Place};
use crate::workflow::{Graph, Node, StateDef, StepKind};

impl Flow {
    /// The graph without what resumed runs do not notice, with the steps of helpers in the places of
    /// their calls, in an order that depends on the order of its states alone.
    pub(super) fn of(graph: &Graph) -> Self {
        let flat = Flat::of(graph);
        let mut nodes: Vec<Node> = (0..flat.states.len()).map(Node::State).collect();
        nodes.extend(flat.edges.iter().map(|(from, _)| *from));
        flat.put_in_order(&mut nodes);

        // Forks are counted as they stand there, by people, from one.
        let forks = nodes.iter().filter_map(|node| match node {
            Node::Fork(number) => Some(*number),
            _ => None,
        });
        let numbers: HashMap<usize, u32> = forks.zip(1..).collect();
        let numbered = |number: usize| numbers.get(&number).copied().unwrap_or(0);
        let place = |node: Node| match node {
            Node::Start => Place::Start,
            Node::State(index) => {
                let State { id, kind, .. } = &flat.states[index];
                Place::Step(id.clone(), *kind)
            }
            Node::Fork(number) => Place::Fork(numbered(number)),
            Node::Join(number) => Place::Join(numbered(number)),
            Node::End => Place::End,
            Node::Failed => Place::Failed,
            Node::Restarted => Place::Restarted,
        };
        let lines = nodes.into_iter().map(|node| {
            let mut next: Vec<Node> = flat.successors(node).collect();
            flat.put_in_order(&mut next);
            let event = match node {
                Node::State(index) => flat.states[index].event.map(str::to_owned),
                _ => None,
            };
            Line { place: place(node), event, next: next.into_iter().map(place).collect() }
        });
        Self(lines.collect())
    }
}

/// A graph without helpers.
struct Flat {
    states: Vec<State>,
    edges: Vec<(Node, Node)>,
    /// How many numbers of forks are taken.
    forks: usize,
}

struct State {
    id: String,
    kind: StepKind,
    event: Option<&'static str>,
}

/// A place while helpers are put in.
#[derive(Clone, Copy, PartialEq)]
enum Spot {
    At(Node),
    /// Where a call begins and ends, by the place of its state in the graph.
    Before(usize),
    Behind(usize),
}

impl Flat {
    fn of(graph: &Graph) -> Self {
        let (states, edges) = (graph.states(), graph.edges());
        let ends = edges.iter().flat_map(|edge| [edge.from, edge.to]);
        let own_forks = ends.filter_map(|node| match node {
            Node::Fork(number) | Node::Join(number) => Some(number + 1),
            _ => None,
        });
        let mut flat =
            Self { states: Vec::new(), edges: Vec::new(), forks: own_forks.max().unwrap_or(0) };
        let mut spots = Vec::new();
        // Where each state that is no call stands among the flat ones.
        let mut stands = Vec::new();
        for (index, (id, state)) in ids(&states).into_iter().zip(&states).enumerate() {
            stands.push(flat.states.len());
            match state.helper {
                Some(helper) => spots.extend(flat.enter(index, &id, Self::of(helper))),
                None => {
                    flat.states.push(State { id, kind: state.kind, event: state.event });
                }
            }
        }
        let call = |node: Node| match node {
            Node::State(index) if states[index].helper.is_some() => Some(index),
            _ => None,
        };
        let at = |node: Node| match node {
            Node::State(index) => Spot::At(Node::State(stands[index])),
            other => Spot::At(other),
        };
        spots.extend(edges.iter().map(|edge| {
            let from = call(edge.from).map_or_else(|| at(edge.from), Spot::Behind);
            let to = call(edge.to).map_or_else(|| at(edge.to), Spot::Before);
            (from, to)
        }));
        for index in (0..states.len()).filter(|index| states[*index].helper.is_some()) {
            spots = without(without(spots, Spot::Before(index)), Spot::Behind(index));
        }
        flat.edges = spots
            .into_iter()
            .filter_map(|spots| match spots {
                (Spot::At(from), Spot::At(to)) => Some((from, to)),
                _ => None,
            })
            .collect();
        flat
    }

    /// Takes in the steps of a helper; gives their edges.
    fn enter(&mut self, call: usize, id: &str, helper: Self) -> Vec<(Spot, Spot)> {
        let (states, forks) = (self.states.len(), self.forks);
        self.forks += helper.forks;
        let inside = |state: State| State { id: format!("{id}/{}", state.id), ..state };
        self.states.extend(helper.states.into_iter().map(inside));
        let spot = |node| match node {
            Node::Start => Spot::Before(call),
            Node::State(index) => Spot::At(Node::State(states + index)),
            Node::Fork(number) => Spot::At(Node::Fork(forks + number)),
            Node::Join(number) => Spot::At(Node::Join(forks + number)),
            // What becomes of its error is the caller's affair.
            Node::End | Node::Failed | Node::Restarted => Spot::Behind(call),
        };
        helper.edges.into_iter().map(|(from, to)| (spot(from), spot(to))).collect()
    }

    fn successors(&self, node: Node) -> impl Iterator<Item = Node> {
        self.edges.iter().filter(move |(from, _)| *from == node).map(|(_, to)| *to)
    }

    fn put_in_order(&self, nodes: &mut Vec<Node>) {
        nodes.sort_by_key(|node| self.rank(*node));
        nodes.dedup();
    }

    /// Where a place stands among the states: a fork before its first branch, a join after its last.
    fn rank(&self, node: Node) -> (usize, usize, usize) {
        let states = self.states.len();
        match node {
            Node::Start => (0, 0, 0),
            Node::State(index) => (2 * index + 2, 0, 0),
            Node::Fork(number) => {
                let first = self.first_state(number).unwrap_or(states);
                (2 * first + 1, 1, number)
            }
            Node::Join(number) => {
                let last = self.edges.iter().filter(|(_, to)| *to == node);
                let last = last.map(|(from, _)| self.rank(*from).0).max();
                // Joins nest inside out.
                (last.map_or(0, |last| last | 1), 0, usize::MAX - number)
            }
            Node::End => (2 * states + 3, 0, 0),
            Node::Failed => (2 * states + 3, 1, 0),
            Node::Restarted => (2 * states + 3, 2, 0),
        }
    }

    /// The first state in the branches of a fork; one that begins a branch may be a fork itself.
    fn first_state(&self, fork: usize) -> Option<usize> {
        let first = self.successors(Node::Fork(fork)).filter_map(|node| match node {
            Node::State(index) => Some(index),
            Node::Fork(inner) if inner != fork => self.first_state(inner),
            _ => None,
        });
        first.min()
    }
}

/// Takes a spot out: what led to it leads to what followed it.
fn without(edges: Vec<(Spot, Spot)>, spot: Spot) -> Vec<(Spot, Spot)> {
    let following: Vec<_> =
        edges.iter().filter(|(from, to)| *from == spot && *to != spot).map(|(_, to)| *to).collect();
    let kept = edges.into_iter().filter(|(from, _)| *from != spot);
    kept.flat_map(|(from, to)| match to == spot {
        true => following.iter().map(|to| (from, *to)).collect(),
        false => vec![(from, to)],
    })
    .collect()
}

/// The ids of the states; one that stands there again is told apart as its key would be.
fn ids(states: &[StateDef]) -> Vec<String> {
    let mut seen = HashMap::<&str, u32>::new();
    let ids = states.iter().map(|state| {
        let before = seen.entry(state.id).or_default();
        *before += 1;
        match *before {
            1 => state.id.to_owned(),
            nth => format!("{}#{}", state.id, nth - 1),
        }
    });
    ids.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_stands_in_the_order_of_its_steps_whatever_the_order_of_the_edges() {
        const HELPER: Graph = Graph::written(
            "20 run mail",
            "start fork0 wanted\nstart end else\nfork0 0\n0 join0\njoin0 end",
        );
        let lines = |edges| {
            let states = "3 run fetch\n5 helper tell\n6 wait_for_event rest\n9 helper tell";
            let helpers = &[(1, &HELPER), (3, &HELPER)];
            let graph = Graph::written(states, edges).with_events(&[(2, "day/begun")]);
            let graph = graph.with_helpers(helpers);
            Flow::of(&graph).0.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let edges = "start 0\n0 failed bad\n0 fork0 else\n0 fork0 other\nfork0 1\nfork0 2\n\
                     1 join0\n2 join0\njoin0 3";
        let backwards = "join0 3\n2 join0\n1 join0\nfork0 2\nfork0 1\n0 fork0 other\n\
                         0 fork0 else\n0 failed bad\nstart 0";
        let expected = [
            "(start) -> fetch",
            "run fetch -> (fork 1), (failed)",
            "(fork 1) -> (fork 2), rest, (join 1)",
            "(fork 2) -> tell/mail",
            "run tell/mail -> (join 2)",
            "(join 2) -> (join 1)",
            "wait_for_event rest of day/begun -> (join 1)",
            "(join 1) -> (fork 3)",
            "(fork 3) -> tell#1/mail",
            "run tell#1/mail -> (join 3)",
        ];
        assert_eq!(lines(edges), expected);
        assert_eq!(lines(backwards), expected);
    }
}
