//! One run in memory: its body's future and its journal, driven by whoever can commit.
//!
//! The machine performs no I/O and reads no clock. Its driver polls it with the time, commits what
//! it asks for, and says when that is done; quinn-proto is built the same way. Outcomes reach the
//! body one at a time, in the order of the journal, and the body runs until it waits again between
//! each, live and on resume alike. So what a body saw first is what it sees again.

mod done;
mod inbox;
mod phase;
mod position;
mod prefixes;
#[cfg(test)]
mod tests;
mod turn;

use std::sync::{Arc, MutexGuard};
use std::task::{Context, Poll};

use jiff::{SignedDuration, Timestamp};

use self::done::Done;
use self::inbox::Inbox;
use self::phase::{Deadline, EndState, Phase};
use self::position::Position;
pub use self::prefixes::replay_prefixes;
pub use self::turn::Turn;
use crate::journal::{Change, End, Entry, ErrorRecord, Message, Origin, Row, StateKey, Transition};
use crate::panic;
use crate::step::{
    Again, Context as BodyContext, Definition, Expected, Fault, Found, Keys, Limits,
    Nondeterminism, Operations, Resources, Rollback, Shared, Terms, Trail, Undo, undoing,
};
use crate::workflow::{CancelOn, Config, TriggerData};

/// See the [module](self).
pub struct Machine {
    context: BodyContext,
    undos: &'static [Undo],
    /// The events that cancel a generation.
    cancels: &'static [CancelOn],
    generation: u32,
    phase: Phase,
    position: Position,
    done: Done,
    next_seq: u32,
    /// How many rows its journal has.
    rows: u32,
    inbox: Inbox,
    trail: Trail,
}

/// The steps of a machine whose code runs.
pub struct InProgress(Shared);

impl InProgress {
    /// Their keys, for a message.
    pub fn steps(&self) -> String {
        self.0.lock().table.running()
    }
}

impl Machine {
    /// A machine that goes on from where a run stands.
    pub fn new(
        definition: &Definition,
        resources: Arc<Resources>,
        limits: Limits,
        origin: Origin,
    ) -> Self {
        let Origin { trigger, seed, retries, generation, started_at, mut journal } = origin;
        // Who retries a run means it to go on.
        let deadline = deadline(&definition.config, &trigger, generation == 0, started_at)
            .filter(|_| retries == 0);
        let undos = definition.undos;
        let terms = Terms {
            config: definition.config,
            limits,
            has_undo: Box::new(|key| Undo::find(undos, key.as_str()).is_some()),
            database: resources.database(),
        };
        let keys = Keys::new(trigger.run, seed, Again { retries, generation });
        let operations = Shared::new(Operations::new(keys, terms, trigger.accepted_at));
        let context = BodyContext { operations, resources, trigger };
        let next_seq = journal.last().map_or(0, |row| row.seq + 1);
        let rows = u32::try_from(journal.len()).unwrap_or(u32::MAX);
        let mut done = Done::default();
        let over =
            journal.iter().position(|row| matches!(row.transition, Transition::Undoing { .. }));
        let (phase, seen) = match over {
            // It goes on undoing what the body did, whatever has become of its code.
            Some(over) => {
                let seen = journal.split_off(over + 1);
                journal.iter().for_each(|row| done.note(row));
                let undoing = undoing(context.clone(), undos, done.steps(), done.children());
                (Phase::Undoing { undoing, asked_to_cancel: None }, seen)
            }
            // The body begins, to see its journal again.
            None => {
                let (kept, seen) = done::part(journal);
                kept.iter().for_each(|row| done.note(row));
                (Phase::Body { body: (definition.begin)(context.clone()), deadline }, seen)
            }
        };
        let position = Position::resumed(seen);
        let (inbox, trail) = (Inbox::default(), Trail::default());
        let cancels = definition.cancels;
        Self {
            context,
            undos,
            cancels,
            generation,
            phase,
            position,
            done,
            next_seq,
            rows,
            inbox,
            trail,
        }
    }

