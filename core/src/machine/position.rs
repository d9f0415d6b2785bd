use std::collections::VecDeque;

use crate::journal::{Entry, Row};

/// How what is polled stands to the journal.
pub(super) enum Position {
    /// There are committed rows that it has not seen yet.
    Behind {
        rows: VecDeque<Row>,
        /// How many of them it has seen before, when another machine drove the run.
        recorded: usize,
    },
    /// It has seen all of them.
    Level,
    /// What it did since was given out to be committed, until the driver says that it was.
    Ahead(Vec<Entry>),
}

impl Position {
    /// Where a run stands that is taken up.
    pub(super) fn resumed(rows: Vec<Row>) -> Self {
        let recorded = rows.len();
        Self::Behind { rows: rows.into(), recorded }
    }

    /// Whether there are rows that were seen by another machine, and not by this one.
    pub(super) fn has_recorded(&self) -> bool {
        matches!(self, Self::Behind { recorded: 1.., .. })
    }

    pub(super) fn is_behind(&self) -> bool {
        matches!(self, Self::Behind { .. })
    }

    pub(super) fn is_ahead(&self) -> bool {
        matches!(self, Self::Ahead(_))
    }

    /// The next row that is to be seen.
    pub(super) fn next_line(&mut self) -> Option<Row> {
        let Self::Behind { rows, recorded } = self else { return None };
        let row = rows.pop_front()?;
        *recorded = recorded.saturating_sub(1);
        Some(row)
    }

    /// The rows that have not been seen: they are never going to be.
    pub(super) fn skip(&mut self) -> Vec<Row> {
        let Self::Behind { rows, .. } = self else { return Vec::new() };
        let unseen = std::mem::take(rows).into();
        *self = Self::Level;
        unseen
    }

    /// What was given out, now that something has become of it.
    pub(super) fn take_back(&mut self) -> Option<Vec<Entry>> {
        let Self::Ahead(entries) = self else { return None };
        let entries = std::mem::take(entries);
        *self = Self::Level;
        Some(entries)
    }
}
