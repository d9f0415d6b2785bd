use jiff::Timestamp;

use super::entry::{Change, Child, Entry, OutgoingEvent};
use super::message::CancelKey;
use crate::error_record::ErrorRecord;
use crate::id::{MessageId, RunId};
use crate::payload::Payload;

/// What one run has to have committed, all or nothing: from its machine to the store.
#[derive(Debug, Clone, PartialEq)]
pub struct RunCommit {
    /// The run.
    pub run: RunId,
    /// The place of the first entry.
    pub first_seq: u32,
    /// The entries.
    pub entries: Vec<Entry>,
    /// Messages that the run has taken: each is its once and for all.
    pub taken: Vec<MessageId>,
    /// Messages that nothing in the run waited for. An event among them may satisfy a later wait.
    pub discarded: Vec<MessageId>,
    /// What the run is found by from now on: keys and values.
    pub attributes: Vec<(String, String)>,
    /// Steps whose futures are about to begin, if a worker went down with the run before.
    pub beginning: Option<String>,
    /// What becomes of the run.
    pub then: Then,
    /// The runs that are started because this one has not completed: its detached children. Its driver
    /// knows them.
    pub handlers: Vec<Child>,
    /// The system events that its end makes. Its driver knows who asks for them.
    pub events: Vec<OutgoingEvent>,
    /// Whether a system event has set it off. Then its end makes none, nor do those of the runs that it
    /// starts.
    pub silent: bool,
}

impl RunCommit {
    /// A commit of nothing but what becomes of the run.
    pub fn of(run: RunId, then: Then) -> Self {
        Self {
            run,
            first_seq: 0,
            entries: Vec::new(),
            taken: Vec::new(),
            discarded: Vec::new(),
            attributes: Vec::new(),
            beginning: None,
            then,
            handlers: Vec::new(),
            events: Vec::new(),
            silent: false,
        }
    }

    /// The place of its last entry. That one stays: a carried loop drops only what stands before.
    pub fn last_seq(&self) -> Option<u32> {
        let entries = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        entries.checked_sub(1).map(|last| self.first_seq.saturating_add(last))
    }

    /// The events that are accepted with it, in order.
    pub fn outgoing(&self) -> impl Iterator<Item = &OutgoingEvent> {
        let sent = self.entries.iter().flat_map(|entry| match &entry.change {
            Change::Succeed { events, .. } => events.as_slice(),
            _ => &[],
        });
        sent.chain(&self.events)
    }

    /// Whether it may be made twice, as nothing in the database shows that it was: what it does is only
    /// forgotten messages and attributes, and the worker keeps the run.
    pub fn is_traceless(&self) -> bool {
        self.entries.is_empty() && matches!(self.then, Then::Continue)
    }
}

/// What becomes of a run with a commit.
#[derive(Debug, Clone, PartialEq)]
pub enum Then {
    /// The worker keeps it.
    Continue,
    /// It leaves the worker until a time, or until a message comes.
    Park(Option<Timestamp>),
    /// It is over. Its parent is told; attached children that are not over are asked to cancel.
    End(End),
    /// It stops where it is until a program comes that fits it.
    Hold(String),
    /// It is given back, to be claimed by any worker at once.
    Release,
    /// It begins anew: its journal, waits and taken messages are removed, its attached children asked
    /// to cancel, and it is ready to be claimed with this input.
    Restart {
        /// What the next generation begins with.
        input: Payload,
        /// The events that cancel it.
        cancels: Vec<CancelKey>,
        /// The one that is over. Nothing is done to a run that is in another.
        generation: u32,
    },
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// Its body returned `Ok`: the output.
    Completed(Payload),
    /// Its body returned `Err` or panicked: why.
    Failed(ErrorRecord),
    /// It was cancelled: why.
    Cancelled(String),
}
