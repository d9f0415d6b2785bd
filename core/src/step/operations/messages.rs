use super::Operations;
use super::table::{Entering, Status};
use crate::journal::{Change, Content, Message, MessageId, RunId, StateKey};
use crate::payload::Payload;
use crate::workflow::StepKind;

/// What a run is told, and what of it is taken back.
impl Operations {
    /// Passes on what the run was told.
    pub(crate) fn receive(&mut self, message: Message) {
        match &message.content {
            Content::Event { .. } => drop(self.offer(message, 0)),
            Content::ChildEnded { child, result } => {
                let Some(key) = self.table.waits_for(*child) else {
                    return self.outbox.discard_message(message.id);
                };
                let change = match result.clone() {
                    Ok(outcome) => Change::succeeded(1, outcome),
                    Err(error) => Change::Fail { attempt: 1, of: 1, error, cancelled: None },
                };
                self.outbox.take_message(message.id);
                self.hand_in(&key, change);
            }
            // It is the machine that ends.
            Content::Cancel { .. } => self.outbox.take_message(message.id),
        }
    }

    /// Offers an event to the first wait for it from a place on; whether there is one.
    fn offer(&mut self, event: Message, from: u64) -> bool {
        let Some(unwanted) = self.table.offer(event, from) else { return true };
        self.outbox.discard_message(unwanted.id);
        false
    }

    /// Enters a step whose child is under way: all that is left to do is to wait for its end.
    pub(crate) fn await_child(&mut self, key: &StateKey, child: RunId, undo: bool) {
        self.enter(key, Entering { undo, ..Entering::new(StepKind::Invoke) });
        if let Some(operation) = self.table.get_mut(key) {
            operation.status = Status::Invoked { child, due: None };
        }
    }

    /// A wait takes the event that it was offered.
    pub(crate) fn take_event(&mut self, key: &StateKey, message: MessageId, outcome: Payload) {
        self.outbox.take_message(message);
        self.hand_in(key, Change::succeeded(1, outcome));
    }

    /// A wait declines the event that it was offered: the next one may have it.
    pub(crate) fn decline_event(&mut self, key: &StateKey, message: Message) {
        let next = self.table.get(key).map(|operation| operation.order + 1);
        self.pass_on(message, next.unwrap_or_default());
    }

    fn pass_on(&mut self, event: Message, from: u64) {
        if self.offer(event, from) {
            self.table.pass_on();
        }
    }

    /// The body dropped a step before its outcome came. An outcome that it had handed in is still
    /// committed; what the world knows of is taken back; anything less is forgotten.
    pub(crate) fn abandon(&mut self, key: &StateKey) {
        let Some(operation) = self.table.abandon(key) else { return };
        self.outbox.withdraw(key);
        if let Some(event) = operation.offer {
            self.pass_on(event, operation.order + 1);
        }
        match operation.status {
            Status::Waiting { .. } => self.take_back(key, &operation.entering, None),
            Status::Invoked { child, .. } => self.take_back(key, &operation.entering, Some(child)),
            // Others may have waited for its end.
            Status::Running { .. } if operation.entering.kind == StepKind::Transaction => {
                self.table.wake(|operation| operation.status.is_ready());
            }
            _ => {}
        }
    }

    /// The world knows of a step that was dropped. While the journal is replayed, a later row may
    /// say that this was put right before.
    pub(super) fn take_back(&mut self, key: &StateKey, entering: &Entering, child: Option<RunId>) {
        let cancelled = child.filter(|_| !entering.detached);
        self.outbox.take_back(key, entering.kind, cancelled);
        if self.gate.live {
            self.outbox.record_abandoned();
        }
    }
}
