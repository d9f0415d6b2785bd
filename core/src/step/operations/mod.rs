//! What the steps in a run's body and its machine have in common: the [`Table`] of the operations in
//! progress, the [`Outbox`] with what has to be committed, and the [`Clock`]. The steps enter, take and
//! hand in; the machine delivers and commits. Nothing here knows a step's types.

mod clock;
mod contradiction;
mod database;
mod fault;
mod gate;
mod keys;
mod messages;
mod outbox;
mod table;
mod terms;
mod timers;
mod transactions;

use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Context;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use self::clock::Clock;
pub(crate) use self::contradiction::{Expected, Found, Nondeterminism, Trail};
pub use self::database::{Connection, Database, Lending, Open, Rollback};
pub use self::fault::Fault;
pub(crate) use self::fault::Stored;
use self::gate::Gate;
pub(crate) use self::keys::{Again, Keys, unit_interval};
pub(crate) use self::outbox::{HandedIn, Outbox};
use self::table::Status;
pub(crate) use self::table::{Entering, Resolution, Table};
pub use self::terms::Limits;
pub(crate) use self::terms::Terms;
use crate::event::EventId;
use crate::journal::{Attempt, Change, Entry, Message, Row, RunId, StateKey, Transition};
use crate::workflow::StepKind;

/// The operations of a run, shared between the steps in its body and its machine.
///
/// It stands behind a trait: of all that is in it rustc would have to prove, for each body anew, that
/// it may move between threads.
#[derive(Clone)]
pub(crate) struct Shared(Arc<dyn Lock>);

trait Lock: Send + Sync {
    fn lock(&self) -> MutexGuard<'_, Operations>;
}

