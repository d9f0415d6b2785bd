//! The machine alone, fed by hand: no task, no clock, no database.

mod attributes;
mod carrying;
mod compiled;
mod contradictions;
mod errors;
mod failures;
mod invoking;
mod joins;
mod lengths;
mod races;
mod restarting;
mod resuming;
mod time;
mod transactions;
mod undoing;
mod waiting;

use std::cell::RefCell;
use std::collections::HashSet;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use uuid::Uuid;

use super::{Machine, Turn};
use crate::__private::durable;
use crate::journal::{
    Change, Content, End, MatchKey, Message, MessageId, Origin, Row, RunCommit, RunId, Then,
    Transition,
};
use crate::payload::Payload;
use crate::step::{BodyFuture, Context, Definition, Failure, Limits, Resources, Step, Undo};
use crate::workflow::{Config, Graph, State, TriggerData};

/// A state by its id, as `#[workflow]` would make a variant for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct At(&'static str);

impl State for At {
    const ALL: &'static [Self] = &[];
    type Of<T> = T;

    fn id(self) -> &'static str {
        self.0
    }
}

type Begin = fn(Context) -> BodyFuture;

/// Makes the body of a workflow that takes nothing but its steps.
async fn body<T: Serialize>(
    context: Context,
    workflow: impl AsyncFnOnce(Step) -> Result<T, Failure>,
) -> Result<Payload, Failure> {
    let output = workflow(context.extract()).await?;
    Ok(Payload::from_text(serde_json::to_string(&output)?, usize::MAX)?)
}

macro_rules! workflow {
    (async |$step:ident| $body:block) => {
        (|context| Box::pin(body(context, async |$step: Step| $body))) as Begin
    };
}
use workflow;

const ACCEPTED_AT: Timestamp = Timestamp::UNIX_EPOCH;

thread_local! {
    /// What the steps' futures have done, in order.
    static EFFECTS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    /// The gates that are open.
    static OPEN: RefCell<HashSet<&'static str>> = RefCell::default();
    /// Who waits at a gate.
    static WAITING: RefCell<Vec<Waker>> = const { RefCell::new(Vec::new()) };
}

/// A step's future that notes that it ran.
async fn effect<T>(name: impl Into<String>, value: T) -> Result<T, Failure> {
    let name = name.into();
    EFFECTS.with_borrow_mut(|effects| effects.push(name));
    Ok(value)
}

/// A step's future that ends when its gate is opened.
async fn gated(name: &'static str) -> Result<String, Failure> {
    poll_fn(|cx| {
        if OPEN.with_borrow(|open| open.contains(name)) {
            return Poll::Ready(());
        }
        WAITING.with_borrow_mut(|waiting| waiting.push(cx.waker().clone()));
        Poll::Pending
    })
    .await;
    effect(name, name.to_uppercase()).await
}

fn open(name: &'static str) {
    OPEN.with_borrow_mut(|open| open.insert(name));
    WAITING.take().into_iter().for_each(Waker::wake);
}

fn close_all() {
    OPEN.with_borrow_mut(HashSet::clear);
}

fn effects() -> Vec<String> {
    EFFECTS.take()
}

/// A machine with a clock of its own that plays the driver and the store.
struct Bench {
    definition: Definition,
    resources: Arc<Resources>,
    /// What it began with.
    origin: Origin,
    machine: Machine,
    clock: Timestamp,
    /// All that was committed.
    journal: Vec<Row>,
    taken: Vec<MessageId>,
    discarded: Vec<MessageId>,
    end: Option<End>,
    /// What became of it in the end.
    then: Then,
}

impl Bench {
    fn new(begin: Begin) -> Self {
        Self::resumed(begin, Vec::new())
    }

    fn resumed(begin: Begin, journal: Vec<Row>) -> Self {
        Self::limited(begin, journal, Limits::DEFAULT)
    }

    fn limited(begin: Begin, journal: Vec<Row>, limits: Limits) -> Self {
        Self::of(begin, undoing::UNDOS, journal, limits, 0)
    }

