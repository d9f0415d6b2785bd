use std::collections::VecDeque;
use std::fmt;

use super::table::Waiting;
use crate::journal::{Row, StateKey};
use crate::workflow::StepKind;

/// A row of the journal and the body contradict one another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nondeterminism {
    /// What both agreed on before.
    pub(crate) agreed: Trail,
    pub(crate) expected: Expected,
    pub(crate) found: Found,
}

/// What the journal says that the body did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) key: StateKey,
    pub(crate) kind: StepKind,
    /// The row's place.
    pub(crate) seq: u32,
}

/// What the body does instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// It never came to the step, and waits for others.
    Waiting(Waiting),
    /// It never came to the step, and is over.
    End,
    /// It came to it, and it is another kind of step now.
    OtherKind(StepKind),
    /// It no longer lets go of it.
    NotAbandoned,
}

impl Expected {
    pub(crate) fn of(row: &Row) -> Self {
        Self { key: row.key.clone(), kind: row.kind, seq: row.seq }
    }
}

/// The last steps on whose outcomes body and journal agreed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Trail(VecDeque<StateKey>);

impl Trail {
    const LENGTH: usize = 8;

    pub(crate) fn push(&mut self, row: &Row) {
        if row.transition.is_outcome() {
            if self.0.len() == Self::LENGTH {
                self.0.pop_front();
            }
            self.0.push_back(row.key.clone());
        }
    }
}

/// The steps, each with an arrow to what comes next.
impl fmt::Display for Trail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.len() == Self::LENGTH {
            f.write_str("… → ")?;
        }
        self.0.iter().try_for_each(|key| write!(f, "`{key}` → "))
    }
}

/// Both orders, side by side.
impl fmt::Display for Nondeterminism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { agreed, expected: Expected { key, kind, seq }, found } = self;
        write!(
            f,
            "the body no longer does what its journal says that it did\n  journal: {agreed}`{key}` \
             ({kind}, row {seq})\n  body:    {agreed}"
        )?;
        match found {
            Found::Waiting(waiting) => write!(f, "{waiting}"),
            Found::End => f.write_str("its end"),
            Found::OtherKind(kind) => write!(f, "`{key}` ({kind})"),
            Found::NotAbandoned => write!(f, "`{key}`, which it goes on waiting for"),
        }
    }
}
