use std::collections::BTreeMap;

use crate::journal::{
    Change, End, Entry, ErrorKind, ErrorRecord, Row, RunId, StateKey, Transition, Undone,
};
use crate::payload::Payload;
use crate::step::Undo;
use crate::workflow::StepKind;

/// What a run has done, as far as it matters if it does not complete: read off its journal, so that
/// neither the body nor its memory is needed for it.
#[derive(Default)]
pub(super) struct Done {
    /// What it gave and has an undo for, by the places of the rows.
    steps: BTreeMap<u32, (StateKey, Payload)>,
    /// The runs that its steps have started and wait for.
    children: BTreeMap<StateKey, RunId>,
    /// Why it is being undone.
    why: Option<ErrorRecord>,
    undone: Vec<Undone>,
}

impl Done {
    /// Takes note of a committed row.
    pub(super) fn note(&mut self, row: &Row) {
        if let Some(step) = row.key.undone().filter(|_| row.kind == StepKind::Undo) {
            match &row.transition {
                Transition::Succeeded { .. } => self.undone.push(Undone { step, error: None }),
                Transition::Failed { error, .. } => {
                    self.undone.push(Undone { step, error: Some(error.clone()) });
                }
                _ => {}
            }
            return;
        }
        match &row.transition {
            Transition::Invoked { child, .. } => {
                self.children.insert(row.key.clone(), *child);
            }
            Transition::Succeeded { outcome, undo, .. } => {
                self.children.remove(&row.key);
                if *undo {
                    let (key, output) = (row.key.clone(), outcome.clone());
                    self.steps.insert(row.seq, (key, output));
                }
            }
            Transition::Failed { .. } | Transition::Abandoned => {
                self.children.remove(&row.key);
            }
            Transition::Undoing { error } => self.why = Some(error.clone()),
            _ => {}
        }
    }

    /// Whether the body is over and what it did is being undone.
    pub(super) fn is_being_undone(&self) -> bool {
        self.why.is_some()
    }

    /// Whether there is anything to undo, or may be once the children have stopped.
    pub(super) fn has_undos(&self, undos: &'static [Undo]) -> bool {
        let has_undo = |key: &StateKey| Undo::find(undos, key.as_str()).is_some();
        !self.steps.is_empty() || self.children.keys().any(has_undo)
    }

    /// How many rows a carried loop keeps of those in between, as they may have to be undone.
    pub(super) fn kept(&self, from: u32, before: u32) -> u32 {
        u32::try_from(self.steps.range(from..before).count()).unwrap_or(u32::MAX)
    }

    /// What is to be undone, in the order of the commits.
    pub(super) fn steps(&self) -> Vec<(StateKey, Payload)> {
        self.steps.values().cloned().collect()
    }

    pub(super) fn children(&self) -> Vec<(StateKey, RunId)> {
        self.children.iter().map(|(key, child)| (key.clone(), *child)).collect()
    }

    /// Entries that give up the children of rows that the body has never seen: nobody knows whether
    /// they are attached, so they are left to the end of the run.
    pub(super) fn give_up(&self, unseen: &[Row]) -> Vec<Entry> {
        let keys = unseen.iter().map(|row| &row.key);
        let children = keys.filter(|key| self.children.contains_key(key));
        let change = || Change::Abandon { cancelled: None };
        children
            .map(|key| Entry {
                key: key.clone(),
                kind: StepKind::Invoke,
                change: change(),
                started_at: None,
            })
            .collect()
    }

    /// Entries that give up children which are asked to cancel.
    pub(super) fn abandoned(&self, cancelled: &[RunId]) -> Vec<Entry> {
        let asked = self.children.iter().filter(|(_, child)| cancelled.contains(child));
        asked
            .map(|(key, child)| Entry {
                key: key.clone(),
                kind: StepKind::Invoke,
                change: Change::Abandon { cancelled: Some(*child) },
                started_at: None,
            })
            .collect()
    }

    /// The run's end, once what could be undone is: `left` says why the others were not.
    pub(super) fn end(&self, left: Option<&str>) -> End {
        let why = self.why.clone();
        let why = why.unwrap_or_else(|| ErrorRecord::new(ErrorKind::Error, "it was undone"));
        let mut undone = self.undone.clone();
        if let Some(left) = left {
            let rest = self.steps.values().rev().skip(undone.len());
            let error = ErrorRecord::new(ErrorKind::Cancelled, left);
            undone.extend(
                rest.map(|(step, _)| Undone { step: step.clone(), error: Some(error.clone()) }),
            );
        }
        let complete = undone.iter().all(|undone| undone.error.is_none());
        match (is_cancellation(&why), complete) {
            (true, true) => End::Cancelled(why.message),
            (true, false) => {
                let message = format!("the run was cancelled: {}", why.message);
                End::Failed(ErrorRecord { message, ..why }.with_undone(undone))
            }
            (false, _) => End::Failed(why.with_undone(undone)),
        }
    }
}

/// Why a run does not complete, as its journal has it.
pub(super) fn reason(end: &End) -> Option<ErrorRecord> {
    match end {
        End::Completed(_) => None,
        End::Failed(error) => Some(error.clone()),
        End::Cancelled(reason) => Some(ErrorRecord::new(ErrorKind::Cancelled, reason.clone())),
    }
}

/// A body that fails because a child was cancelled names the step.
fn is_cancellation(why: &ErrorRecord) -> bool {
    why.kind == ErrorKind::Cancelled && why.step.is_none()
}

/// Parts a journal: the outcomes that carried loops have kept of earlier iterations, as they may have
/// to be undone, and the rows that the body sees again.
pub(super) fn part(journal: Vec<Row>) -> (Vec<Row>, Vec<Row>) {
    let (mut kept, mut seen) = (Vec::new(), Vec::new());
    for row in journal {
        if let Transition::Carried { first: Some(first), .. } = row.transition {
            let outside = seen.partition_point(|row: &Row| row.seq < first);
            kept.extend(seen.drain(outside..));
        }
        seen.push(row);
    }
    (kept, seen)
}
