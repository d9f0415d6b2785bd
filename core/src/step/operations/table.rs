use std::collections::HashMap;
use std::fmt;
use std::task::Waker;

use jiff::Timestamp;

use super::database::Rollback;
use crate::journal::{Attempt, Awaited, Content, ErrorRecord, Message, RunId, StateKey};
use crate::payload::Payload;
use crate::workflow::StepKind;

/// The operations that the body has entered, and how each of them stands.
#[derive(Default)]
pub(crate) struct Table {
    /// Entered and not yet taken by the body.
    active: HashMap<StateKey, Operation>,
    /// Entered and dropped by the body before their outcome came.
    dropped: HashMap<StateKey, Entering>,
    /// How many were entered.
    entered: u64,
    /// Whether an event was declined, and offered to another wait.
    passed_on: bool,
}

/// What is known of a step when it is entered.
#[derive(Debug, Clone)]
pub(crate) struct Entering {
    pub(crate) kind: StepKind,
    /// Of a wait: what it is for.
    pub(crate) awaited: Option<Awaited>,
    /// Of an invocation: whether the child goes on without its parent.
    pub(crate) detached: bool,
    /// Whether it is undone if the run does not complete.
    pub(crate) undo: bool,
}

impl Entering {
    /// A step that the world does not know of while it is in progress.
    pub(crate) fn new(kind: StepKind) -> Self {
        Self { kind, awaited: None, detached: false, undo: false }
    }
}

/// A step that was entered.
pub(super) struct Operation {
    pub(super) entering: Entering,
    pub(super) status: Status,
    /// How many attempts have ended.
    pub(super) attempts: u32,
    /// Those that failed.
    pub(super) failures: Vec<Attempt>,
    /// When what is in progress began.
    pub(super) started_at: Option<Timestamp>,
    pub(super) waker: Option<Waker>,
    /// An event that it may take.
    pub(super) offer: Option<Message>,
    /// Its place in the order in which steps were entered.
    pub(super) order: u64,
}

impl Operation {
    pub(super) fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }
}

pub(super) enum Status {
    /// It begins as soon as the machine is live.
    Ready,
    /// An attempt is in progress.
    Running { deadline: Option<Timestamp> },
    /// What it handed in waits for its commit.
    Committing,
    /// Its attempt had ended well, but was not committed.
    RolledBack(Rollback),
    /// It sleeps; the end is an outcome of its own.
    Sleeping { due: Timestamp },
    /// It waits for its next attempt.
    BackingOff { due: Timestamp },
    /// It waits for an event.
    Waiting { due: Option<Timestamp> },
    /// It waits for the end of a run that it has started.
    Invoked { child: RunId, due: Option<Timestamp> },
    /// Its outcome is there for the body to take.
    Resolved(Resolution),
}

impl Status {
    pub(super) fn is_ready(&self) -> bool {
        matches!(self, Self::Ready)
    }

    pub(super) fn is_running(&self) -> bool {
        matches!(self, Self::Running { .. })
    }

    /// Whether it is only a timer or the world that can change it.
    fn is_idle(&self) -> bool {
        matches!(
            self,
            Self::Sleeping { .. }
                | Self::BackingOff { .. }
                | Self::Waiting { .. }
                | Self::Invoked { .. }
        )
    }

    /// When a timer of any kind changes it.
    fn due(&self) -> Option<Timestamp> {
        match self {
            Self::Sleeping { due } | Self::BackingOff { due } => Some(*due),
            Self::Running { deadline: due } | Self::Waiting { due } | Self::Invoked { due, .. } => {
                *due
            }
            _ => None,
        }
    }
}

/// A step's committed outcome.
pub(crate) struct Resolution {
    pub(crate) attempts: u32,
    pub(crate) outcome: Result<Payload, ErrorRecord>,
    /// The attempts that failed, if the last one did.
    pub(crate) failures: Vec<Attempt>,
}

impl Resolution {
    pub(super) fn success(attempts: u32, outcome: Payload) -> Self {
        Self { attempts, outcome: Ok(outcome), failures: Vec::new() }
    }
}

/// The steps that the body waits for, in the order in which it came to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Waiting(Vec<(StateKey, StepKind)>);

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, (key, kind)) in self.0.iter().enumerate() {
            let separator = if nth == 0 { "" } else { ", " };
            write!(f, "{separator}`{key}` ({kind})")?;
        }
        Ok(())
    }
}

