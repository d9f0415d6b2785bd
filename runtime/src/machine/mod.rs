//! One run in memory: its body's future and its journal, driven by whoever can commit.
//!
//! The machine performs no I/O and reads no clock. Its driver polls it with the time, commits what
//! it asks for, and says when that is done; quinn-proto is built the same way. Outcomes reach the
//! body one at a time, in the order of the journal, and the body runs until it waits again between
//! each, live and on resume alike. So what a body saw first is what it sees again.

mod contradiction;
mod done;
#[cfg(any(test, feature = "testing"))]
mod prefixes;
#[cfg(test)]
mod tests;

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll};

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use self::contradiction::Trail;
use self::done::Done;
#[cfg(any(test, feature = "testing"))]
pub(crate) use self::prefixes::replay_prefixes;
use crate::journal::{
    Change, Entry, ErrorKind, ErrorRecord, Message, MessageId, Row, StateKey, Transition,
};
use crate::payload::Payload;
use crate::step::{
    Again, BodyFuture, Context as BodyContext, Definition, Fault, HandedIn, Keys, Limits, Open,
    Operations, Resources, Rollback, Shared, Undo, UndoingFuture, catch_panic, undoing,
};
use crate::workflow::{Config, StepKind, TriggerData};

/// A run as the store knows it, before a machine is made of it.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) trigger: TriggerData,
    pub(crate) seed: Uuid,
    /// How often an operator has had it taken up again, or what it is a fork of.
    pub(crate) retries: u32,
    /// How often it has begun anew. Of a later generation than the first, the trigger's data is the
    /// input that it began with, and its time the one at which it did.
    pub(crate) generation: u32,
    /// When a worker first took it up.
    pub(crate) started_at: Timestamp,
    pub(crate) journal: Vec<Row>,
}

/// See the [module](self).
pub(crate) struct Machine {
    operations: Shared,
    resources: Arc<Resources>,
    trigger: TriggerData,
    undos: &'static [Undo],
    phase: Phase,
    done: Done,
    /// Committed lines that the body has not seen yet.
    backlog: VecDeque<Row>,
    /// How many of them it has seen before, when another machine drove the run.
    recorded: usize,
    /// What was given out to be committed, until the driver says that it was.
    in_flight: Option<Vec<Entry>>,
    next_seq: u32,
    /// How many lines its journal has.
    lines: u32,
    /// What the run was told, until the body has caught up with its journal.
    inbox: VecDeque<Message>,
    seen: HashSet<MessageId>,
    end: EndState,
    /// When the body is out of time, and what is said then.
    deadline: Option<(Timestamp, String)>,
    /// Why the run was asked to cancel while it was being undone.
    asked_to_cancel: Option<String>,
    trail: Trail,
}

/// The steps of a machine whose code runs.
pub(crate) struct InProgress(Shared);

impl InProgress {
    /// Their keys, for a message.
    pub(crate) fn steps(&self) -> String {
        self.0.lock().running()
    }
}

