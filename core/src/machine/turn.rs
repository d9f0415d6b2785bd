use std::task::Poll;

use jiff::Timestamp;

use super::phase::{EndState, Phase};
use super::position::Position;
use super::{Machine, done};
use crate::journal::{
    CancelKey, Change, End, Entry, ErrorKind, ErrorRecord, RunCommit, StateKey, Then,
};
use crate::step::{Fault, HandedIn, Open};
use crate::workflow::StepKind;

/// What the driver has to do.
#[derive(Debug, PartialEq)]
pub enum Turn {
    /// Persist this, then call [`Machine::committed`].
    Commit(Box<RunCommit>),
    /// The same, as the last statement of a step's transaction. There is one row then, its outcome, and
    /// nothing else.
    Conclude(Box<RunCommit>, Open),
    /// Nothing happens before this time, or before the run is told something: the machine may be
    /// dropped and made again from its journal.
    Idle {
        /// The time; `None` if only a message can go on with it.
        until: Option<Timestamp>,
    },
    /// It was asked to [`drain`](Machine::drain) or to [`hesitate`](Machine::hesitate), and no step is in
    /// progress any more.
    Drained,
    /// The run's end is committed.
    Ended,
    /// Body and journal do not fit one another; nothing may be executed or written.
    Held(Fault),
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
        if let Some((commit, open)) = self.transaction() {
            return Poll::Ready(Turn::Conclude(self.give_out(commit), open));
        }
        if self.operations().is_locked() {
            return Poll::Pending;
        }
        match self.handed_in() {
            Some(commit) => Poll::Ready(Turn::Commit(self.give_out(commit))),
            None => self.rest(),
        }
    }

    fn give_out(&mut self, commit: RunCommit) -> Box<RunCommit> {
        self.position = Position::Ahead(commit.entries.clone());
        Box::new(commit)
    }

    /// A commit after which the run becomes this.
    fn commit(&self, entries: Vec<Entry>, then: Then) -> RunCommit {
        let (run, first_seq) = (self.context.trigger.run, self.next_seq);
        RunCommit { first_seq, entries, ..RunCommit::of(run, then) }
    }

    /// The outcome of a transaction, which is committed with it and nothing else.
    fn transaction(&mut self) -> Option<(RunCommit, Open)> {
        let (entry, open) = self.operations().outbox.take_transaction()?;
        let entries = vec![entry];
        let limit = self.operations().terms.limits.rows;
        if self.rows_with(&entries) > limit {
            self.ended(End::Failed(too_long(limit)));
            return None;
        }
        Some((self.commit(entries, Then::Continue), open))
    }

    /// What was handed in, and the run's end if it has come.
    fn handed_in(&mut self) -> Option<RunCommit> {
        let HandedIn { mut entries, taken, discarded } = self.operations().outbox.take_handed_in();
        // A later wait may be told of them again.
        self.inbox.forget(&discarded);
        let limit = self.operations().terms.limits.rows;
        if matches!(self.phase, Phase::Body { .. }) && self.rows_with(&entries) > limit {
            entries.retain(|entry| entry.change.is_outcome());
            self.ended(End::Failed(too_long(limit)));
            entries.extend(self.operations().outbox.take_handed_in().entries);
        }
        self.before_the_end(&mut entries);
        let then = self.give_out_end();
        let commit = RunCommit { taken, discarded, ..self.commit(entries, then) };
        if commit.is_traceless() && commit.taken.is_empty() && commit.discarded.is_empty() {
            return None;
        }
        let attributes = self.operations().outbox.take_attributes();
        Some(RunCommit { attributes, ..commit })
    }

    /// What becomes of the run with what is given out now.
    fn give_out_end(&mut self) -> Then {
        let Phase::Over { end: state, .. } = &mut self.phase else { return Then::Continue };
        match std::mem::replace(state, EndState::GivenOut) {
            EndState::Reached(end) => Then::End(end),
            EndState::Restarting(input) => {
                let cancels = CancelKey::all(self.cancels, &input);
                Then::Restart { input, cancels, generation: self.generation }
            }
            other => {
                *state = other;
                Then::Continue
            }
        }
    }

    /// Puts on record, where the body has not completed, that what it did is undone first, or else
    /// leaves out what goes with the run's end anyway.
    fn before_the_end(&mut self, entries: &mut Vec<Entry>) {
        let Phase::Over { end, .. } = &self.phase else { return };
        let reason = match end {
            EndState::Reached(end) => done::reason(end),
            // What an earlier generation did stays done.
            EndState::Restarting(_) => None,
            EndState::PutOff | EndState::GivenOut => return,
        };
        let has_undo = |entry: &Entry| matches!(entry.change, Change::Succeed { undo: true, .. });
        let may_undo = self.done.has_undos(self.undos) || entries.iter().any(has_undo);
        let error = reason.filter(|_| may_undo && !self.done.is_being_undone());
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
        "the run's journal would have more than {limit} entries, and every resume reads all of them; \
         carry the variables of a long loop with `#[carried(..)]` (steps with an undo stay in the \
         journal all the same), give parts of the work to other workflows with `step.invoke(..)`, or \
         use `return step.restart(..)`"
    );
    ErrorRecord::new(ErrorKind::JournalTooLong, message)
}
