use std::any::type_name;
use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::error::StepError;
use super::{Step, unit_interval};
use crate::id::EventId;
use crate::journal::{
    Change, Content, Entry, ErrorKind, ErrorRecord, MatchKey, Message, MessageId, RunId, StateKey,
    Transition,
};
use crate::payload::{EncodeError, Payload};
use crate::workflow::{Backoff, Config, State, StepKind};

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
    /// The carried loops that the body has come to.
    loops: HashMap<StateKey, Loop>,
    /// The loop and iteration that derived values rest on, so that they differ between iterations
    /// whose keys are the same.
    iteration: String,
    /// Entered and not yet taken by the body.
    active: HashMap<StateKey, Operation>,
    /// Entered and dropped by the body before their outcome came.
    dropped: HashMap<StateKey, Entering>,
    /// Those of them that the world still knows of: that is taken back, and put on record.
    unrecorded: BTreeMap<StateKey, Abandoned>,
    entered: u64,
    handed_in: Vec<Entry>,
    /// Messages that have had their effect, with what was handed in.
    taken: Vec<MessageId>,
    /// Messages that nothing waits for.
    discarded: Vec<MessageId>,
    fault: Option<Fault>,
}

/// A carried loop.
struct Loop {
    /// What was claimed when the body came to it: keys are counted anew in each iteration, as the
    /// lines of the earlier ones are gone.
    claims: HashMap<String, u32>,
    /// The place of its last line in the journal, and the iteration that this line began.
    last: Option<(u32, u32)>,
}

/// What is known of a step when it is entered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entering {
    pub(crate) kind: StepKind,
    /// Of a wait: what it is for.
    pub(crate) awaited: Option<MatchKey>,
    /// Of an invocation: whether the child goes on without its parent.
    pub(crate) detached: bool,
}

impl Entering {
    /// A step that the world does not know of while it is in progress.
    pub(crate) fn new(kind: StepKind) -> Self {
        Self { kind, awaited: None, detached: false }
    }
}

/// A dropped step that the world still knows of.
struct Abandoned {
    kind: StepKind,
    /// The child that is asked to cancel.
    cancelled: Option<RunId>,
}

/// A step that was entered.
struct Operation {
    entering: Entering,
    status: Status,
    /// How many attempts have ended.
    attempts: u32,
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
}

/// What a step's future has to do when it is polled.
pub(crate) enum Instruction {
    /// Begin this attempt (from 1).
    Begin { attempt: u32 },
    /// Go on with the attempt; it has run out of time if `expired`.
    Continue { expired: bool },
    /// Look at this event: take it, or decline it.
    Consider(Message),
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

    pub(crate) fn undecodable_event(
        key: &StateKey,
        type_name: &str,
        error: &dyn fmt::Display,
        data: &Payload,
    ) -> Self {
        Self::undecodable(&format!("an event that step `{key}` waits for"), type_name, error, data)
    }