/// What is polled.
enum Phase {
    /// The workflow's body.
    Body(BodyFuture),
    /// What undoes what the body did.
    Undoing(UndoingFuture),
    /// Nothing: the body is over.
    Over,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum End {
    Completed(Payload),
    Failed(ErrorRecord),
    Cancelled(String),
    /// Only this generation is over: the next begins with this input.
    Restarted(Payload),
}

enum EndState {
    /// The body runs.
    Open,
    /// The body is over; its end is to be committed.
    Reached(End),
    /// Its end was given out to be committed.
    InFlight,
    /// Its end is committed.
    Committed,
}

/// What the driver has to do.
#[derive(Debug, PartialEq)]
pub(crate) enum Turn {
    /// Persist this, then call [`Machine::committed`].
    Commit(Box<Commit>),
    /// Nothing happens before this time, or before the run is told something: the machine may be
    /// dropped and made again from its journal.
    Idle { until: Option<Timestamp> },
    /// It was asked to [`drain`](Machine::drain) or to [`hesitate`](Machine::hesitate), and no step is in
    /// progress any more.
    Drained,
    /// The run's end is committed.
    Ended,
    /// Body and journal do not fit one another; nothing may be executed or written.
    Held(Fault),
}

/// What a machine asks to be persisted, all or nothing.
#[derive(Debug, PartialEq)]
pub(crate) struct Commit {
    /// The place of the first line.
    pub(crate) first_seq: u32,
    pub(crate) entries: Vec<Entry>,
    /// Messages that have had their effect.
    pub(crate) taken: Vec<MessageId>,
    /// Messages that nothing waits for.
    pub(crate) discarded: Vec<MessageId>,
    /// What the run is found by from now on: keys and values.
    pub(crate) attributes: Vec<(String, String)>,
    /// The run's end, if this is it.
    pub(crate) end: Option<End>,
    /// The transaction of a step that this is the last statement of. Then there is one line, its
    /// outcome, and nothing else.
    pub(crate) transaction: Option<Open>,
}

impl Machine {
    pub(crate) fn new(
        definition: &Definition,
        resources: Arc<Resources>,
        limits: Limits,
        origin: Origin,
    ) -> Self {
        let Origin { trigger, seed, retries, generation, started_at, journal } = origin;
        // Who retries a run means it to go on.
        let deadline = deadline(&definition.config, &trigger, generation == 0, started_at)
            .filter(|_| retries == 0);
        let operations = Operations::new(
            Keys::new(trigger.run, seed, Again { retries, generation }, trigger.accepted_at),
            definition.config,
            limits,
            definition.undos,
        );
        let operations = Shared::new(operations.transacting_in(resources.database()));
        let next_seq = journal.last().map_or(0, |row| row.seq + 1);
        let lines = u32::try_from(journal.len()).unwrap_or(u32::MAX);
        let mut machine = Self {
            operations,
            resources,
            trigger,
            undos: definition.undos,
            phase: Phase::Over,
            done: Done::default(),
            backlog: VecDeque::new(),
            recorded: 0,
            in_flight: None,
            next_seq,
            lines,
            inbox: VecDeque::new(),
            seen: HashSet::new(),
            end: EndState::Open,
            deadline,
            asked_to_cancel: None,
            trail: Trail::default(),
        };
        machine.resume(definition, journal);
        machine
    }

    /// Begins the body, to see its journal again; or, where it is over, goes on undoing what it did,
    /// whatever has become of its code.
    fn resume(&mut self, definition: &Definition, mut journal: Vec<Row>) {
        let over =
            journal.iter().position(|row| matches!(row.transition, Transition::Undoing { .. }));
        if let Some(over) = over {
            self.backlog = journal.split_off(over + 1).into();
            journal.iter().for_each(|row| self.done.note(row));
            self.phase = Phase::Undoing(self.undoing());
        } else {
            let (kept, seen) = done::part(journal);
            kept.iter().for_each(|row| self.done.note(row));
            self.backlog = seen.into();
            self.phase = Phase::Body((definition.begin)(self.context()));
        }
        self.recorded = self.backlog.len();
    }

    fn context(&self) -> BodyContext {
        BodyContext {
            operations: self.operations.clone(),
            resources: self.resources.clone(),
            trigger: self.trigger.clone(),
        }
    }

    fn undoing(&self) -> UndoingFuture {
        undoing(self.context(), self.undos, self.done.steps(), self.done.children())
    }

    /// The run is told something. What it was told before is not told again.
    pub(crate) fn receive(&mut self, message: Message) {
        if self.seen.insert(message.id) {
            self.inbox.push_back(message);
        }
    }

