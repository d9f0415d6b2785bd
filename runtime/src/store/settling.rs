//! Runs that are settled: their program says which events cancel them and what limits they have.

use super::read::Columns;
use super::{StoreError, Terms};
use crate::flow::NewRun;
use crate::id::RunId;

/// Runs that were not settled.
#[derive(Default)]
pub(super) struct Settling {
    /// All of them, also those that no longer need it: they were cancelled before, or are over.
    pub(super) taken: Vec<RunId>,
    /// What is known of the others now.
    pub(super) runs: Vec<NewRun>,
}

impl Settling {
    pub(super) fn add(&mut self, row: &impl Columns, terms: &dyn Terms) -> Result<(), StoreError> {
        let run: RunId = row.uuid("id")?;
        self.taken.push(run);
        if row.flag("waits")? {
            let (workflow, input) = (row.text("workflow")?, row.payload("input")?);
            let (cancels, passage) =
                (terms.cancels(&workflow, &input), terms.passage(&workflow, &input));
            let known = NewRun { id: run, cancels, ..NewRun::new(&workflow, None, input) };
            self.runs.push(known.passing(passage));
        }
        Ok(())
    }
}
