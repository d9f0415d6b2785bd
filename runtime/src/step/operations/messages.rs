use super::{Entering, Operations, Status};
use crate::journal::{Awaited, Change, Content, Entry, Message, MessageId, RunId, StateKey};
use crate::payload::Payload;
use crate::workflow::StepKind;

/// A dropped step that the world still knows of.
pub(super) struct Abandoned {
    kind: StepKind,
    /// The child that is asked to cancel.
    cancelled: Option<RunId>,
}

/// What a run is told, and what of it is taken back.
impl Operations {
    /// Passes on what the run was told.
    pub(crate) fn receive(&mut self, message: Message) {
        match &message.content {
            Content::Event { .. } => drop(self.offer(message, 0)),
            Content::ChildEnded { child, result } => {
                let key = self.active.iter().find_map(|(key, operation)| match operation.status {
                    Status::Invoked { child: awaited, .. } if awaited == *child => {
                        Some(key.clone())
                    }
                    _ => None,
                });
                let Some(key) = key else { return self.discarded.push(message.id) };
                let change = match result.clone() {
                    Ok(outcome) => Change::succeeded(1, outcome),
                    Err(error) => Change::Fail { attempt: 1, of: 1, error, cancelled: None },
                };
                self.taken.push(message.id);
                self.hand_in(&key, change);
            }
            // It is the machine that ends.
            Content::Cancel { .. } => self.taken.push(message.id),
        }
    }

    /// Offers an event to the first wait for it, in the order in which they were entered; whether there
    /// is one.
    fn offer(&mut self, message: Message, from: u64) -> bool {
        let Content::Event { name, data, .. } = &message.content else { return false };
        // The store keeps nothing but JSON.
        let data = data.decode::<serde_json::Value>().unwrap_or_default();
        let is_for = |awaited: &Awaited| awaited.is_for(name, &data);
        let wait = self
            .active
            .values_mut()
            .filter(|operation| {
                operation.order >= from
                    && operation.offer.is_none()
                    && matches!(operation.status, Status::Waiting { .. })
                    && operation.entering.awaited.as_ref().is_some_and(is_for)
            })
            .min_by_key(|operation| operation.order);
        let Some(operation) = wait else {
            self.discarded.push(message.id);
            return false;
        };
        operation.offer = Some(message);
        if let Some(waker) = &operation.waker {
            waker.wake_by_ref();
        }
        true
    }

    /// Enters a step whose child is under way: all that is left to do is to wait for its end.
    pub(crate) fn await_child(&mut self, key: &StateKey, child: RunId, undo: bool) {
        self.enter(key, Entering { undo, ..Entering::new(StepKind::Invoke) });
        if let Some(operation) = self.active.get_mut(key) {
            operation.status = Status::Invoked { child, due: None };
        }
    }

    /// Puts more on record.
    pub(crate) fn record(&mut self, entries: Vec<Entry>) {
        self.handed_in.extend(entries);
    }

    /// A wait takes the event that it was offered.
    pub(crate) fn take_event(&mut self, key: &StateKey, message: MessageId, outcome: Payload) {
        self.taken.push(message);
        self.hand_in(key, Change::succeeded(1, outcome));
    }

    /// A wait declines the event that it was offered: the next one may have it.
    pub(crate) fn decline_event(&mut self, key: &StateKey, message: Message) {
        let order = self.active.get(key).map(|operation| operation.order + 1);
        self.passed_on |= self.offer(message, order.unwrap_or_default());
    }

    /// Whether the body has passed an event on to a wait since this was asked last: that one may stand
    /// before the other in the source, so that it was polled already.
    pub(crate) fn has_passed_on(&mut self) -> bool {
        std::mem::take(&mut self.passed_on)
    }

    /// The body dropped a step before its outcome came. An outcome that it had handed in is still
    /// committed, so that what was done is on record; what the world knows of is taken back; anything
    /// less is forgotten.
    pub(crate) fn abandon(&mut self, key: &StateKey) {
        let Some(operation) = self.active.remove(key) else { return };
        let entering = operation.entering.clone();
        self.handed_in.retain(|entry| entry.key != *key || entry.change.is_outcome());
        // A transaction that is not on its way yet goes with its step.
        self.transactions.retain(|(entry, _)| entry.key != *key);
        if let Some(message) = operation.offer {
            self.passed_on |= self.offer(message, operation.order + 1);
        }
        self.dropped.insert(key.clone(), entering.clone());
        match operation.status {
            Status::Waiting { .. } => self.take_back(key, entering, None),
            Status::Invoked { child, .. } => self.take_back(key, entering, Some(child)),
            // Others may have waited for its end.
            Status::Running { .. } if entering.kind == StepKind::Transaction => {
                self.wake(|operation| matches!(operation.status, Status::Ready));
            }
            _ => {}
        }
    }

    /// The world knows of a step that was dropped. While the journal is replayed, a later line may
    /// say that this was put right before.
    pub(super) fn take_back(&mut self, key: &StateKey, entering: Entering, child: Option<RunId>) {
        let cancelled = child.filter(|_| !entering.detached);
        let abandoned = Abandoned { kind: entering.kind, cancelled };
        self.unrecorded.insert(key.clone(), abandoned);
        if self.live {
            self.record_abandoned();
        }
    }

    pub(super) fn record_abandoned(&mut self) {
        let abandoned = std::mem::take(&mut self.unrecorded).into_iter();
        self.handed_in.extend(abandoned.map(|(key, Abandoned { kind, cancelled })| Entry {
            key,
            kind,
            change: Change::Abandon { cancelled },
            started_at: None,
        }));
    }
}