impl Lock for Mutex<Operations> {
    /// They are never left half-written: no user code runs under the lock.
    fn lock(&self) -> MutexGuard<'_, Operations> {
        self.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Shared {
    pub(crate) fn new(operations: Operations) -> Self {
        Self(Arc::new(Mutex::new(operations)))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Operations> {
        self.0.lock()
    }
}

/// See [`Shared`].
pub(crate) struct Operations {
    pub(crate) keys: Keys,
    pub(crate) terms: Terms,
    pub(crate) table: Table,
    pub(crate) outbox: Outbox,
    pub(crate) clock: Clock,
    gate: Gate,
    /// Why the run can go no further, if it cannot.
    fault: Option<Fault>,
}

/// What a step's future has to do when it is polled.
pub(crate) enum Instruction {
    /// Begin this attempt (from 1).
    Begin { attempt: u32 },
    /// The attempt's transaction was rolled back: make it again, or let it fail.
    BeginAgain { attempt: u32, rollback: Rollback },
    /// Go on with the attempt; it has run out of time if `expired`.
    Continue { expired: bool },
    /// Look at this event: take it, or decline it.
    Consider(Message),
    /// Give this to the body.
    Take(Resolution),
    /// Nothing.
    Wait,
}

impl Operations {
    pub(crate) fn new(keys: Keys, terms: Terms, began_at: Timestamp) -> Self {
        Self {
            keys,
            terms,
            table: Table::default(),
            outbox: Outbox::default(),
            clock: Clock::new(began_at),
            gate: Gate::default(),
            fault: None,
        }
    }

    // What the steps in the body call.

    /// Enters a claimed step: the body now waits for it.
    pub(crate) fn enter(&mut self, key: &StateKey, entering: Entering) {
        if entering.undo && !(self.terms.has_undo)(key) {
            // Better now than when it is needed.
            self.fail(Fault::no_undo(key));
        }
        self.table.enter(key, entering);
    }

    /// Says what an entered step has to do now, and remembers whom to wake about it later.
    pub(crate) fn poll(
        &mut self,
        key: &StateKey,
        kind: StepKind,
        timeout: Option<Duration>,
        cx: &mut Context<'_>,
    ) -> Instruction {
        let may_begin = self.may_begin(kind);
        let Some(operation) = self.table.get_mut(key) else {
            return Instruction::Wait;
        };
        operation.waker = Some(cx.waker().clone());
        match &operation.status {
            Status::Ready if may_begin => {
                operation.status = Status::Running { deadline: self.clock.deadline(timeout) };
                operation.started_at = self.clock.stamp();
                Instruction::Begin { attempt: operation.attempts + 1 }
            }
            Status::RolledBack(rollback) => {
                let (attempt, rollback) = (operation.attempts + 1, rollback.clone());
                operation.status = Status::Running { deadline: None };
                Instruction::BeginAgain { attempt, rollback }
            }
            Status::Running { deadline } => Instruction::Continue {
                expired: deadline.is_some_and(|deadline| self.clock.has_come(deadline)),
            },
            Status::Waiting { .. } => {
                operation.offer.take().map_or(Instruction::Wait, Instruction::Consider)
            }
            Status::Resolved(_) => {
                self.table.take(key).map_or(Instruction::Wait, Instruction::Take)
            }
            _ => Instruction::Wait,
        }
    }

    /// Whether code of a step may begin. Where nobody else can write beside a transaction, it would wait
    /// for a commit that waits for it.
    fn may_begin(&self, kind: StepKind) -> bool {
        let has_to_wait = || {
            kind == StepKind::Transaction
                && self.terms.transaction_limit().is_some()
                && (!self.outbox.is_clear() || self.table.is_in_transaction())
        };
        self.fault.is_none() && self.gate.is_open_to(kind) && !has_to_wait()
    }

    /// Hands in what happened to a step, to be committed.
    pub(crate) fn hand_in(&mut self, key: &StateKey, mut change: Change) {
        if let Some(operation) = self.table.get_mut(key) {
            operation.status = Status::Committing;
            let (kind, has_undo) = (operation.entering.kind, operation.entering.undo);
            if let Change::Succeed { undo, .. } = &mut change {
                *undo = has_undo;
            }
            let started_at = operation.started_at;
            self.outbox.hand_in(Entry { key: key.clone(), kind, change, started_at });
        }
    }

    /// The id of an event that a step sends.
    pub(crate) fn event_id(&self, key: &StateKey, nth: usize) -> EventId {
        self.keys.event_id(key, nth, self.clock.seen())
    }

    /// The id and the seed of the run that a step starts now.
    pub(crate) fn child(&self, key: &StateKey) -> (RunId, Uuid) {
        self.keys.child(key, self.clock.latest())
    }

    /// Stops the run where it is: nothing more is executed or written.
    pub(crate) fn fail(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }

    // What the machine calls.

    /// Goes on in spite of a fault: only to end.
    pub(crate) fn forgive(&mut self) {
        self.fault = None;
        self.gate.live = true;
    }

    pub(crate) fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    /// Every committed row has been delivered: new work may begin.
    pub(crate) fn go_live(&mut self) {
        self.gate.live = true;
        self.outbox.record_abandoned();
        self.table.wake(|operation| operation.status.is_ready());
    }

    /// Committed rows have come that are to be delivered first.
    pub(crate) fn go_back(&mut self) {
        self.gate.live = false;
        self.outbox.settle();
    }

    /// Begins no further step or attempt.
    pub(crate) fn drain(&mut self) {
        self.gate.draining = true;
    }

    /// No code of a step begins before [`go_ahead`](Self::go_ahead).
    pub(crate) fn hesitate(&mut self) {
        self.gate.hesitating = true;
    }

    /// What hesitated may begin.
    pub(crate) fn go_ahead(&mut self) {
        self.gate.hesitating = false;
        self.table.wake(|operation| operation.status.is_ready());
    }

    /// Whether it drains, or hesitates, and nothing is in progress any more.
    pub(crate) fn is_drained(&self) -> bool {
        (self.gate.draining || self.gate.hesitating) && !self.table.is_in_progress()
    }

    /// Delivers a committed row to its step.
    ///
    /// # Errors
    ///
    /// What the body does instead, when it never entered that step, or entered it as something else.
    pub(crate) fn deliver(&mut self, row: &Row) -> Result<(), Found> {
        let Row { seq, key, kind, started_at, at, .. } = row;
        let transition = row.transition.clone();
        let Some(operation) = self.table.get_mut(key) else {
            let Some(entering) = self.table.dropped(key).cloned() else {
                return Err(Found::Waiting(self.table.waiting()));
            };
            match transition {
                Transition::Waiting { .. } => self.take_back(key, &entering, None),
                Transition::Invoked { child, .. } => self.take_back(key, &entering, Some(child)),
                _ => self.outbox.put_right(key),
            }
            return Ok(());
        };
        if operation.entering.kind != *kind {
            return Err(Found::OtherKind(operation.entering.kind));
        }
        let failure =
            |number, error| Attempt { number, started_at: *started_at, failed_at: *at, error };
        let (attempts, status) = match transition {
            Transition::Waiting { due } => (0, Status::Waiting { due }),
            Transition::Invoked { child, due } => (0, Status::Invoked { child, due }),
            Transition::Carried { iteration, outcome, first } => {
                self.keys.iterate(key, *seq, iteration, first);
                let resolution = Resolution::success(iteration, outcome);
                (iteration, Status::Resolved(resolution))
            }
            // The body dropped it then, and holds it now.
            Transition::Abandoned => return Err(Found::NotAbandoned),
            // It is about no step.
            Transition::Undoing { .. } => return Ok(()),
            Transition::Sleeping { due } => (0, Status::Sleeping { due }),
            Transition::Retrying { attempt, due, error } => {
                operation.failures.push(failure(attempt, error));
                (attempt, Status::BackingOff { due })
            }
            Transition::Succeeded { attempt, outcome, .. } => {
                (attempt, Status::Resolved(Resolution::success(attempt, outcome)))
            }
            Transition::Failed { attempt, error } => {
                operation.failures.push(failure(attempt, error.clone()));
                let failures = std::mem::take(&mut operation.failures);
                let resolution = Resolution { attempts: attempt, outcome: Err(error), failures };
                (attempt, Status::Resolved(resolution))
            }
        };
        if matches!(status, Status::Resolved(_)) {
            self.clock.deliver(*at);
            operation.wake();
        }
        operation.attempts = attempts;
        operation.started_at = *started_at;
        operation.status = status;
        Ok(())
    }
}