    /// A run that has begun anew so often.
    fn generation(begin: Begin, generation: u32) -> Self {
        Self::of(begin, undoing::UNDOS, Vec::new(), Limits::DEFAULT, generation)
    }

    /// The same in a program that has lost its undos.
    fn without_undos(begin: Begin, journal: Vec<Row>) -> Self {
        Self::of(begin, &[], journal, Limits::DEFAULT, 0)
    }

    /// With resources.
    fn lent(begin: Begin, resources: Resources) -> Self {
        let config = Config::DEFAULT.retries(2);
        let limits = Limits::DEFAULT;
        Self::build(begin, &[], Vec::new(), limits, 0, config, ACCEPTED_AT, resources)
    }

    /// One with a configuration, that a worker first took up at a time.
    fn configured(begin: Begin, journal: Vec<Row>, config: Config, started_at: Timestamp) -> Self {
        let (limits, resources) = (Limits::DEFAULT, Resources::default());
        Self::build(begin, undoing::UNDOS, journal, limits, 0, config, started_at, resources)
    }

    fn of(
        begin: Begin,
        undos: &'static [Undo],
        journal: Vec<Row>,
        limits: Limits,
        generation: u32,
    ) -> Self {
        let config = Config::DEFAULT.retries(2);
        Self::build(
            begin,
            undos,
            journal,
            limits,
            generation,
            config,
            ACCEPTED_AT,
            Resources::default(),
        )
    }

    #[allow(clippy::too_many_arguments, reason = "each of them is what some test is about")]
    fn build(
        begin: Begin,
        undos: &'static [Undo],
        journal: Vec<Row>,
        limits: Limits,
        generation: u32,
        config: Config,
        started_at: Timestamp,
        resources: Resources,
    ) -> Self {
        let definition = Definition {
            id: "tested",
            path: "tested",
            triggers: &[],
            form: crate::workflow::Form::Bare,
            waits: &[],
            cancels: &[],
            config,
            graph: Graph::EMPTY,
            undos,
            requirements: Vec::new,
            input_schema: || None,
            check_input: |_| Ok(()),
            begin,
        };
        let run = RunId::from(Uuid::from_u128(1));
        let data = Payload::null();
        let trigger = TriggerData { run, event: None, accepted_at: ACCEPTED_AT, data, trace: None };
        let clock = journal.last().map_or(ACCEPTED_AT, |row| row.at);
        let origin = Origin {
            trigger,
            seed: Uuid::from_u128(2),
            retries: 0,
            generation,
            started_at,
            journal: journal.clone(),
        };
        let resources = Arc::new(resources);
        let machine = Machine::new(&definition, resources.clone(), limits, origin.clone());
        let (taken, discarded) = (Vec::new(), Vec::new());
        let (end, then) = (None, Then::Continue);
        Self { definition, resources, origin, machine, clock, journal, taken, discarded, end, then }
    }

    /// Replays the journal of a run that has completed at every prefix.
    fn assert_replays(&self) {
        // Any other may have come to its end in spite of its body.
        let Some(End::Completed(output)) = &self.end else { return };
        self.replayed(Some(output)).unwrap_or_else(|contradiction| panic!("{contradiction}"));
    }

    fn replayed(&self, output: Option<&Payload>) -> Result<(), String> {
        let origin = Origin { journal: self.journal.clone(), ..self.origin.clone() };
        super::replay_prefixes(&self.definition, &self.resources, &origin, output)
    }

    fn poll(&mut self) -> Poll<Turn> {
        self.machine.poll(self.clock, &mut TaskContext::from_waker(Waker::noop()))
    }

    /// Polls once and commits what is asked for; whether the machine has to be polled again.
    fn turn(&mut self) -> Option<Poll<Turn>> {
        match self.poll() {
            Poll::Ready(Turn::Commit(commit) | Turn::Conclude(commit, _)) => {
                self.commit(commit);
                None
            }
            turn => Some(turn),
        }
    }

