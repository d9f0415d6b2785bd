//! The table of a run's operations in progress: what the steps in the body enter and take, and the
//! machine delivers.

mod fault;
mod held;
mod keys;
mod messages;
mod timers;
mod transactions;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Waker};
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

pub(crate) use self::fault::{Fault, Mismatch};
pub(crate) use self::held::{Held, Written};
pub(crate) use self::keys::{Again, Keys};
use self::messages::Abandoned;
use crate::journal::{
    Attempt, Awaited, Change, Entry, ErrorRecord, Message, MessageId, Row, RunId, StateKey,
    Transition,
};
use crate::payload::Payload;
use crate::step::transaction::{Database, Open, Rollback};
use crate::step::undo::Undo;
use crate::workflow::{Config, StepKind};

/// The most that is stored of something.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// An event's data, in bytes.
    pub(crate) event: usize,
    /// A step's outcome or a run's output, in bytes.
    pub(crate) outcome: usize,
    /// The lines of a run's journal.
    pub(crate) lines: u32,
}

impl Limits {
    pub(crate) const DEFAULT: Self =
        Self { event: 512 * 1024, outcome: 4 * 1024 * 1024, lines: 50_000 };
}

/// The table of a run's operations in progress, shared between the steps in the body, which enter
/// and take, and the machine, which delivers.
///
/// It stands behind a trait: of all that is in it rustc would have to prove, for each body anew, that
/// it may move between threads.
#[derive(Clone)]
pub(crate) struct Shared(Arc<dyn Lock>);

trait Lock: Send + Sync {
    fn lock(&self) -> MutexGuard<'_, Operations>;
}

impl Lock for Mutex<Operations> {
    /// The table is never left half-written: no user code runs under the lock.
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
    config: Config,
    limits: Limits,
    undos: &'static [Undo],
    /// Where the steps' transactions begin.
    database: Option<Arc<dyn Database>>,
    /// The driver's time at this poll: never ahead of the database's.
    clock: Timestamp,
    /// Whether every committed line has been delivered, so that new work may begin.
    live: bool,
    /// Whether no new work may begin, as the process is about to stop.
    draining: bool,
    /// Whether no code of a step may begin before it is known that it is about to.
    hesitating: bool,
    /// Entered and not yet taken by the body.
    active: HashMap<StateKey, Operation>,
    /// Entered and dropped by the body before their outcome came.
    dropped: HashMap<StateKey, Entering>,
    /// Those of them that the world still knows of: that is taken back, and put on record.
    unrecorded: BTreeMap<StateKey, Abandoned>,
    entered: u64,
    handed_in: Vec<Entry>,
    /// Transactions that were handed in, each to be committed by itself.
    transactions: VecDeque<(Entry, Open)>,
    /// Whether a commit is under way.
    is_committing: bool,
    /// Messages that have had their effect, with what was handed in.
    taken: Vec<MessageId>,
    /// Messages that nothing waits for.
    discarded: Vec<MessageId>,
    /// What the run is to be found by, where that is not committed yet.
    attributes: BTreeMap<String, String>,
    /// Whether an event was declined, and offered to another wait.
    passed_on: bool,
    /// The input of the next generation, if the body has asked for one.
    restart: Option<Payload>,
    fault: Option<Fault>,
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
struct Operation {
    entering: Entering,
    status: Status,
    /// How many attempts have ended.
    attempts: u32,
    /// Those that failed.
    failures: Vec<Attempt>,
    /// When what is in progress began.
    started_at: Option<Timestamp>,
    waker: Option<Waker>,
    /// An event that it may take.
    offer: Option<Message>,
    /// Its place in the order in which steps were entered.
    order: u64,
}

enum Status {
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

/// A step's committed outcome.
pub(crate) struct Resolution {
    pub(crate) attempts: u32,
    pub(crate) outcome: Result<Payload, ErrorRecord>,
    /// The attempts that failed, if the last one did.
    pub(crate) failures: Vec<Attempt>,
}

impl Resolution {
    fn success(attempts: u32, outcome: Payload) -> Self {
        Self { attempts, outcome: Ok(outcome), failures: Vec::new() }
    }
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
    pub(crate) fn new(keys: Keys, config: Config, limits: Limits, undos: &'static [Undo]) -> Self {
        Self {
            keys,
            config,
            limits,
            undos,
            database: None,
            clock: Timestamp::MIN,
            live: false,
            draining: false,
            hesitating: false,
            active: HashMap::new(),
            dropped: HashMap::new(),
            unrecorded: BTreeMap::new(),
            entered: 0,
            handed_in: Vec::new(),
            transactions: VecDeque::new(),
            is_committing: false,
            taken: Vec::new(),
            discarded: Vec::new(),
            attributes: BTreeMap::new(),
            passed_on: false,
            restart: None,
            fault: None,
        }
    }