    pub(crate) fn unstorable(key: &StateKey, error: &EncodeError) -> Self {
        Self::Undecodable(format!("the variables of the loop `{key}` cannot be stored: {error}"))
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
            loops: HashMap::new(),
            iteration: String::new(),
            active: HashMap::new(),
            dropped: HashMap::new(),
            unrecorded: BTreeMap::new(),
            entered: 0,
            handed_in: Vec::new(),
            taken: Vec::new(),
            discarded: Vec::new(),
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

    /// Claims another key for a step that was just built, by a name that the user gives it: `id[name]`.
    pub(crate) fn rename(&mut self, path: &str, id: &str, name: &dyn fmt::Display) -> StateKey {
        if let Some(count) = self.claims.get_mut(&format!("{path}{id}")) {
            *count -= 1;
        }
        self.claim(path, &format!("{id}[{name}]"))
    }

    /// Claims the key of a carried loop: the same in each iteration.
    pub(crate) fn claim_loop(&mut self, path: &str, id: &str) -> StateKey {
        let key = StateKey::new(path, id, 0);
        let claims = &mut self.claims;
        let known = self
            .loops
            .entry(key.clone())
            .or_insert_with(|| Loop { claims: claims.clone(), last: None });
        claims.clone_from(&known.claims);
        key
    }

    /// The line that begins a loop's next iteration with these variables.
    pub(crate) fn carry(&self, key: &StateKey, outcome: Payload) -> Change {
        let last = self.loops.get(key).and_then(|carried| carried.last);
        let iteration = last.map_or(0, |(_, iteration)| iteration).saturating_add(1);
        Change::Carry { iteration, outcome, replaces: last.map(|(seq, _)| seq) }
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
    pub(crate) fn event_id(&self, key: &StateKey, nth: usize) -> EventId {
        self.id_of(&format!("{key} event {nth}")).into()
    }

    /// The id and the seed of the run that a step starts.
    pub(crate) fn child(&self, key: &StateKey) -> (RunId, Uuid) {
        (self.id_of(&format!("{key} child")).into(), self.hash(&format!("{key} seed")))
    }

    fn id_of(&self, name: &str) -> Uuid {
        let name = format!("{}{name}", self.iteration);
        let hash = Uuid::new_v5(&self.run.as_uuid(), name.as_bytes());
        let millis = self.now.as_millisecond().unsigned_abs();
        let (random, _) = hash.as_bytes().split_at(10);
        let random = random.try_into().expect("ten of sixteen bytes");
        uuid::Builder::from_unix_timestamp_millis(millis, random).into_uuid()
    }

    fn hash(&self, name: &str) -> Uuid {
        Uuid::new_v5(&self.seed, format!("{}{name}", self.iteration).as_bytes())
    }

    /// Enters a claimed step: the body now waits for it.
    pub(crate) fn enter(&mut self, key: &StateKey, entering: Entering) {
        let order = self.entered;
        self.entered += 1;
        let operation = Operation {
            entering,
            status: Status::Ready,
            attempts: 0,
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
    pub(crate) fn hand_in(&mut self, key: &StateKey, change: Change) {
        if let Some(operation) = self.active.get_mut(key) {
            operation.status = Status::Committing;
            let kind = operation.entering.kind;
            self.handed_in.push(Entry { key: key.clone(), kind, change });
        }
    }

    /// A wait takes the event that it was offered.
    pub(crate) fn take_event(&mut self, key: &StateKey, message: MessageId, outcome: Payload) {
        self.taken.push(message);
        self.hand_in(key, Change::Succeed { attempt: 1, outcome, events: Vec::new() });
    }

    /// A wait declines the event that it was offered: the next one may have it.
    pub(crate) fn decline_event(&mut self, key: &StateKey, message: Message) {
        let order = self.active.get(key).map(|operation| operation.order + 1);
        self.offer(message, order.unwrap_or_default());
    }

    /// The body dropped a step before its outcome came. An outcome that it had handed in is still
    /// committed, so that what was done is on record; what the world knows of is taken back; anything
    /// less is forgotten.
    pub(crate) fn abandon(&mut self, key: &StateKey) {
        let Some(operation) = self.active.remove(key) else { return };
        let entering = operation.entering;
        self.handed_in.retain(|entry| {
            entry.key != *key
                || matches!(entry.change, Change::Succeed { .. } | Change::Fail { .. })
        });
        if let Some(message) = operation.offer {
            self.offer(message, operation.order + 1);
        }
        self.dropped.insert(key.clone(), entering);
        match operation.status {
            Status::Waiting { .. } => self.take_back(key, entering, None),
            Status::Invoked { child, .. } => self.take_back(key, entering, Some(child)),
            _ => {}
        }
    }

    /// The world knows of a step that was dropped. While the journal is replayed, a later line may
    /// say that this was put right before.
    fn take_back(&mut self, key: &StateKey, entering: Entering, child: Option<RunId>) {
        let cancelled = child.filter(|_| !entering.detached);
        let abandoned = Abandoned { kind: entering.kind, cancelled };
        self.unrecorded.insert(key.clone(), abandoned);
        if self.live {
            self.record_abandoned();
        }
    }

    fn record_abandoned(&mut self) {
        let abandoned = std::mem::take(&mut self.unrecorded).into_iter();
        self.handed_in.extend(abandoned.map(|(key, Abandoned { kind, cancelled })| Entry {
            key,
            kind,
            change: Change::Abandon { cancelled },
        }));
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
    }

    pub(crate) fn take_handed_in(&mut self) -> HandedIn {
        HandedIn {
            entries: std::mem::take(&mut self.handed_in),
            taken: std::mem::take(&mut self.taken),
            discarded: std::mem::take(&mut self.discarded),
        }
    }

    /// Passes on what the run was told.
    pub(crate) fn receive(&mut self, message: Message) {
        match &message.content {
            Content::Event { .. } => self.offer(message, 0),
            Content::ChildEnded { child, result } => {
                let key = self.active.iter().find_map(|(key, operation)| match operation.status {
                    Status::Invoked { child: awaited, .. } if awaited == *child => {
                        Some(key.clone())
                    }
                    _ => None,
                });
                let Some(key) = key else { return self.discarded.push(message.id) };
                let change = match result.clone() {
                    Ok(outcome) => Change::Succeed { attempt: 1, outcome, events: Vec::new() },
                    Err(error) => Change::Fail { attempt: 1, error, cancelled: None },
                };
                self.taken.push(message.id);
                self.hand_in(&key, change);
            }
            // It is the machine that ends.
            Content::Cancel { .. } => self.taken.push(message.id),
        }
    }

    /// Offers an event to the first wait for it, in the order in which they were entered.
    fn offer(&mut self, message: Message, from: u64) {
        let Content::Event { awaited, .. } = &message.content else { return };
        let wait = self
            .active
            .values_mut()
            .filter(|operation| {
                operation.order >= from
                    && operation.entering.awaited == Some(*awaited)
                    && operation.offer.is_none()
                    && matches!(operation.status, Status::Waiting { .. })
            })
            .min_by_key(|operation| operation.order);
        match wait {
            Some(operation) => {
                operation.offer = Some(message);
                if let Some(waker) = &operation.waker {
                    waker.wake_by_ref();
                }
            }
            None => self.discarded.push(message.id),
        }
    }

    /// The run ends: what the world knows of its steps goes with it.
    pub(crate) fn end(&mut self) {
        self.unrecorded.clear();
        self.handed_in.retain(|entry| !matches!(entry.change, Change::Abandon { .. }));
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
        seq: u32,
        transition: Transition,
        at: Timestamp,
    ) -> Result<(), Mismatch> {
        let Some(operation) = self.active.get_mut(key) else {
            let entering = *self.dropped.get(key).ok_or(Mismatch::NotEntered)?;
            match transition {
                Transition::Waiting { .. } => self.take_back(key, entering, None),
                Transition::Invoked { child, .. } => self.take_back(key, entering, Some(child)),
                _ => drop(self.unrecorded.remove(key)),
            }
            return Ok(());
        };
        if operation.entering.kind != kind {
            return Err(Mismatch::OtherKind(operation.entering.kind));
        }
        let (attempts, status) = match transition {
            Transition::Waiting { due } => (0, Status::Waiting { due }),
            Transition::Invoked { child, due } => (0, Status::Invoked { child, due }),
            Transition::Carried { iteration, outcome } => {
                if let Some(carried) = self.loops.get_mut(key) {
                    carried.last = Some((seq, iteration));
                }
                self.iteration = format!("{key}@{iteration}/");
                let resolution = Resolution { attempts: iteration, outcome: Ok(outcome) };
                (iteration, Status::Resolved(resolution))
            }
            // The body dropped it then, and holds it now.
            Transition::Abandoned => return Err(Mismatch::NotAbandoned),
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

    /// Fires what is due: sleeps end, retries begin, waits give up, attempts out of time are looked
    /// at.
    pub(crate) fn fire(&mut self) {
        let clock = self.clock;
        let mut over: Vec<(Timestamp, StateKey, Change)> = Vec::new();
        for (key, operation) in &mut self.active {
            match operation.status {
                Status::BackingOff { due } if due <= clock => operation.status = Status::Ready,
                Status::Sleeping { due } | Status::Waiting { due: Some(due) } if due <= clock => {
                    let outcome = Payload::null();
                    let change = Change::Succeed { attempt: 1, outcome, events: Vec::new() };
                    over.push((due, key.clone(), change));
                }
                Status::Invoked { child, due: Some(due) } if due <= clock => {
                    let cancelled = (!operation.entering.detached).then_some(child);
                    let message = "the invoked run did not end in time";
                    let error = ErrorRecord::new(ErrorKind::Timeout, message);
                    over.push((due, key.clone(), Change::Fail { attempt: 1, error, cancelled }));
                }
                _ => {}
            }
        }
        over.sort_by(|(a, key_a, _), (b, key_b, _)| (a, key_a).cmp(&(b, key_b)));
        for (_, key, change) in over {
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
                Status::Running { deadline: due }
                | Status::Waiting { due }
                | Status::Invoked { due, .. } => due,
                _ => None,
            })
            .min()
    }

    /// Whether all that is left is timers and what the world may say.
    pub(crate) fn is_idle(&self) -> bool {
        self.active.values().all(|operation| {
            matches!(
                operation.status,
                Status::Sleeping { .. }
                    | Status::BackingOff { .. }
                    | Status::Waiting { .. }
                    | Status::Invoked { .. }
            )
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
            let _ = write!(text, "{separator}`{key}` ({})", operation.entering.kind);
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
    /// It no longer lets go of it.
    NotAbandoned,
}

/// What was handed in since the machine asked last.
pub(crate) struct HandedIn {
    pub(crate) entries: Vec<Entry>,
    pub(crate) taken: Vec<MessageId>,
    pub(crate) discarded: Vec<MessageId>,
}

/// A step that the body holds: its claimed key, and its entry once it was polled. Dropping it
/// abandons the step.
pub(crate) struct Held {
    operations: Shared,
    path: Arc<str>,
    id: &'static str,
    key: StateKey,
    pub(crate) entering: Entering,
    entered: bool,
}

impl Held {
    pub(crate) fn claim(step: &Step, state: impl State, kind: StepKind) -> Self {
        let Step { operations, path } = step;
        let id = state.id();
        let key = operations.lock().claim(path, id);
        let entering = Entering::new(kind);
        Self {
            operations: operations.clone(),
            path: path.clone(),
            id,
            key,
            entering,
            entered: false,
        }
    }

    /// Claims the head of a carried loop.
    pub(crate) fn claim_loop(step: &Step, state: impl State) -> Self {
        let Step { operations, path } = step;
        let id = state.id();
        let key = operations.lock().claim_loop(path, id);
        Self {
            operations: operations.clone(),
            path: path.clone(),
            id,
            key,
            entering: Entering::new(StepKind::Carried),
            entered: false,
        }
    }

    /// Takes a name of the user's in place of the occurrence.
    pub(crate) fn rename(&mut self, name: &dyn fmt::Display) {
        self.key = self.operations.lock().rename(&self.path, self.id, name);
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
            operations.enter(&self.key, self.entering);
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
