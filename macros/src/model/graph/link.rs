use super::flow::{Arm, Exit, Flow, Loop, RaceBranch};
use super::{Edge, Node};

/// Links what a body does to edges between its states.
pub(super) fn link(body: &Flow, states: &[String]) -> Vec<Edge> {
    let mut linker = Linker { states, ..Linker::default() };
    let ends = linker.flow(body, vec![Open::after(Node::Start)]);
    linker.connect(ends, Node::End);
    linker.without_junctions()
}

/// Where control comes from, and under which condition.
#[derive(Clone)]
struct Open {
    from: Node,
    condition: String,
}

impl Open {
    fn after(from: Node) -> Self {
        Self { from, condition: String::new() }
    }

    fn when(&self, condition: &str) -> Self {
        Self { from: self.from, condition: both(&self.condition, condition) }
    }
}

/// Where `break` and `continue` lead.
struct Scope {
    label: Option<String>,
    /// `None` for a block.
    head: Option<Node>,
    after: Node,
}

#[derive(Default)]
struct Linker<'s> {
    states: &'s [String],
    edges: Vec<Edge>,
    scopes: Vec<Scope>,
    junctions: usize,
    joins: usize,
}

impl Linker<'_> {
    /// Links a flow behind the open ends; gives those that it leaves.
    fn flow(&mut self, flow: &Flow, open: Vec<Open>) -> Vec<Open> {
        match flow {
            Flow::Step(id) => self.step(id, open),
            Flow::Sequence(flows) => flows.iter().fold(open, |open, flow| self.flow(flow, open)),
            Flow::Choice(arms) => self.choice(arms, &open),
            Flow::Loop(inner) => self.looping(inner, open),
            Flow::Block { label, body } => {
                let after = self.junction();
                self.scopes.push(Scope { label: Some(label.clone()), head: None, after });
                let ends = self.flow(body, open);
                self.scopes.pop();
                self.connect(ends, after);
                vec![Open::after(after)]
            }
            Flow::Together(branches) => self.together(branches, open),
            Flow::Race(branches) => self.race(branches, open),
            Flow::Exit(exit) => {
                if let Some(target) = self.target(exit) {
                    self.connect(open, target);
                }
                Vec::new()
            }
        }
    }

    fn step(&mut self, id: &str, open: Vec<Open>) -> Vec<Open> {
        let Some(state) = self.states.iter().position(|state| state == id) else {
            return open;
        };
        self.connect(open, Node::State(state));
        vec![Open::after(Node::State(state))]
    }

    fn choice(&mut self, arms: &[Arm], open: &[Open]) -> Vec<Open> {
        let mut ends = Vec::new();
        for Arm { condition, flow } in arms {
            let open = open.iter().map(|open| open.when(condition)).collect();
            ends.extend(self.flow(flow, open));
        }
        ends
    }

    fn looping(&mut self, inner: &Loop, open: Vec<Open>) -> Vec<Open> {
        let (head, after) = (self.junction(), self.junction());
        self.connect(open, head);
        self.scopes.push(Scope { label: inner.label.clone(), head: Some(head), after });
        let mut open = self.flow(&inner.head, vec![Open::after(head)]);
        let mut done = Vec::new();
        if let Some(condition) = &inner.condition {
            done = open.iter().map(|open| open.when("done")).collect();
            open = open.iter().map(|open| open.when(condition)).collect();
        }
        let ends = self.flow(&inner.body, open);
        self.scopes.pop();
        self.connect(ends, head);
        self.connect(done, after);
        vec![Open::after(after)]
    }

    fn together(&mut self, branches: &[Flow], open: Vec<Open>) -> Vec<Open> {
        let (fork, join) = (Node::Fork(self.joins), Node::Join(self.joins));
        self.joins += 1;
        self.connect(open, fork);
        for branch in branches {
            let ends = self.flow(branch, vec![Open::after(fork)]);
            self.connect(ends, join);
        }
        vec![Open::after(join)]
    }

    /// Like a join that only one leaves.
    fn race(&mut self, branches: &[RaceBranch], open: Vec<Open>) -> Vec<Open> {
        let fork = Node::Fork(self.joins);
        self.joins += 1;
        self.connect(open, fork);
        let mut ends = Vec::new();
        for RaceBranch { operation, body } in branches {
            let won = self.flow(operation, vec![Open::after(fork)]);
            let won = won.iter().map(|open| open.when("first")).collect();
            ends.extend(self.flow(body, won));
        }
        ends
    }

    /// Where an exit leads; `None` if it names no loop or block, which rustc says.
    fn target(&self, exit: &Exit) -> Option<Node> {
        match exit {
            Exit::Return { failed: false } => Some(Node::End),
            Exit::Return { failed: true } => Some(Node::Failed),
            Exit::Restart => Some(Node::Restarted),
            Exit::Break(label) => self.scope(label.as_deref()).map(|scope| scope.after),
            Exit::Continue(label) => self.scope(label.as_deref())?.head,
        }
    }

    fn scope(&self, label: Option<&str>) -> Option<&Scope> {
        self.scopes.iter().rev().find(|scope| match label {
            Some(_) => scope.label.as_deref() == label,
            None => scope.head.is_some(),
        })
    }

    fn junction(&mut self) -> Node {
        self.junctions += 1;
        Node::Junction(self.junctions - 1)
    }

    fn connect(&mut self, open: Vec<Open>, to: Node) {
        self.edges.extend(open.into_iter().map(|Open { from, condition }| Edge {
            from,
            to,
            condition,
        }));
    }

    /// Takes the junctions out: every way into one goes on along every way out of it. The innermost
    /// go first, so that a loop without steps in a loop leads back to where it began, which is
    /// nothing.
    fn without_junctions(mut self) -> Vec<Edge> {
        for number in (0..self.junctions).rev() {
            let junction = Node::Junction(number);
            let mut leaving: Vec<_> =
                self.edges.extract_if(.., |edge| edge.from == junction).collect();
            leaving.retain(|edge| edge.to != junction);
            for edge in std::mem::take(&mut self.edges) {
                if edge.to == junction {
                    self.edges.extend(leaving.iter().map(|out| through(&edge, out)));
                } else {
                    self.edges.push(edge);
                }
            }
        }
        let mut unique = Vec::with_capacity(self.edges.len());
        for edge in self.edges {
            if !unique.contains(&edge) {
                unique.push(edge);
            }
        }
        unique
    }
}

fn through(into: &Edge, out: &Edge) -> Edge {
    Edge { from: into.from, to: out.to, condition: both(&into.condition, &out.condition) }
}

fn both(first: &str, second: &str) -> String {
    match (first, second) {
        ("", only) | (only, "") | (only @ "else", "else") => only.to_owned(),
        (first, second) => format!("{first}, {second}"),
    }
}
