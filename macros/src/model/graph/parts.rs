/// One state may follow another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edge {
    pub(crate) from: Node,
    pub(crate) to: Node,
    /// As it stands in the source; empty if there is none.
    pub(crate) condition: String,
}

/// A place in the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Node {
    /// Where the run begins.
    Start,
    /// A step, by its place among the states.
    State(usize),
    /// Where the branches of a `join!` or a `race!` begin.
    Fork(usize),
    /// Where they have all ended.
    Join(usize),
    /// The run has its output.
    End,
    /// The body gives an error of its own.
    Failed,
    /// The run begins anew.
    Restarted,
    /// A place where ways meet; none is left when the graph is finished.
    Junction(usize),
}
