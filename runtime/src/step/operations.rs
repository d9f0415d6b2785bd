use std::any::type_name;
use std::collections::{HashMap, HashSet};
use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::error::StepError;
use super::unit_interval;
use crate::id::EventId;
use crate::journal::{Change, Entry, ErrorRecord, RunId, StateKey, Transition};
use crate::payload::Payload;
use crate::workflow::{Backoff, Config, StepKind};

/// The most that is stored in one piece.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// An event's data, in bytes.
    pub(crate) event: usize,
    /// A step's outcome or a run's output, in bytes.
    pub(crate) outcome: usize,
}

impl Limits {
    pub(crate) const DEFAULT: Self = Self { event: 512 * 1024, outcome: 4 * 1024 * 1024 };
}

/// The table of a run's operations in progress, shared between the steps in the body, which enter
/// and take, and the machine, which delivers.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Mutex<Operations>>);

impl Shared {
    pub(crate) fn new(operations: Operations) -> Self {
        Self(Arc::new(Mutex::new(operations)))
    }

    /// The table is never left half-written: no user code runs under the lock.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Operations> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// See [`Shared`].
pub(crate) struct Operations {
    run: RunId,
    seed: Uuid,
    config: Config,
    limits: Limits,
    /// The commit time of the outcome delivered last.
    now: Timestamp,
    /// The driver's time at this poll: never ahead of the database's.
    clock: Timestamp,
    /// Whether every committed line has been delivered, so that new work may begin.
    live: bool,
    /// Whether no new work may begin, as the process is about to stop.
    draining: bool,
    /// How often each path and id was claimed.
    claims: HashMap<String, u32>,
    /// Entered and not yet taken by the body.
    active: HashMap<StateKey, Operation>,
    /// Entered and dropped by the body before their outcome came.
    dropped: HashSet<StateKey>,
    entered: u64,
    handed_in: Vec<Entry>,
    fault: Option<Fault>,
}

/// A step that was entered.
struct Operation {
    kind: StepKind,
    status: Status,
    /// How many attempts have ended.
    attempts: u32,
    waker: Option<Waker>,
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
    /// It sleeps; the end is an outcome of its own.
    Sleeping { due: Timestamp },
    /// It waits for its next attempt.
    BackingOff { due: Timestamp },
    /// Its outcome is there for the body to take.
    Resolved(Resolution),
}

/// A step's committed outcome.
pub(crate) struct Resolution {
    pub(crate) attempts: u32,
    pub(crate) outcome: Result<Payload, ErrorRecord>,
}

/// What a step's future has to do when it is polled.
pub(crate) enum Instruction {
    /// Begin this attempt (from 1).
    Begin { attempt: u32 },
    /// Go on with the attempt; it has run out of time if `expired`.
    Continue { expired: bool },
    /// Give this to the body.
    Take(Resolution),
    /// Nothing.
    Wait,
}

/// Why a run can go no further with this program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Body and journal contradict one another.
    Nondeterminism(String),
    /// Something stored does not fit the type that the code has now.
    Undecodable(String),
}

impl Fault {
    pub(crate) fn undecodable_input(
        type_name: &str,
        error: &dyn fmt::Display,
        data: &Payload,
    ) -> Self {
        Self::undecodable("the run's input", type_name, error, data)
    }

    pub(crate) fn undecodable_outcome(
        key: &StateKey,
        type_name: &str,
        error: &dyn fmt::Display,
        data: &Payload,
    ) -> Self {
        Self::undecodable(&format!("the committed outcome of step `{key}`"), type_name, error, data)
    }

    fn undecodable(what: &str, type_name: &str, error: &dyn fmt::Display, data: &Payload) -> Self {
        const SHOWN: usize = 200;
        let text = data.as_str();
        let shown: String = text.chars().take(SHOWN).collect();
        let more = if shown.len() < text.len() { " …" } else { "" };
        Self::Undecodable(format!(
            "{what} no longer fits the type that the code gives it\n  type:    {type_name}\n  \
             reason:  {error}\n  stored:  {shown}{more}"
        ))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nondeterminism(message) | Self::Undecodable(message) => f.write_str(message),
        }
    }
}

impl Operations {
    pub(crate) fn new(
        run: RunId,
        seed: Uuid,
        accepted_at: Timestamp,
        config: Config,
        limits: Limits,
    ) -> Self {
        Self {
            run,
            seed,
            config,
            limits,
            now: accepted_at,
            clock: Timestamp::MIN,
            live: false,
            draining: false,
            claims: HashMap::new(),
            active: HashMap::new(),
            dropped: HashSet::new(),
            entered: 0,
            handed_in: Vec::new(),
            fault: None,
        }
    }

