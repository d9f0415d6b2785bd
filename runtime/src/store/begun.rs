//! Runs that operators have begun: what they are subject to.

use std::collections::BTreeMap;

use super::gated::Subject;
use super::hints::Work;
use super::read::Columns;
use super::{StoreError, Terms};
use crate::id::RunId;
use crate::journal::CancelKey;
use crate::workflow::Passage;

/// A run that was begun.
pub(super) struct Begun {
    pub(super) run: RunId,
    app: String,
    /// Whether what follows is known.
    known: bool,
    pub(super) cancels: Vec<CancelKey>,
    passage: Passage,
}

impl Begun {
    pub(super) fn read(row: &impl Columns, terms: &dyn Terms) -> Result<Self, StoreError> {
        let (workflow, input) = (row.text("workflow")?, row.payload("input")?);
        let (run, app, known) = (row.uuid("id")?, row.text("app")?, terms.know(&workflow));
        if !known {
            let (cancels, passage) = (Vec::new(), Passage::default());
            return Ok(Self { run, app, known, cancels, passage });
        }
        let (cancels, passage) =
            (terms.cancels(&workflow, &input), terms.passage(&workflow, &input));
        Ok(Self { run, app, known, cancels, passage })
    }
}

/// What there is to do for them.
pub(super) fn work(begun: &[Begun]) -> Work {
    // Also one without gates had some, maybe, before it was retried.
    let ready = Work::READY | Work::GATES;
    match begun.iter().all(|begun| begun.known) {
        true => ready,
        false => ready | Work::UNSETTLED,
    }
}

/// Those that nobody has said anything of yet.
pub(super) fn unsettled(begun: &[Begun]) -> impl Iterator<Item = RunId> {
    begun.iter().filter(|begun| !begun.known).map(|begun| begun.run)
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