    /// Runs as far as it goes at the time `clock`, by the database's clock as far as the driver
    /// knows it; it must never run ahead of that clock.
    ///
    /// `Pending` means that steps' futures or a commit are in progress: poll again when the context
    /// is woken, after [`committed`](Self::committed), or at [`next_due`](Self::next_due).
    pub(crate) fn poll(&mut self, clock: Timestamp, cx: &mut Context<'_>) -> Poll<Turn> {
        self.operations.lock().set_clock(clock);
        loop {
            let mut was_told = false;
            if self.operations.lock().is_live() {
                was_told = self.read_inbox();
                self.operations.lock().fire(was_told || !self.inbox.is_empty());
                self.keep_time(clock);
            }
            self.run_body(cx);
            let fault = self.operations.lock().fault().cloned();
            if let Some(fault) = fault {
                if !self.cancelled_at_fault() {
                    return Poll::Ready(Turn::Held(fault));
                }
                continue;
            }
            if let Some(row) = self.backlog.pop_front() {
                self.deliver(row);
            } else if !self.operations.lock().is_live() {
                self.operations.lock().go_live();
            } else if !was_told {
                return self.turn();
            }
        }
    }

    /// Whether the body has yet to do again what the journal says that it did.
    pub(crate) fn is_behind(&self) -> bool {
        self.recorded > 0
    }

    /// Has the body do so, up to where the last line of the journal is handed to it: what it does until
    /// then is nothing new. [`poll`](Self::poll) goes on from there, and does this too where it was
    /// not done before. A fault is left to it.
    pub(crate) fn catch_up(&mut self, clock: Timestamp, cx: &mut Context<'_>) {
        self.operations.lock().set_clock(clock);
        while self.is_behind() {
            self.run_body(cx);
            if self.operations.lock().fault().is_some() {
                return;
            }
            let Some(row) = self.backlog.pop_front() else { return };
            self.deliver(row);
        }
    }

    /// The driver has committed what the last [`Turn::Commit`] asked for, at `at`.
    pub(crate) fn committed(&mut self, at: Timestamp) {
        let entries = self.in_flight.take().unwrap_or_default();
        let first_seq = self.next_seq;
        self.lines = self.lines_with(&entries);
        self.next_seq += entries.len() as u32;
        let rows = entries.into_iter().zip(first_seq..);
        self.backlog.extend(rows.map(|(entry, seq)| entry.committed(seq, at)));
        self.operations.lock().go_back();
        if matches!(self.end, EndState::InFlight) {
            self.end = EndState::Committed;
        }
    }

    /// How many lines its journal has.
    pub(crate) fn lines(&self) -> u32 {
        self.lines
    }

    /// How many it has when these have been added.
    fn lines_with(&self, entries: &[Entry]) -> u32 {
        entries.iter().zip(self.next_seq..).fold(self.lines, |lines, (entry, seq)| {
            let dropped = match entry.change {
                Change::Carry { replaces: Some(from), .. } => {
                    seq.saturating_sub(from).saturating_sub(self.done.kept(from, seq))
                }
                _ => 0,
            };
            (lines + 1).saturating_sub(dropped)
        })
    }

    /// The transaction that the last [`Turn::Commit`] was to be part of was not committed, and its
    /// line neither.
    pub(crate) fn rolled_back(&mut self, rollback: Rollback) {
        let entries = self.in_flight.take().unwrap_or_default();
        let mut operations = self.operations.lock();
        entries.iter().for_each(|entry| operations.rolled_back(&entry.key, rollback.clone()));
    }

    /// Begins no further step or attempt: those in progress go on, their outcomes are committed.
    pub(crate) fn drain(&mut self) {
        self.operations.lock().drain();
    }

    /// Begins no code of a step before [`go_ahead`](Self::go_ahead).
    pub(crate) fn hesitate(&mut self) {
        self.operations.lock().hesitate();
    }

    /// What is in progress, to be asked from another thread while the machine is polled.
    pub(crate) fn in_progress(&self) -> InProgress {
        InProgress(self.operations.clone())
    }