    // What the steps in the body call.

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// Claims the next key of a step at a path. Called when the operation is built, in the order of
    /// the source, so that no race between branches can change a key.
    pub(crate) fn claim(&mut self, path: &str, id: &str) -> StateKey {
        let count = self.claims.entry(format!("{path}{id}")).or_default();
        let key = StateKey::new(path, id, *count);
        *count += 1;
        key
    }

    /// Claims a key for a value that is derived rather than committed.
    pub(crate) fn derive(&mut self, path: &str, id: &str) -> Uuid {
        let key = self.claim(path, id);
        self.hash(key.as_str())
    }

    /// How long to wait after a failed attempt: the backoff of the configuration, with a jitter that
    /// differs from run to run but not from resume to resume.
    pub(crate) fn backoff(&self, backoff: &Backoff, key: &StateKey, attempt: u32) -> Duration {
        let jitter = unit_interval(self.hash(&format!("{key} attempt {attempt}")));
        backoff.delay(attempt, jitter)
    }

    /// The id of the event that a step sends: ordered by time, and the same if the step has to hand
    /// it in again. It rests on the run's id rather than its seed, as a fork shares the seed.
    pub(crate) fn event_id(&self, key: &StateKey) -> EventId {
        let hash = Uuid::new_v5(&self.run.as_uuid(), key.as_str().as_bytes());
        let millis = self.now.as_millisecond().unsigned_abs();
        let (random, _) = hash.as_bytes().split_at(10);
        let random = random.try_into().expect("ten of sixteen bytes");
        uuid::Builder::from_unix_timestamp_millis(millis, random).into_uuid().into()
    }

    fn hash(&self, name: &str) -> Uuid {
        Uuid::new_v5(&self.seed, name.as_bytes())
    }

    /// Enters a claimed step: the body now waits for it.
    pub(crate) fn enter(&mut self, key: &StateKey, kind: StepKind) {
        let order = self.entered;
        self.entered += 1;
        let operation = Operation { kind, status: Status::Ready, attempts: 0, waker: None, order };
        self.active.insert(key.clone(), operation);
    }

    /// Says what an entered step has to do now, and remembers whom to wake about it later.
    pub(crate) fn poll(
        &mut self,
        key: &StateKey,
        timeout: Option<Duration>,
        cx: &mut Context<'_>,
    ) -> Instruction {
        let Some(operation) = self.active.get_mut(key) else {
            return Instruction::Wait;
        };
        operation.waker = Some(cx.waker().clone());
        match &operation.status {
            Status::Ready if self.live && !self.draining && self.fault.is_none() => {
                let deadline = timeout
                    .map(|timeout| self.clock.saturating_add(timeout).unwrap_or(Timestamp::MAX));
                operation.status = Status::Running { deadline };
                Instruction::Begin { attempt: operation.attempts + 1 }
            }
            Status::Running { deadline } => Instruction::Continue {
                expired: deadline.is_some_and(|deadline| deadline <= self.clock),
            },
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
    pub(crate) fn hand_in(&mut self, key: &StateKey, change: Change) {
        if let Some(operation) = self.active.get_mut(key) {
            operation.status = Status::Committing;
            self.handed_in.push(Entry { key: key.clone(), kind: operation.kind, change });
        }
    }

    /// The body dropped a step before its outcome came. An outcome that it had handed in is still
    /// committed, so that what was done is on record; anything less is forgotten.
    pub(crate) fn abandon(&mut self, key: &StateKey) {
        if self.active.remove(key).is_some() {
            self.handed_in.retain(|entry| {
                entry.key != *key
                    || matches!(entry.change, Change::Succeed { .. } | Change::Fail { .. })
            });
            self.dropped.insert(key.clone());
        }
    }

    /// Stops the run where it is: nothing more is executed or written.
    pub(crate) fn fail(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }

    // What the machine calls.

    pub(crate) fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
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
        self.wake(|operation| matches!(operation.status, Status::Ready));
    }

    /// Committed lines have come that are to be delivered first.
    pub(crate) fn go_back(&mut self) {
        self.live = false;
    }

    pub(crate) fn take_handed_in(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.handed_in)
    }

    /// Delivers a committed line to its step.
    ///
    /// # Errors
    ///
    /// When the body never entered that step, or entered it as something else.
    pub(crate) fn deliver(
        &mut self,
        key: &StateKey,
        kind: StepKind,
        transition: Transition,
        at: Timestamp,
    ) -> Result<(), Mismatch> {
        let Some(operation) = self.active.get_mut(key) else {
            let known = self.dropped.contains(key);
            return if known { Ok(()) } else { Err(Mismatch::NotEntered) };
        };
        if operation.kind != kind {
            return Err(Mismatch::OtherKind(operation.kind));
        }
        let (attempts, status) = match transition {
            Transition::Sleeping { due } => (0, Status::Sleeping { due }),
            Transition::Retrying { attempt, due, .. } => (attempt, Status::BackingOff { due }),
            Transition::Succeeded { attempt, outcome } => {
                (attempt, Status::Resolved(Resolution { attempts: attempt, outcome: Ok(outcome) }))
            }
            Transition::Failed { attempt, error } => {
                (attempt, Status::Resolved(Resolution { attempts: attempt, outcome: Err(error) }))
            }
        };
        if matches!(status, Status::Resolved(_)) {
            self.now = at;
            if let Some(waker) = &operation.waker {
                waker.wake_by_ref();
            }
        }
        operation.attempts = attempts;
        operation.status = status;
        Ok(())
    }