impl Table {
    pub(super) fn enter(&mut self, key: &StateKey, entering: Entering) {
        let order = self.entered;
        self.entered += 1;
        let operation = Operation {
            entering,
            status: Status::Ready,
            attempts: 0,
            failures: Vec::new(),
            started_at: None,
            waker: None,
            offer: None,
            order,
        };
        self.active.insert(key.clone(), operation);
    }

    pub(super) fn get(&self, key: &StateKey) -> Option<&Operation> {
        self.active.get(key)
    }

    pub(super) fn get_mut(&mut self, key: &StateKey) -> Option<&mut Operation> {
        self.active.get_mut(key)
    }

    /// The body takes a step's outcome.
    pub(super) fn take(&mut self, key: &StateKey) -> Option<Resolution> {
        match self.active.remove(key)?.status {
            Status::Resolved(resolution) => Some(resolution),
            _ => None,
        }
    }

    /// The body drops a step before its outcome has come.
    pub(super) fn abandon(&mut self, key: &StateKey) -> Option<Operation> {
        let operation = self.active.remove(key)?;
        self.dropped.insert(key.clone(), operation.entering.clone());
        Some(operation)
    }

    /// What was known of a step that the body has dropped.
    pub(super) fn dropped(&self, key: &StateKey) -> Option<&Entering> {
        self.dropped.get(key)
    }

    /// The step that waits for a child's end.
    pub(super) fn waits_for(&self, child: RunId) -> Option<StateKey> {
        let is_it = |status: &Status| matches!(status, Status::Invoked { child: awaited, .. } if *awaited == child);
        let mut active = self.active.iter();
        active.find(|(_, operation)| is_it(&operation.status)).map(|(key, _)| key.clone())
    }

    /// Offers an event to the first wait for it, in the order in which they were entered, beginning with
    /// the one of this place. Gives it back if there is none.
    pub(super) fn offer(&mut self, message: Message, from: u64) -> Option<Message> {
        let Content::Event { name, data, .. } = &message.content else { return Some(message) };
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
        let Some(operation) = wait else { return Some(message) };
        operation.offer = Some(message);
        operation.wake();
        None
    }

    /// An event was declined, and offered to another wait.
    pub(super) fn pass_on(&mut self) {
        self.passed_on = true;
    }

    /// Whether the body has passed an event on to a wait since this was asked last: that one may stand
    /// before the other in the source, so that it was polled already.
    pub(crate) fn has_passed_on(&mut self) -> bool {
        std::mem::take(&mut self.passed_on)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&StateKey, &mut Operation)> {
        self.active.iter_mut()
    }

    /// Whether a step's transaction is open.
    pub(super) fn is_in_transaction(&self) -> bool {
        self.active.values().any(|operation| {
            operation.entering.kind == StepKind::Transaction && operation.status.is_running()
        })
    }

    /// Whether code of a step runs, or what it gave is on its way to its commit.
    pub(super) fn is_in_progress(&self) -> bool {
        self.active.values().any(|operation| {
            matches!(
                operation.status,
                Status::Running { .. } | Status::Committing | Status::RolledBack(_)
            )
        })
    }

    /// When the next timer of any kind is due.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.active.values().filter_map(|operation| operation.status.due()).min()
    }

    /// Whether all that is left is timers and what the world may say.
    pub(crate) fn is_idle(&self) -> bool {
        self.active.values().all(|operation| operation.status.is_idle())
    }

    /// Whether the body waits for anything at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.active.is_empty()
    }

    /// The steps whose code has yet to begin.
    pub(crate) fn about_to_begin(&self) -> Vec<StateKey> {
        let about = self.in_order(|operation| operation.status.is_ready());
        about.into_iter().map(|(key, _)| key.clone()).collect()
    }

    /// What the body waits for.
    pub(crate) fn waiting(&self) -> Waiting {
        let waiting = self.in_order(|_| true).into_iter();
        Waiting(waiting.map(|(key, operation)| (key.clone(), operation.entering.kind)).collect())
    }

    /// The steps whose code runs.
    pub(crate) fn running(&self) -> String {
        let running = self.in_order(|operation| operation.status.is_running());
        running.into_iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn wake(&self, which: impl Fn(&Operation) -> bool) {
        self.in_order(which).into_iter().for_each(|(_, operation)| operation.wake());
    }

    /// Some of the steps, in the order in which the body came to them.
    fn in_order(&self, which: impl Fn(&Operation) -> bool) -> Vec<(&StateKey, &Operation)> {
        let mut chosen: Vec<_> =
            self.active.iter().filter(|(_, operation)| which(operation)).collect();
        chosen.sort_by_key(|(_, operation)| operation.order);
        chosen
    }
}
