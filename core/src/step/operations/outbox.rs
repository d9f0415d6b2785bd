use std::collections::{BTreeMap, VecDeque};

use super::database::Open;
use crate::journal::{Change, Entry, MessageId, RunId, StateKey};
use crate::payload::Payload;
use crate::workflow::StepKind;

/// What a run has to have committed, until the machine asks for it.
#[derive(Default)]
pub(crate) struct Outbox {
    entries: Vec<Entry>,
    /// Transactions that were handed in, each to be committed by itself.
    transactions: VecDeque<(Entry, Open)>,
    /// Messages that have had their effect, with what was handed in.
    taken: Vec<MessageId>,
    /// Messages that nothing waits for.
    discarded: Vec<MessageId>,
    /// What the run is to be found by, where that is not committed yet.
    attributes: BTreeMap<String, String>,
    /// Dropped steps that the world still knows of: that is taken back, and put on record.
    unrecorded: BTreeMap<StateKey, Abandoned>,
    /// The input of the next generation, if the body has asked for one.
    restart: Option<Payload>,
    /// Whether a commit is under way.
    is_committing: bool,
}

/// A dropped step that the world still knows of.
struct Abandoned {
    kind: StepKind,
    /// The child that is asked to cancel.
    cancelled: Option<RunId>,
}

impl Outbox {
    pub(super) fn hand_in(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// Hands in a transaction that has only its commit before it.
    pub(super) fn hand_in_transaction(&mut self, entry: Entry, open: Open) {
        self.transactions.push_back((entry, open));
    }

    /// Puts more on record.
    pub(crate) fn record(&mut self, entries: Vec<Entry>) {
        self.entries.extend(entries);
    }

    /// A message has had its effect.
    pub(super) fn take_message(&mut self, message: MessageId) {
        self.taken.push(message);
    }

    /// Nothing waits for a message.
    pub(super) fn discard_message(&mut self, message: MessageId) {
        self.discarded.push(message);
    }

    pub(crate) fn set_attribute(&mut self, key: String, value: String) {
        self.attributes.insert(key, value);
    }

    /// The body has asked for another generation of the run.
    pub(crate) fn restart(&mut self, input: Payload) {
        self.restart = Some(input);
    }

    /// What it has asked for.
    pub(crate) fn restarted(&mut self) -> Option<Payload> {
        self.restart.take()
    }

    /// The body dropped a step. An outcome that it had handed in is still committed, so that what was
    /// done is on record; anything less is forgotten.
    pub(super) fn withdraw(&mut self, key: &StateKey) {
        self.entries.retain(|entry| entry.key != *key || entry.change.is_outcome());
        // A transaction that is not on its way yet goes with its step.
        self.transactions.retain(|(entry, _)| entry.key != *key);
    }

    /// The world knows of a step that was dropped.
    pub(super) fn take_back(&mut self, key: &StateKey, kind: StepKind, cancelled: Option<RunId>) {
        self.unrecorded.insert(key.clone(), Abandoned { kind, cancelled });
    }

    /// A later row says that a dropped step was put right before.
    pub(super) fn put_right(&mut self, key: &StateKey) {
        self.unrecorded.remove(key);
    }

    pub(super) fn record_abandoned(&mut self) {
        let abandoned = std::mem::take(&mut self.unrecorded).into_iter();
        self.entries.extend(abandoned.map(|(key, Abandoned { kind, cancelled })| Entry {
            key,
            kind,
            change: Change::Abandon { cancelled },
            started_at: None,
        }));
    }

    /// Whether a transaction that keeps everybody else from writing would wait for nothing of the run's
    /// own.
    pub(super) fn is_clear(&self) -> bool {
        !self.is_committing && self.entries.is_empty() && self.transactions.is_empty()
    }

    /// The commit that was under way is over.
    pub(super) fn settle(&mut self) {
        self.is_committing = false;
    }

    pub(crate) fn take_handed_in(&mut self) -> HandedIn {
        let handed_in = HandedIn {
            entries: std::mem::take(&mut self.entries),
            taken: std::mem::take(&mut self.taken),
            discarded: std::mem::take(&mut self.discarded),
        };
        self.is_committing = !handed_in.is_empty();
        handed_in
    }

    /// The next transaction that is to be committed.
    pub(crate) fn take_transaction(&mut self) -> Option<(Entry, Open)> {
        let transaction = self.transactions.pop_front()?;
        self.is_committing = true;
        Some(transaction)
    }

    /// What the run is to be found by, for a commit to take along. A resumed body gives all of it again.
    pub(crate) fn take_attributes(&mut self) -> Vec<(String, String)> {
        std::mem::take(&mut self.attributes).into_iter().collect()
    }
}

/// What was handed in since the machine asked last.
pub(crate) struct HandedIn {
    pub(crate) entries: Vec<Entry>,
    pub(crate) taken: Vec<MessageId>,
    pub(crate) discarded: Vec<MessageId>,
}

impl HandedIn {
    pub(crate) fn is_empty(&self) -> bool {
        let Self { entries, taken, discarded } = self;
        entries.is_empty() && taken.is_empty() && discarded.is_empty()
    }
}