    /// Fires what is due: sleeps end, retries begin, attempts out of time are looked at.
    pub(crate) fn fire(&mut self) {
        let clock = self.clock;
        let mut over: Vec<(Timestamp, StateKey)> = Vec::new();
        for (key, operation) in &mut self.active {
            match operation.status {
                Status::Sleeping { due } if due <= clock => over.push((due, key.clone())),
                Status::BackingOff { due } if due <= clock => operation.status = Status::Ready,
                _ => {}
            }
        }
        over.sort();
        for (_, key) in over {
            let change =
                Change::Succeed { attempt: 1, outcome: Payload::null(), events: Vec::new() };
            self.hand_in(&key, change);
        }
        self.wake(|operation| match operation.status {
            Status::Ready => true,
            Status::Running { deadline: Some(deadline) } => deadline <= clock,
            _ => false,
        });
    }

    /// When the next timer of any kind is due.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.active
            .values()
            .filter_map(|operation| match operation.status {
                Status::Sleeping { due } | Status::BackingOff { due } => Some(due),
                Status::Running { deadline } => deadline,
                _ => None,
            })
            .min()
    }

    /// Whether all that is left is timers.
    pub(crate) fn is_idle(&self) -> bool {
        self.active.values().all(|operation| {
            matches!(operation.status, Status::Sleeping { .. } | Status::BackingOff { .. })
        })
    }

    pub(crate) fn drain(&mut self) {
        self.draining = true;
    }

    /// Whether it drains and nothing is in progress any more.
    pub(crate) fn is_drained(&self) -> bool {
        self.draining
            && !self.active.values().any(|operation| {
                matches!(operation.status, Status::Running { .. } | Status::Committing)
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
            let _ = write!(text, "{separator}`{key}` ({})", operation.kind);
            text
        })
    }

    fn wake(&self, which: impl Fn(&Operation) -> bool) {
        let mut chosen: Vec<_> =
            self.active.values().filter(|operation| which(operation)).collect();
        chosen.sort_by_key(|operation| operation.order);
        chosen.iter().filter_map(|operation| operation.waker.as_ref()).for_each(Waker::wake_by_ref);
    }
}

/// How a committed line contradicts the body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Mismatch {
    /// The body never came to this step.
    NotEntered,
    /// It came to it, and it is another kind of step now.
    OtherKind(StepKind),
}

/// A step that the body holds: its claimed key, and its entry once it was polled. Dropping it
/// abandons the step.
pub(crate) struct Held {
    operations: Shared,
    key: StateKey,
    kind: StepKind,
    entered: bool,
}

impl Held {
    pub(crate) fn claim(operations: &Shared, path: &str, id: &str, kind: StepKind) -> Self {
        let key = operations.lock().claim(path, id);
        Self { operations: operations.clone(), key, kind, entered: false }
    }

    pub(crate) fn key(&self) -> &StateKey {
        &self.key
    }

    pub(crate) fn operations(&self) -> MutexGuard<'_, Operations> {
        self.operations.lock()
    }

    pub(crate) fn poll(&mut self, timeout: Option<Duration>, cx: &mut Context<'_>) -> Instruction {
        let mut operations = self.operations.lock();
        if !self.entered {
            self.entered = true;
            operations.enter(&self.key, self.kind);
        }
        operations.poll(&self.key, timeout, cx)
    }

    pub(crate) fn hand_in(&self, change: Change) {
        self.operations.lock().hand_in(&self.key, change);
    }

    /// Gives the committed outcome to the body. One that no longer decodes holds the run: the body
    /// then waits for ever.
    pub(crate) fn decode<T: DeserializeOwned>(
        &self,
        resolution: Resolution,
    ) -> Poll<Result<T, StepError>> {
        let Resolution { attempts, outcome } = resolution;
        match outcome {
            Err(record) => Poll::Ready(Err(StepError { key: self.key.clone(), attempts, record })),
            Ok(payload) => match payload.decode() {
                Ok(value) => Poll::Ready(Ok(value)),
                Err(error) => {
                    let fault =
                        Fault::undecodable_outcome(&self.key, type_name::<T>(), &error, &payload);
                    self.operations.lock().fail(fault);
                    Poll::Pending
                }
            },
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.entered {
            self.operations.lock().abandon(&self.key);
        }
    }
}
