use std::time::Duration;

use super::Operations;
use super::database::{Open, Rollback};
use super::table::Status;
use crate::journal::{Change, Entry, StateKey};
use crate::payload::Payload;
use crate::workflow::StepKind;

/// The user's transactions, each of which is committed with its outcome and nothing else.
impl Operations {
    /// A transaction has begun: its time counts from now.
    pub(crate) fn set_deadline(&mut self, key: &StateKey, timeout: Option<Duration>) {
        let deadline = self.clock.deadline(timeout);
        if let Some(operation) = self.table.get_mut(key)
            && operation.status.is_running()
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
        if let Some(operation) = self.table.get_mut(key) {
            operation.status = Status::Committing;
            let undo = operation.entering.undo;
            let change = Change::Succeed { attempt, outcome, events: Vec::new(), undo };
            let started_at = operation.started_at;
            let kind = StepKind::Transaction;
            let entry = Entry { key: key.clone(), kind, change, started_at };
            self.outbox.hand_in_transaction(entry, open);
        }
    }

    /// Whether nothing can be committed before an open transaction is.
    pub(crate) fn is_locked(&self) -> bool {
        self.terms.transaction_limit().is_some() && self.table.is_in_transaction()
    }

    /// A transaction was not committed.
    pub(crate) fn rolled_back(&mut self, key: &StateKey, rollback: Rollback) {
        self.outbox.settle();
        if let Some(operation) = self.table.get_mut(key) {
            operation.status = Status::RolledBack(rollback);
            operation.wake();
        }
        self.table.wake(|operation| operation.status.is_ready());
    }
}