    /// The steps that would begin if it did not hesitate.
    pub(crate) fn about_to_begin(&self) -> Vec<StateKey> {
        self.operations.lock().about_to_begin()
    }

    pub(crate) fn go_ahead(&mut self) {
        self.operations.lock().go_ahead();
    }

    /// What the body waits for, for a message.
    pub(crate) fn waiting(&self) -> String {
        self.operations.lock().waiting()
    }

    /// When the machine has to be polled again if nothing else happens.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        let due = self.operations.lock().next_due();
        let deadline = match (&self.phase, &self.deadline) {
            (Phase::Body(_), Some((deadline, _))) => Some(*deadline),
            _ => None,
        };
        due.into_iter().chain(deadline).min()
    }

    /// A body that is out of time is cancelled.
    fn keep_time(&mut self, clock: Timestamp) {
        if let (Phase::Body(_), Some((deadline, reason))) = (&self.phase, &self.deadline)
            && *deadline <= clock
        {
            self.ended(End::Cancelled(reason.clone()));
        }
    }

    /// Runs the body until it waits again.
    fn run_body(&mut self, cx: &mut Context<'_>) {
        self.poll_body(cx);
        while self.operations.lock().has_passed_on() {
            self.poll_body(cx);
        }
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) {
        let end = match &mut self.phase {
            Phase::Over => return,
            Phase::Body(body) => match catch_panic(|| body.as_mut().poll(cx)) {
                Ok(Poll::Pending) => return,
                Ok(Poll::Ready(Ok(output))) => End::Completed(output),
                Ok(Poll::Ready(Err(failure))) => match self.operations.lock().restarted() {
                    Some(input) => End::Restarted(input),
                    // What a child has undone is the child's.
                    None => End::Failed(ErrorRecord { undone: Vec::new(), ..failure.record() }),
                },
                Err(panic) => End::Failed(*panic),
            },
            Phase::Undoing(undoing) => match undoing.as_mut().poll(cx) {
                Poll::Pending => return,
                Poll::Ready(()) => self.done.end(None),
            },
        };
        self.ended(end);
    }

    /// Passes on the next of what the run was told, so that what came first is seen first; whether
    /// there was anything. A request to cancel ends the run. While a commit is under way, anything else
    /// is kept: the wait that it is for may be in that commit. So it is between the end of the body
    /// and what undoes its steps, which waits for the children.
    fn read_inbox(&mut self) -> bool {
        let keeps = self.in_flight.is_some() || matches!(self.phase, Phase::Over);
        let is_next = |message: &Message| !keeps || message.cancellation().is_some();
        let next = self.inbox.iter().position(is_next);
        let Some(message) = next.and_then(|place| self.inbox.remove(place)) else { return false };
        if let Some(reason) = message.cancellation().map(str::to_owned) {
            match self.phase {
                Phase::Body(_) => self.ended(End::Cancelled(reason)),
                // Not that the next generation would have to hear of it.
                Phase::Over if self.is_to_restart() => {
                    self.end = EndState::Reached(End::Cancelled(reason));
                }
                // It is on its way to its end. The store tells it again whoever goes on undoing.
                _ => self.asked_to_cancel = Some(reason),
            }
        }
        self.operations.lock().receive(message);
        true
    }

    /// Whether the body has asked for another generation, and that is not on its way yet.
    fn is_to_restart(&self) -> bool {
        matches!(self.end, EndState::Reached(End::Restarted(_)))
    }

    /// A run that can go no further can still be cancelled.
    fn cancelled_at_fault(&mut self) -> bool {
        let asked = self.inbox.iter().find_map(Message::cancellation).map(str::to_owned);
        let Some(reason) = asked.or_else(|| self.asked_to_cancel.clone()) else { return false };
        let left = format!("the run was held, and then cancelled: {reason}");
        self.operations.lock().forgive();
        self.give_up(End::Cancelled(reason), &left);
        true
    }

