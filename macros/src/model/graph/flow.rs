/// What a body does, as far as its steps are concerned.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// A step, by its key.
    Step(String),
    /// One after the other; empty for code without steps.
    Sequence(Vec<Flow>),
    /// One of several, by conditions.
    Choice(Vec<Arm>),
    /// Again and again.
    Loop(Loop),
    /// A block that a `break` with its label leaves.
    Block { label: String, body: Box<Flow> },
    /// Side by side, until all have ended.
    Together(Vec<Flow>),
    /// Side by side, until the first has ended; its branch goes on alone.
    Race(Vec<RaceBranch>),
    /// Somewhere else.
    Exit(Exit),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct RaceBranch {
    pub(super) operation: Flow,
    /// What follows if it wins.
    pub(super) body: Flow,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Arm {
    /// As it stands in the source.
    pub(super) condition: String,
    pub(super) flow: Flow,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Loop {
    pub(super) label: Option<String>,
    /// The steps in its condition.
    pub(super) head: Box<Flow>,
    /// When it goes round; `None` for a bare `loop`, which only an exit leaves.
    pub(super) condition: Option<String>,
    pub(super) body: Box<Flow>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Exit {
    /// The body ends, with an error of its own if `failed`.
    Return { failed: bool },
    /// The run begins anew.
    Restart,
    /// A loop or a labelled block ends.
    Break(Option<String>),
    /// A loop goes round.
    Continue(Option<String>),
}

impl Flow {
    pub(super) const NOTHING: Self = Self::Sequence(Vec::new());

    pub(super) fn sequence(flows: Vec<Self>) -> Self {
        let mut flows: Vec<_> = flows.into_iter().filter(|flow| *flow != Self::NOTHING).collect();
        match flows.len() {
            1 => flows.remove(0),
            _ => Self::Sequence(flows),
        }
    }

    /// A choice between nothing and nothing is none.
    pub(super) fn choice(arms: Vec<Arm>) -> Self {
        if arms.iter().all(|arm| arm.flow == Self::NOTHING) {
            Self::NOTHING
        } else {
            Self::Choice(arms)
        }
    }

    /// A loop in which nothing happens but the loop itself is nothing to the run.
    pub(super) fn looping(inner: Loop) -> Self {
        let label = inner.label.as_deref();
        if inner.head.is_seen_outside(label, true) || inner.body.is_seen_outside(label, true) {
            Self::Loop(inner)
        } else {
            Self::NOTHING
        }
    }

    pub(super) fn block(label: String, body: Self) -> Self {
        if body.is_seen_outside(Some(&label), false) {
            Self::Block { label, body: Box::new(body) }
        } else {
            Self::NOTHING
        }
    }

    /// Whether it has steps, or leaves more than the loop or block called `label`, which is what a
    /// bare `break` leaves too if it is a loop.
    fn is_seen_outside(&self, label: Option<&str>, in_loop: bool) -> bool {
        let seen = |flow: &Self| flow.is_seen_outside(label, in_loop);
        match self {
            Self::Step(_) => true,
            Self::Sequence(flows) | Self::Together(flows) => flows.iter().any(seen),
            Self::Choice(arms) => arms.iter().any(|arm| seen(&arm.flow)),
            Self::Race(branches) => {
                branches.iter().any(|branch| seen(&branch.operation) || seen(&branch.body))
            }
            // They were built already, so they are seen.
            Self::Loop(_) | Self::Block { .. } => true,
            Self::Exit(Exit::Return { .. } | Exit::Restart) => true,
            Self::Exit(Exit::Break(None) | Exit::Continue(None)) => !in_loop,
            Self::Exit(Exit::Break(Some(target)) | Exit::Continue(Some(target))) => {
                label != Some(target)
            }
        }
    }
}