    /// Its transactions begin there.
    pub(crate) fn transacting_in(mut self, database: Option<Arc<dyn Database>>) -> Self {
        self.database = database;
        self
    }

    // What the steps in the body call.

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Enters a claimed step: the body now waits for it.
    pub(crate) fn enter(&mut self, key: &StateKey, entering: Entering) {
        if entering.undo && Undo::find(self.undos, key.as_str()).is_none() {
            // Better now than when it is needed.
            self.fail(Fault::no_undo(key));
        }
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

    /// Says what an entered step has to do now, and remembers whom to wake about it later.
    pub(crate) fn poll(
        &mut self,
        key: &StateKey,
        kind: StepKind,
        timeout: Option<Duration>,
        cx: &mut Context<'_>,
    ) -> Instruction {
        let may_begin = self.live && !self.draining && self.fault.is_none() && self.may_begin(kind);
        let Some(operation) = self.active.get_mut(key) else {
            return Instruction::Wait;
        };
        operation.waker = Some(cx.waker().clone());
        match &operation.status {
            Status::Ready if may_begin => {
                let deadline = timeout
                    .map(|timeout| self.clock.saturating_add(timeout).unwrap_or(Timestamp::MAX));
                operation.status = Status::Running { deadline };
                // As exact as what is stored, so that it reads back as it was.
                operation.started_at =
                    Timestamp::from_microsecond(self.clock.as_microsecond()).ok();
                Instruction::Begin { attempt: operation.attempts + 1 }
            }
            Status::RolledBack(rollback) => {
                let (attempt, rollback) = (operation.attempts + 1, rollback.clone());
                operation.status = Status::Running { deadline: None };
                Instruction::BeginAgain { attempt, rollback }
            }
            Status::Running { deadline } => Instruction::Continue {
                expired: deadline.is_some_and(|deadline| deadline <= self.clock),
            },
            Status::Waiting { .. } => {
                operation.offer.take().map_or(Instruction::Wait, Instruction::Consider)
            }
            Status::Resolved(_) => {
                let Some(Operation { status: Status::Resolved(resolution), .. }) =
                    self.active.remove(key)
                else {
                    unreachable!("the status was just seen");
                };
                Instruction::Take(resolution)
            }
            _ => Instruction::Wait,
        }
    }

    /// Hands in what happened to a step, to be committed.
    pub(crate) fn hand_in(&mut self, key: &StateKey, mut change: Change) {
        if let Some(operation) = self.active.get_mut(key) {
            operation.status = Status::Committing;
            let (kind, has_undo) = (operation.entering.kind, operation.entering.undo);
            if let Change::Succeed { undo, .. } = &mut change {
                *undo = has_undo;
            }
            let started_at = operation.started_at;
            self.handed_in.push(Entry { key: key.clone(), kind, change, started_at });
        }
    }

    /// The body has asked for another generation of the run.
    pub(crate) fn restart(&mut self, input: Payload) {
        self.restart = Some(input);
    }

    /// What it has asked for.
    pub(crate) fn restarted(&mut self) -> Option<Payload> {
        self.restart.take()
    }

    pub(crate) fn set_attribute(&mut self, key: String, value: String) {
        self.attributes.insert(key, value);
    }

    /// Stops the run where it is: nothing more is executed or written.
    pub(crate) fn fail(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }

    // What the machine calls.

    /// Goes on in spite of a fault: only to end.
    pub(crate) fn forgive(&mut self) {
        self.fault = None;
        self.live = true;
    }

    pub(crate) fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    /// The id and the seed of the run that a step starts now.
    pub(crate) fn child(&self, key: &StateKey) -> (RunId, Uuid) {
        self.keys.child(key, self.clock)
    }

    pub(crate) fn set_clock(&mut self, clock: Timestamp) {
        self.clock = self.clock.max(clock);
    }

    pub(crate) fn is_live(&self) -> bool {
        self.live
    }

    /// Every committed line has been delivered: new work may begin.
    pub(crate) fn go_live(&mut self) {
        self.live = true;
        self.record_abandoned();
        self.wake(|operation| matches!(operation.status, Status::Ready));
    }

    /// Committed lines have come that are to be delivered first.
    pub(crate) fn go_back(&mut self) {
        self.live = false;
        self.is_committing = false;
    }

    pub(crate) fn take_handed_in(&mut self) -> HandedIn {
        let handed_in = HandedIn {
            entries: std::mem::take(&mut self.handed_in),
            taken: std::mem::take(&mut self.taken),
            discarded: std::mem::take(&mut self.discarded),
        };
        self.is_committing = !handed_in.is_empty();
        handed_in
    }

    /// What the run is to be found by, for a commit to take along. A resumed body gives all of it again.
    pub(crate) fn take_attributes(&mut self) -> Vec<(String, String)> {
        std::mem::take(&mut self.attributes).into_iter().collect()
    }

    /// Delivers a committed line to its step.
    ///
    /// # Errors
    ///
    /// When the body never entered that step, or entered it as something else.
    pub(crate) fn deliver(&mut self, row: &Row) -> Result<(), Mismatch> {
        let Row { seq, key, kind, started_at, at, .. } = row;
        let transition = row.transition.clone();
        let Some(operation) = self.active.get_mut(key) else {
            let entering = self.dropped.get(key).ok_or(Mismatch::NotEntered)?.clone();
            match transition {
                Transition::Waiting { .. } => self.take_back(key, entering, None),
                Transition::Invoked { child, .. } => self.take_back(key, entering, Some(child)),
                _ => drop(self.unrecorded.remove(key)),
            }
            return Ok(());
        };
        if operation.entering.kind != *kind {
            return Err(Mismatch::OtherKind(operation.entering.kind));
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
            Transition::Abandoned => return Err(Mismatch::NotAbandoned),
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
            self.keys.now = *at;
            if let Some(waker) = &operation.waker {
                waker.wake_by_ref();
            }
        }
        operation.attempts = attempts;
        operation.started_at = *started_at;
        operation.status = status;
        Ok(())
    }

    pub(crate) fn drain(&mut self) {
        self.draining = true;
    }

    /// No code of a step begins before [`go_ahead`](Self::go_ahead).
    pub(crate) fn hesitate(&mut self) {
        self.hesitating = true;
    }

    /// The steps that have to hesitate, in the order in which the body came to them.
    pub(crate) fn about_to_begin(&self) -> Vec<StateKey> {
        let ready = |operation: &Operation| matches!(operation.status, Status::Ready);
        let mut about: Vec<_> = self.active.iter().filter(|(_, it)| ready(it)).collect();
        about.sort_by_key(|(_, operation)| operation.order);
        about.into_iter().map(|(key, _)| key.clone()).collect()
    }

    /// What hesitated may begin.
    pub(crate) fn go_ahead(&mut self) {
        self.hesitating = false;
        self.wake(|operation| matches!(operation.status, Status::Ready));
    }

    /// Whether it drains, or hesitates, and nothing is in progress any more.
    pub(crate) fn is_drained(&self) -> bool {
        (self.draining || self.hesitating)
            && !self.active.values().any(|operation| {
                matches!(
                    operation.status,
                    Status::Running { .. } | Status::Committing | Status::RolledBack(_)
                )
            })
    }

    /// Whether the body waits for anything at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.active.is_empty()
    }

    /// What the body waits for, in the order in which it came to it.
    pub(crate) fn waiting(&self) -> String {
        let mut waiting: Vec<_> = self.active.iter().collect();
        waiting.sort_by_key(|(_, operation)| operation.order);
        waiting.iter().fold(String::new(), |mut text, (key, operation)| {
            let separator = if text.is_empty() { "" } else { ", " };
            let _ = write!(text, "{separator}`{key}` ({})", operation.entering.kind);
            text
        })
    }

    /// The steps whose code runs, in the order in which the body came to them.
    pub(crate) fn running(&self) -> String {
        let runs = |operation: &Operation| matches!(operation.status, Status::Running { .. });
        let mut running: Vec<_> = self.active.iter().filter(|(_, it)| runs(it)).collect();
        running.sort_by_key(|(_, operation)| operation.order);
        running.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn wake(&self, which: impl Fn(&Operation) -> bool) {
        let mut chosen: Vec<_> =
            self.active.values().filter(|operation| which(operation)).collect();
        chosen.sort_by_key(|operation| operation.order);
        chosen.iter().filter_map(|operation| operation.waker.as_ref()).for_each(Waker::wake_by_ref);
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
