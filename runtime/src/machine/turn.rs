use std::task::Poll;

use jiff::Timestamp;

use super::phase::{EndState, Phase};
use super::position::Position;
use super::{End, Machine, done};
use crate::journal::{Change, Entry, ErrorKind, ErrorRecord, MessageId, StateKey};
use crate::step::{Fault, HandedIn, Open};
use crate::workflow::StepKind;

/// What the driver has to do.
#[derive(Debug, PartialEq)]
pub(crate) enum Turn {
    /// Persist this, then call [`Machine::committed`].
    Commit(Box<Commit>),
    /// Nothing happens before this time, or before the run is told something: the machine may be
    /// dropped and made again from its journal.
    Idle { until: Option<Timestamp> },
    /// It was asked to [`drain`](Machine::drain) or to [`hesitate`](Machine::hesitate), and no step is in
    /// progress any more.
    Drained,
    /// The run's end is committed.
    Ended,
    /// Body and journal do not fit one another; nothing may be executed or written.
    Held(Fault),
}

/// What a machine asks to be persisted, all or nothing.
#[derive(Debug, PartialEq)]
pub(crate) struct Commit {
    /// The place of the first line.
    pub(crate) first_seq: u32,
    pub(crate) entries: Vec<Entry>,
    /// Messages that have had their effect.
    pub(crate) taken: Vec<MessageId>,
    /// Messages that nothing waits for.
    pub(crate) discarded: Vec<MessageId>,
    /// What the run is found by from now on: keys and values.
    pub(crate) attributes: Vec<(String, String)>,
    /// The run's end, if this is it.
    pub(crate) end: Option<End>,
    /// The transaction of a step that this is the last statement of. Then there is one line, its
    /// outcome, and nothing else.
    pub(crate) transaction: Option<Open>,
}

/// What there is for the driver to do, once the body waits and has seen its journal.
impl Machine {
    pub(super) fn turn(&mut self) -> Poll<Turn> {
        if self.position.is_ahead() {
            return Poll::Pending;
        }
        if let Phase::Over { end: EndState::GivenOut, .. } = self.phase {
            return Poll::Ready(Turn::Ended);
        }
        if let Some(commit) = self.transaction() {
            return Poll::Ready(self.give_out(commit));
        }
        if self.operations().is_locked() {
            return Poll::Pending;
        }
        match self.handed_in() {
            Some(commit) => Poll::Ready(self.give_out(commit)),
            None => self.rest(),
        }
    }

    fn give_out(&mut self, commit: Commit) -> Turn {
        self.position = Position::Ahead(commit.entries.clone());
        Turn::Commit(Box::new(commit))
    }

    /// The outcome of a transaction, which is committed with it and nothing else.
    fn transaction(&mut self) -> Option<Commit> {
        let (entry, open) = self.operations().outbox.take_transaction()?;
        let entries = vec![entry];
        let limit = self.operations().terms.limits.lines;
        if self.lines_with(&entries) > limit {
            self.ended(End::Failed(too_long(limit)));
            return None;
        }
        Some(Commit {
            first_seq: self.next_seq,
            entries,
            taken: Vec::new(),
            discarded: Vec::new(),
            attributes: Vec::new(),
            end: None,
            transaction: Some(open),
        })
    }

    /// What was handed in, and the run's end if it has come.
    fn handed_in(&mut self) -> Option<Commit> {
        let HandedIn { mut entries, taken, discarded } = self.operations().outbox.take_handed_in();
        // A later wait may be told of them again.
        self.inbox.forget(&discarded);
        let limit = self.operations().terms.limits.lines;
        if matches!(self.phase, Phase::Body { .. }) && self.lines_with(&entries) > limit {
            entries.retain(|entry| entry.change.is_outcome());
            self.ended(End::Failed(too_long(limit)));
            entries.extend(self.operations().outbox.take_handed_in().entries);
        }
        self.before_the_end(&mut entries);
        let end = self.phase.give_out_end();
        if entries.is_empty() && taken.is_empty() && discarded.is_empty() && end.is_none() {
            return None;
        }
        let attributes = self.operations().outbox.take_attributes();
        let (first_seq, transaction) = (self.next_seq, None);
        Some(Commit { first_seq, entries, taken, discarded, attributes, end, transaction })
    }

    /// Puts on record, where the body has not completed, that what it did is undone first, or else
    /// leaves out what goes with the run's end anyway.
    fn before_the_end(&mut self, entries: &mut Vec<Entry>) {
        let Phase::Over { end: EndState::Reached(end), .. } = &self.phase else { return };
        let has_undo = |entry: &Entry| matches!(entry.change, Change::Succeed { undo: true, .. });
        let may_undo = self.done.has_undos(self.undos) || entries.iter().any(has_undo);
        let error = done::reason(end).filter(|_| may_undo && !self.done.is_being_undone());
        let Some(error) = error else {
            return entries.retain(|entry| !matches!(entry.change, Change::Abandon { .. }));
        };
        // Attached children are not abandoned, as their ends are waited for.
        let mut cancelled = Vec::new();
        entries.retain(|entry| match entry.change {
            Change::Abandon { cancelled: Some(child) } => {
                cancelled.push(child);
                false
            }
            _ => true,
        });
        let change = Change::Undo { error, cancelled };
        entries.push(Entry {
            key: StateKey::of_undoing(),
            kind: StepKind::Undo,
            change,
            started_at: None,
        });
        if let Phase::Over { end, .. } = &mut self.phase {
            *end = EndState::PutOff;
        }
    }

    /// Nothing is to be committed: it depends on what the body waits for.
    fn rest(&mut self) -> Poll<Turn> {
        let mut operations = self.operations();
        if operations.table.is_empty() {
            operations.fail(Fault::Stalled);
            return Poll::Ready(Turn::Held(Fault::Stalled));
        }
        if operations.table.is_idle() {
            drop(operations);
            return Poll::Ready(Turn::Idle { until: self.next_due() });
        }
        match operations.is_drained() {
            true => Poll::Ready(Turn::Drained),
            false => Poll::Pending,
        }
    }
}

fn too_long(limit: u32) -> ErrorRecord {
    let message = format!(
        "the run's journal would have more than {limit} lines, all of which every resume reads: carry \
         the variables of a long loop with `#[carried(..)]` (the steps in it that have an undo stay in \
         the journal all the same), give parts of the work to other workflows with \
         `step.invoke(..)`, or begin anew with `return step.restart(..)`"
    );
    ErrorRecord::new(ErrorKind::JournalTooLong, message)
}