    fn operations(&self) -> MutexGuard<'_, Operations> {
        self.context.operations.lock()
    }

    /// The run is told something. What it was told before is not told again.
    pub fn receive(&mut self, message: Message) {
        self.inbox.receive(message);
    }

    /// Runs as far as it goes at the time `clock`, by the database's clock as far as the driver
    /// knows it; it must never run ahead of that clock.
    ///
    /// `Pending` means that steps' futures or a commit are in progress: poll again when the context
    /// is woken, after [`committed`](Self::committed), or at [`next_due`](Self::next_due).
    pub fn poll(&mut self, clock: Timestamp, cx: &mut Context<'_>) -> Poll<Turn> {
        self.operations().clock.advance(clock);
        loop {
            let mut was_told = false;
            if !self.position.is_behind() {
                was_told = self.read_inbox();
                self.operations().fire(was_told || !self.inbox.is_empty());
                self.keep_time(clock);
            }
            self.run_body(cx);
            let fault = self.operations().fault().cloned();
            if let Some(fault) = fault {
                if !self.cancelled_at_fault() {
                    return Poll::Ready(Turn::Held(fault));
                }
                continue;
            }
            if let Some(row) = self.position.next_line() {
                self.deliver(row);
            } else if self.position.is_behind() {
                self.position = Position::Level;
                self.operations().go_live();
            } else if !was_told {
                return self.turn();
            }
        }
    }

    /// Whether the body has yet to do again what the journal says that it did.
    pub fn is_behind(&self) -> bool {
        self.position.has_recorded()
    }

    /// Has the body do so, up to where the last row of the journal is handed to it: what it does until
    /// then is nothing new. [`poll`](Self::poll) goes on from there, and does this too where it was
    /// not done before. A fault is left to it.
    pub fn catch_up(&mut self, clock: Timestamp, cx: &mut Context<'_>) {
        self.operations().clock.advance(clock);
        while self.is_behind() {
            self.run_body(cx);
            if self.operations().fault().is_some() {
                return;
            }
            let Some(row) = self.position.next_line() else { return };
            self.deliver(row);
        }
    }

    /// The driver has committed what the last turn asked for, at `at`.
    pub fn committed(&mut self, at: Timestamp) {
        let Some(entries) = self.position.take_back() else { return };
        let first_seq = self.next_seq;
        self.rows = self.rows_with(&entries);
        self.next_seq += entries.len() as u32;
        let rows = entries.into_iter().zip(first_seq..);
        let rows = rows.map(|(entry, seq)| entry.committed(seq, at)).collect();
        self.position = Position::Behind { rows, recorded: 0 };
        self.operations().go_back();
    }

    /// How many rows its journal has.
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// How many it has when these have been added.
    fn rows_with(&self, entries: &[Entry]) -> u32 {
        entries.iter().zip(self.next_seq..).fold(self.rows, |rows, (entry, seq)| {
            let dropped = match entry.change {
                Change::Carry { replaces: Some(from), .. } => {
                    seq.saturating_sub(from).saturating_sub(self.done.kept(from, seq))
                }
                _ => 0,
            };
            (rows + 1).saturating_sub(dropped)
        })
    }

    /// The transaction that the last [`Turn::Conclude`] was to be part of was not committed, and its
    /// row neither.
    pub fn rolled_back(&mut self, rollback: Rollback) {
        let entries = self.position.take_back().unwrap_or_default();
        let mut operations = self.operations();
        entries.iter().for_each(|entry| operations.rolled_back(&entry.key, rollback.clone()));
    }

    /// Begins no further step or attempt: those in progress go on, their outcomes are committed.
    pub fn drain(&mut self) {
        self.operations().drain();
    }

    /// Begins no code of a step before [`go_ahead`](Self::go_ahead).
    pub fn hesitate(&mut self) {
        self.operations().hesitate();
    }

    /// What is in progress, to be asked from another thread while the machine is polled.
    pub fn in_progress(&self) -> InProgress {
        InProgress(self.context.operations.clone())
    }

    /// The steps that would begin if it did not hesitate.
    pub fn about_to_begin(&self) -> Vec<StateKey> {
        self.operations().table.about_to_begin()
    }

    /// Begins what it has hesitated to begin.
    pub fn go_ahead(&mut self) {
        self.operations().go_ahead();
    }

    /// What the body waits for, for a message.
    pub fn waiting(&self) -> String {
        self.operations().table.waiting().to_string()
    }

    /// When the machine has to be polled again if nothing else happens.
    pub fn next_due(&self) -> Option<Timestamp> {
        let due = self.operations().table.next_due();
        let deadline = match &self.phase {
            Phase::Body { deadline, .. } => deadline.as_ref().map(|deadline| deadline.at),
            _ => None,
        };
        due.into_iter().chain(deadline).min()
    }

    /// A body that is out of time is cancelled.
    fn keep_time(&mut self, clock: Timestamp) {
        if let Phase::Body { deadline: Some(Deadline { at, reason }), .. } = &self.phase
            && *at <= clock
        {
            let reason = reason.clone();
            self.ended(End::Cancelled(reason));
        }
    }

    /// Runs the body until it waits again.
    fn run_body(&mut self, cx: &mut Context<'_>) {
        self.poll_body(cx);
        while self.operations().table.has_passed_on() {
            self.poll_body(cx);
        }
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) {
        let end = match &mut self.phase {
            Phase::Over { .. } => return,
            Phase::Body { body, .. } => match panic::catch(|| body.as_mut().poll(cx)) {
                Ok(Poll::Pending) => return,
                Ok(Poll::Ready(Ok(output))) => EndState::Reached(End::Completed(output)),
                Ok(Poll::Ready(Err(failure))) => match self.operations().outbox.restarted() {
                    Some(input) => EndState::Restarting(input),
                    // What a child has undone is the child's.
                    None => {
                        let error = ErrorRecord { undone: Vec::new(), ..failure.record() };
                        EndState::Reached(End::Failed(error))
                    }
                },
                Err(panic) => EndState::Reached(End::Failed(*panic)),
            },
            Phase::Undoing { undoing, .. } => match undoing.as_mut().poll(cx) {
                Poll::Pending => return,
                Poll::Ready(()) => EndState::Reached(self.done.end(None)),
            },
        };
        self.over(end);
    }

    /// Passes on the next of what the run was told, so that what came first is seen first; whether
    /// there was anything. A request to cancel ends the run. While a commit is under way, anything else
    /// is kept: the wait that it is for may be in that commit. So it is between the end of the body
    /// and what undoes its steps, which waits for the children.
    fn read_inbox(&mut self) -> bool {
        let keeps = self.position.is_ahead() || matches!(self.phase, Phase::Over { .. });
        let Some(message) = self.inbox.next(keeps) else { return false };
        if let Some(reason) = message.cancellation() {
            self.cancel(reason.to_owned());
        }
        self.operations().receive(message);
        true
    }

    fn cancel(&mut self, reason: String) {
        match &mut self.phase {
            Phase::Body { .. } => self.ended(End::Cancelled(reason)),
            // Not that the next generation would have to hear of it.
            Phase::Over { end: end @ EndState::Restarting(_), .. } => {
                *end = EndState::Reached(End::Cancelled(reason));
            }
            // It is on its way to its end. The store tells it again whoever goes on undoing.
            Phase::Undoing { asked_to_cancel, .. } | Phase::Over { asked_to_cancel, .. } => {
                *asked_to_cancel = Some(reason);
            }
        }
    }

    /// A run that can go no further can still be cancelled.
    fn cancelled_at_fault(&mut self) -> bool {
        let asked = self.inbox.cancellation().or_else(|| self.phase.request());
        let Some(reason) = asked.map(str::to_owned) else { return false };
        let left = format!("the run was held, and then cancelled: {reason}");
        self.give_up(End::Cancelled(reason), &left);
        true
    }

    /// Ends the run whatever its body made of its journal, and undoes what it did. If even that has
    /// begun, it goes no further: `left` says why.
    pub fn give_up(&mut self, end: End, left: &str) {
        self.operations().forgive();
        let unseen = self.position.skip();
        unseen.iter().for_each(|row| self.done.note(row));
        if self.done.is_being_undone() {
            self.ended(self.done.end(Some(left)));
        } else {
            self.ended(end);
            self.operations().outbox.record(self.done.give_up(&unseen));
        }
    }

    fn ended(&mut self, end: End) {
        self.over(EndState::Reached(end));
    }

    fn over(&mut self, end: EndState) {
        // Steps that the body held are dropped with it, and with them their futures.
        let body = self.phase.over(end);
        // A panic in a destructor changes nothing about how the body ended.
        let _ = panic::catch(|| drop(body));
    }

    /// The driver could not commit what the last [`Turn::Commit`] asked for, and never will: the run
    /// fails. `true` if it is to be polled again, as there may be something to undo; else the driver
    /// ends it.
    pub fn refused(&mut self, error: ErrorRecord) -> bool {
        let Some(refused) = self.position.take_back() else { return false };
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
        self.operations().outbox.record(given_up.collect());
        true
    }

    fn deliver(&mut self, row: Row) {
        self.done.note(&row);
        if let Transition::Undoing { .. } = row.transition {
            let (steps, children) = (self.done.steps(), self.done.children());
            self.phase.undo(undoing(self.context.clone(), self.undos, steps, children));
            return;
        }
        let mut operations = self.context.operations.lock();
        let result = operations.deliver(&row);
        let Err(found) = result else { return self.trail.push(&row) };
        let found = match found {
            Found::Waiting(_) if !matches!(self.phase, Phase::Body { .. }) => Found::End,
            found => found,
        };
        let (agreed, expected) = (self.trail.clone(), Expected::of(&row));
        let contradiction = Nondeterminism { agreed, expected, found };
        operations.fail(Fault::Nondeterminism(Box::new(contradiction)));
    }
}

/// When a generation of a run is out of time: at once, if it has begun too late.
fn deadline(
    config: &Config,
    trigger: &TriggerData,
    is_first: bool,
    started_at: Timestamp,
) -> Option<Deadline> {
    let waited = started_at.duration_since(trigger.accepted_at);
    let late = config.start_timeout.filter(|timeout| {
        // A later generation begins when the one before it ends.
        is_first && SignedDuration::try_from(*timeout).is_ok_and(|timeout| waited > timeout)
    });
    if let Some(timeout) = late {
        let reason = format!("it had not begun {timeout:?} after it was accepted");
        return Some(Deadline { at: started_at, reason });
    }
    let timeout = config.finish_timeout?;
    let began_at = if is_first { started_at } else { trigger.accepted_at };
    let at = began_at.saturating_add(timeout).unwrap_or(Timestamp::MAX);
    Some(Deadline { at, reason: format!("it had not ended {timeout:?} after it had begun") })
}