    /// Ends the run whatever its body made of its journal, and undoes what it did. If even that has
    /// begun, it goes no further: `left` says why.
    pub(crate) fn give_up(&mut self, end: End, left: &str) {
        let unseen: Vec<_> = self.backlog.drain(..).collect();
        self.recorded = 0;
        unseen.iter().for_each(|row| self.done.note(row));
        if self.done.is_being_undone() {
            self.ended(self.done.end(Some(left)));
        } else {
            self.ended(end);
            self.operations.lock().record(self.done.give_up(&unseen));
        }
    }

    fn ended(&mut self, end: End) {
        // Steps that the body held are dropped with it, and with them their futures.
        let body = std::mem::replace(&mut self.phase, Phase::Over);
        // A panic in a destructor changes nothing about how the body ended.
        let _ = catch_panic(|| drop(body));
        self.end = EndState::Reached(end);
    }

    /// The driver could not commit what the last [`Turn::Commit`] asked for, and never will: the run
    /// fails. `true` if it is to be polled again, as there may be something to undo; else the driver
    /// ends it.
    pub(crate) fn refused(&mut self, error: ErrorRecord) -> bool {
        let Some(refused) = self.in_flight.take() else { return false };
        let is_undoing = |entry: &Entry| matches!(entry.change, Change::Undo { .. });
        // Without anything else there is nothing that could be left out.
        if self.done.is_being_undone() || refused.iter().all(is_undoing) && !refused.is_empty() {
            return false;
        }
        self.ended(End::Failed(error));
        // What was given up stays so.
        let given_up = refused.into_iter().flat_map(|entry| match entry.change {
            Change::Abandon { .. } => vec![entry],
            Change::Undo { cancelled, .. } => self.done.abandoned(&cancelled),
            _ => Vec::new(),
        });
        self.operations.lock().record(given_up.collect());
        true
    }

    /// Puts on record, where the body has not completed, that what it did is undone first, or else
    /// leaves out what goes with the run's end anyway.
    fn before_the_end(&mut self, entries: &mut Vec<Entry>) {
        let EndState::Reached(end) = &self.end else { return };
        let has_undo = |entry: &Entry| matches!(entry.change, Change::Succeed { undo: true, .. });
        let may_undo = self.done.has_undos(self.undos) || entries.iter().any(has_undo);
        let error = done::reason(end).filter(|_| may_undo && !self.done.is_being_undone());
        let Some(error) = error else {
            return entries.retain(|entry| !matches!(entry.change, Change::Abandon { .. }));
        };
        // Attached children are not abandoned, as their ends are waited for.
        let mut cancelled = Vec::new();
        entries.retain(|entry| match entry.change {
            Change::Abandon { cancelled: Some(child) } => {
                cancelled.push(child);
                false
            }
            _ => true,
        });
        let change = Change::Undo { error, cancelled };
        entries.push(Entry {
            key: StateKey::of_undoing(),
            kind: StepKind::Undo,
            change,
            started_at: None,
        });
        self.end = EndState::Open;
    }

    fn deliver(&mut self, row: Row) {
        self.recorded = self.recorded.saturating_sub(1);
        self.done.note(&row);
        if let Transition::Undoing { .. } = row.transition {
            self.phase = Phase::Undoing(self.undoing());
            return;
        }
        let mut operations = self.operations.lock();
        let result = operations.deliver(&row);
        if let Err(mismatch) = result {
            let waiting = operations.waiting();
            let ended = !matches!(self.phase, Phase::Body(_));
            operations.fail(self.trail.contradiction(&row, &mismatch, &waiting, ended));
        } else {
            self.trail.push(&row);
        }
    }

