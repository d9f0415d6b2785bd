use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::{Operations, Status};
use crate::journal::{Change, Entry, StateKey};
use crate::payload::Payload;
use crate::step::transaction::{Database, Open, Rollback};
use crate::workflow::StepKind;

/// The user's transactions, each of which is committed with its outcome and nothing else.
impl Operations {
    pub(crate) fn database(&self) -> Option<Arc<dyn Database>> {
        self.database.clone()
    }

    /// How long a transaction may take, where it keeps everybody else from writing.
    pub(crate) fn transaction_limit(&self) -> Option<Duration> {
        self.database.as_ref()?.limit()
    }

    /// A transaction has begun: its time counts from now.
    pub(crate) fn set_deadline(&mut self, key: &StateKey, timeout: Option<Duration>) {
        let end = |timeout| self.clock.saturating_add(timeout).unwrap_or(Timestamp::MAX);
        let deadline = timeout.map(end);
        if let Some(operation) = self.active.get_mut(key)
            && matches!(operation.status, Status::Running { .. })
        {
            operation.status = Status::Running { deadline };
        }
    }

    /// Hands in a transaction that has only its commit before it.
    pub(crate) fn hand_in_transaction(
        &mut self,
        key: &StateKey,
        attempt: u32,
        outcome: Payload,
        open: Open,
    ) {
        if let Some(operation) = self.active.get_mut(key) {
            operation.status = Status::Committing;
            let undo = operation.entering.undo;
            let change = Change::Succeed { attempt, outcome, events: Vec::new(), undo };
            let started_at = operation.started_at;
            let kind = StepKind::Transaction;
            let entry = Entry { key: key.clone(), kind, change, started_at };
            self.transactions.push_back((entry, open));
        }
    }

    /// The next transaction that is to be committed.
    pub(crate) fn take_transaction(&mut self) -> Option<(Entry, Open)> {
        let transaction = self.transactions.pop_front()?;
        self.is_committing = true;
        Some(transaction)
    }

    /// Whether nothing can be committed before an open transaction is.
    pub(crate) fn is_locked(&self) -> bool {
        self.transaction_limit().is_some()
            && self.active.values().any(|operation| {
                operation.entering.kind == StepKind::Transaction
                    && matches!(operation.status, Status::Running { .. })
            })
    }

    /// Whether a transaction may begin: where nobody else can write beside it, it would wait for a
    /// commit that waits for it.
    pub(super) fn may_begin(&self, kind: StepKind) -> bool {
        let has_to_wait = kind == StepKind::Transaction
            && self.transaction_limit().is_some()
            && (self.is_committing
                || self.is_locked()
                || !self.handed_in.is_empty()
                || !self.transactions.is_empty());
        let hesitates = self.hesitating
            && matches!(kind, StepKind::Run | StepKind::Transaction | StepKind::Undo);
        !has_to_wait && !hesitates
    }

    /// A transaction was not committed.
    pub(crate) fn rolled_back(&mut self, key: &StateKey, rollback: Rollback) {
        self.is_committing = false;
        if let Some(operation) = self.active.get_mut(key) {
            operation.status = Status::RolledBack(rollback);
            if let Some(waker) = &operation.waker {
                waker.wake_by_ref();
            }
        }
        self.wake(|operation| matches!(operation.status, Status::Ready));
    }
}