    fn commit(&mut self, commit: Box<RunCommit>) {
        let RunCommit { first_seq, entries, taken, discarded, then, .. } = *commit;
        let next_seq = self.journal.last().map_or(0, |row| row.seq + 1);
        assert_eq!(first_seq, next_seq);
        self.taken.extend(taken);
        self.discarded.extend(discarded);
        self.clock += SignedDuration::from_millis(10);
        let at = self.clock;
        for (entry, seq) in entries.into_iter().zip(first_seq..) {
            if let Change::Carry { replaces: Some(from), .. } = entry.change {
                let is_kept = |row: &Row| match row.transition {
                    Transition::Succeeded { undo, .. } => undo,
                    _ => false,
                };
                self.journal.retain(|row| row.seq < from || is_kept(row));
            }
            self.journal.push(entry.committed(seq, at));
        }
        if let Then::End(end) = &then {
            self.end = Some(end.clone());
        }
        self.then = then;
        self.machine.committed(at);
    }

    /// Runs until the machine needs something that is not a commit.
    fn rest(&mut self) -> Poll<Turn> {
        loop {
            if let Some(turn) = self.turn() {
                return turn;
            }
        }
    }

    /// Runs to the end, letting time pass where the machine waits for it.
    fn finish(&mut self) -> End {
        match self.finally() {
            Then::End(end) => end,
            then => panic!("the run did not end: {then:?}"),
        }
    }

    /// Runs to the end of its generation.
    fn finally(&mut self) -> Then {
        loop {
            match self.rest() {
                Poll::Ready(Turn::Idle { until: Some(until) }) => self.clock = until,
                Poll::Ready(Turn::Ended) => {
                    self.assert_replays();
                    return self.then.clone();
                }
                turn => panic!("the machine neither ended nor waited for a time: {turn:?}"),
            }
        }
    }

    fn fault(&mut self) -> String {
        match self.rest() {
            Poll::Ready(Turn::Held(fault)) => fault.to_string(),
            turn => panic!("the run is not held: {turn:?}"),
        }
    }

    fn keys(&self) -> Vec<String> {
        self.journal.iter().map(|row| row.key.to_string()).collect()
    }
}

fn completed(json: &str) -> End {
    End::Completed(Payload::stored(json))
}

/// What of two journals has to be the same: all but the times.
fn without_times(journal: &[Row]) -> Vec<String> {
    journal
        .iter()
        .map(|row| match &row.transition {
            crate::journal::Transition::Sleeping { .. } => format!("{} sleeping", row.key),
            crate::journal::Transition::Retrying { attempt, error, .. } => {
                format!("{} retrying {attempt} {error}", row.key)
            }
            other => format!("{} {other:?}", row.key),
        })
        .collect()
}

/// Resumes a finished run after each of its commits: each time the rest of the journal is written
/// again as it was, and no step whose outcome was committed runs again.
fn assert_resumes_at_every_prefix(begin: Begin) {
    effects();
    let mut whole = Bench::new(begin);
    let end = whole.finally();
    effects();
    for length in 0..=whole.journal.len() {
        // Rows of one commit stand or fall together.
        let commit_of = |row: usize| whole.journal.get(row).map(|row| row.at);
        if length > 0 && commit_of(length - 1) == commit_of(length) {
            continue;
        }
        let prefix = whole.journal[..length].to_vec();
        let over: HashSet<String> = prefix
            .iter()
            .filter(|row| row.transition.is_outcome())
            .map(|row| row.key.to_string())
            .collect();
        let mut resumed = Bench::resumed(begin, prefix);
        assert_eq!(resumed.finally(), end, "resumed after {length} rows");
        assert_eq!(without_times(&resumed.journal), without_times(&whole.journal));
        let again: Vec<_> = effects().into_iter().filter(|name| over.contains(name)).collect();
        assert_eq!(again, Vec::<String>::new(), "steps that were over ran again");
    }
}