    fn turn(&mut self) -> Poll<Turn> {
        if self.in_flight.is_some() {
            return Poll::Pending;
        }
        let first_seq = self.next_seq;
        let limit = self.operations.lock().limits().lines;
        let transaction = self.operations.lock().take_transaction();
        if let Some((entry, open)) = transaction {
            let entries = vec![entry];
            if self.lines_with(&entries) <= limit {
                self.in_flight = Some(entries.clone());
                return Poll::Ready(Turn::Commit(Box::new(Commit {
                    first_seq,
                    entries,
                    taken: Vec::new(),
                    discarded: Vec::new(),
                    attributes: Vec::new(),
                    end: None,
                    transaction: Some(open),
                })));
            }
            self.ended(End::Failed(too_long(limit)));
        }
        if self.operations.lock().is_locked() {
            return Poll::Pending;
        }
        let HandedIn { mut entries, taken, discarded } = self.operations.lock().take_handed_in();
        for message in &discarded {
            // A later wait may be told of it again.
            self.seen.remove(message);
        }
        let is_open = matches!(self.end, EndState::Open) && !self.done.is_being_undone();
        if is_open && self.lines_with(&entries) > limit {
            entries.retain(|entry| entry.change.is_outcome());
            self.ended(End::Failed(too_long(limit)));
            entries.extend(self.operations.lock().take_handed_in().entries);
        }
        self.before_the_end(&mut entries);
        let end = match std::mem::replace(&mut self.end, EndState::Open) {
            EndState::Reached(end) => {
                self.end = EndState::InFlight;
                Some(end)
            }
            EndState::Committed => {
                self.end = EndState::Committed;
                return Poll::Ready(Turn::Ended);
            }
            open => {
                self.end = open;
                None
            }
        };
        if !(entries.is_empty() && taken.is_empty() && discarded.is_empty()) || end.is_some() {
            self.in_flight = Some(entries.clone());
            return Poll::Ready(Turn::Commit(Box::new(Commit {
                first_seq,
                entries,
                taken,
                discarded,
                attributes: self.operations.lock().take_attributes(),
                end,
                transaction: None,
            })));
        }
        let mut operations = self.operations.lock();
        if operations.is_empty() {
            let message = "the body waits, but for no step: it awaits something that never comes";
            let fault = Fault::nondeterminism(None, message);
            operations.fail(fault.clone());
            return Poll::Ready(Turn::Held(fault));
        }
        if operations.is_idle() {
            drop(operations);
            return Poll::Ready(Turn::Idle { until: self.next_due() });
        }
        match operations.is_drained() {
            true => Poll::Ready(Turn::Drained),
            false => Poll::Pending,
        }
    }
}

/// When a generation of a run is out of time: at once, if it has begun too late.
fn deadline(
    config: &Config,
    trigger: &TriggerData,
    is_first: bool,
    started_at: Timestamp,
) -> Option<(Timestamp, String)> {
    let waited = started_at.duration_since(trigger.accepted_at);
    let late = config.start_timeout.filter(|timeout| {
        // A later generation begins when the one before it ends.
        is_first && SignedDuration::try_from(*timeout).is_ok_and(|timeout| waited > timeout)
    });
    if let Some(timeout) = late {
        return Some((started_at, format!("it had not begun {timeout:?} after it was accepted")));
    }
    let timeout = config.finish_timeout?;
    let began_at = if is_first { started_at } else { trigger.accepted_at };
    let deadline = began_at.saturating_add(timeout).unwrap_or(Timestamp::MAX);
    Some((deadline, format!("it had not ended {timeout:?} after it had begun")))
}

fn too_long(limit: u32) -> ErrorRecord {
    let message = format!(
        "the run's journal would have more than {limit} entries, and every resume reads all of them; \
         carry the variables of a long loop with `#[carried(..)]` (steps with an undo stay in the \
         journal all the same), give parts of the work to other workflows with `step.invoke(..)`, or \
         use `return step.restart(..)`"
    );
    ErrorRecord::new(ErrorKind::JournalTooLong, message)
}
