//! Runs that operators have begun: what they are subject to.

use std::collections::BTreeMap;

use super::gated::Subject;
use super::read::Columns;
use super::{StoreError, Terms};
use crate::id::RunId;
use crate::journal::CancelKey;
use crate::workflow::Passage;

/// A run that was begun.
pub(super) struct Begun {
    pub(super) run: RunId,
    app: String,
    pub(super) cancels: Vec<CancelKey>,
    passage: Passage,
}

impl Begun {
    pub(super) fn read(row: &impl Columns, terms: &dyn Terms) -> Result<Self, StoreError> {
        let (workflow, input) = (row.text("workflow")?, row.payload("input")?);
        Ok(Self {
            run: row.uuid("id")?,
            app: row.text("app")?,
            cancels: terms.cancels(&workflow, &input),
            passage: terms.passage(&workflow, &input),
        })
    }
}

/// Those that have gates or a priority, by app.
pub(super) fn subjects(begun: &[Begun]) -> BTreeMap<&str, Vec<Subject<'_>>> {
    let mut subjects = BTreeMap::<_, Vec<_>>::new();
    for Begun { run, app, passage, .. } in begun {
        if !passage.gates.is_empty() || passage.ahead != 0 {
            let subject = Subject { run: *run, gates: &passage.gates, ahead: passage.ahead };
            subjects.entry(&**app).or_default().push(subject);
        }
    }
    subjects
}
