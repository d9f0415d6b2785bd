use std::collections::VecDeque;

use crate::journal::{Row, StateKey};
use crate::step::{Fault, Mismatch};

/// The last lines that body and journal agreed on, for the message when they no longer do.
#[derive(Default)]
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

    /// Says how a line of the journal contradicts the body: both orders, side by side.
    pub(crate) fn contradiction(
        &self,
        row: &Row,
        mismatch: &Mismatch,
        waiting: &str,
        ended: bool,
    ) -> Fault {
        let agreed: Vec<_> = self.0.iter().map(|key| format!("`{key}`")).collect();
        let agreed = match agreed.len() {
            0 => String::new(),
            Self::LENGTH => format!("… → {} → ", agreed.join(" → ")),
            _ => format!("{} → ", agreed.join(" → ")),
        };
        let body = match mismatch {
            Mismatch::NotAbandoned => format!("`{}`, which it goes on waiting for", row.key),
            Mismatch::OtherKind(kind) => format!("`{}` ({kind})", row.key),
            Mismatch::NotEntered if ended => "its end".to_owned(),
            Mismatch::NotEntered => waiting.to_owned(),
        };
        let message = format!(
            "the body no longer does what its journal says that it did\n  journal: {agreed}`{}` ({}, \
             line {})\n  body:    {agreed}{body}",
            row.key, row.kind, row.seq
        );
        Fault::nondeterminism(Some(&row.key), message)
    }
}
