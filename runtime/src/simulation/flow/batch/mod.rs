//! Cases, driven together on one database, each held against its model after all that is done.

mod store;
mod switchboard;
mod workers;
mod world;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use uuid::Uuid;

use super::super::faults::{Fault, Faults};
use super::super::random::Random;
use super::case::{Case, Deed, Flow, Op, Script, Sent};
use super::model::{Model, Place, Undoes, short};
use crate::flow::{Admission, Gathering, NewRun, Window};
use crate::id::{RunId, WorkerId};
use crate::journal::{
    Change, Child, Content, End, Entry, ErrorKind, ErrorRecord, Message, RunCommit, StateKey, Then,
};
use crate::payload::Payload;
use crate::store::conformance::{StoppedClock, TestDatabase};
use crate::store::{
    Claim, Deliveries, Driven, Gathered, NewEvent, Orphan, Registration, Routes, Routing, RunQuery,
    RunStatus, Standing, Store, StoreError, StoredEvent, Subscription, Worker, open,
};
use crate::workflow::{Allowance, Checks, Declared, Gate, StepKind};

use self::switchboard::{Switchboard, gates, new_run};
use self::world::driven;

const APP: &str = "flow-control";
const SENT: &str = "flow-control/sent";
const WORKFLOWS: [&str; 2] = ["first", "second"];

/// From this second on every limit lets everybody through.
const RESCUE: u64 = 4_000;

/// What is not as the model says.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    /// The number of the case.
    pub(super) case: u64,
    pub(super) what: String,
    pub(super) story: Vec<String>,
}

type Outcome<T> = Result<T, Failure>;

pub(super) struct Batch {
    database: Arc<TestDatabase>,
    store: Arc<dyn Store>,
    clock: StoppedClock,
    now: Timestamp,
    live: Vec<Live>,
    /// Where each run and its case is found.
    tasks: HashMap<RunId, Task>,
    /// Where a case is found by its number.
    places: HashMap<u64, usize>,
    unrouted: VecDeque<(usize, u64, Timestamp)>,
    workers: Vec<Life>,
    random: Random,
    faults: Faults,
    /// When the store has said that something happens next.
    promised: Option<Timestamp>,
}

struct Live {
    case: Case,
    model: Model,
    /// Whether nothing happens to it any more.
    over: bool,
}

/// What a run has to do.
struct Task {
    place: usize,
    sent: Sent,
    lines: Vec<Line>,
    /// How long its undos take.
    undo: u64,
    fails: bool,
    /// When what it does at the moment began, and after how many lines.
    began: Option<(usize, Timestamp)>,
    undoing: Option<Timestamp>,
}

/// One line of a run's journal.
#[derive(Clone)]
enum Line {
    Work(u64),
    Sleep(u64),
    Invoke { script: Script, detached: bool },
    Await,
}

/// One life of a worker.
struct Life {
    id: WorkerId,
    runs: BTreeMap<RunId, Held>,
}

#[derive(Default)]
struct Held {
    lines: usize,
    inbox: Vec<Message>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Route,
    Complete,
    Open,
    Wake,
    Claim(usize),
    Drive(usize),
    Tell(usize),
}

impl Task {
    fn of(place: usize, sent: &Sent, script: &Script) -> Self {
        let lines = script.ops.iter().flat_map(|op| match op {
            Op::Work(seconds) => vec![Line::Work(*seconds)],
            Op::Sleep(seconds) => vec![Line::Sleep(*seconds)],
            Op::Invoke { script, detached } => {
                let invoke = Line::Invoke { script: script.clone(), detached: *detached };
                if *detached { vec![invoke] } else { vec![invoke, Line::Await] }
            }
        });
        let lines = lines.collect();
        let Script { undo, fails, .. } = *script;
        Self { place, sent: sent.clone(), lines, undo, fails, began: None, undoing: None }
    }
}

fn data(case: &Case, no: u64) -> Payload {
    Payload::stored(json!([case.number, no]).to_string())
}

/// So many seconds after everything has begun.
fn second(nth: u64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(2_000_000_000 + nth as i64)
}

fn seconds(seconds: u64) -> SignedDuration {
    SignedDuration::from_secs(seconds as i64)
}

impl Batch {
    pub(super) async fn open(
        cases: &[Case],
        database: TestDatabase,
        mut random: Random,
        disturbed: bool,
    ) -> Self {
        let now = second(0);
        let clock = StoppedClock::of(&database, now).await;
        let store = open(&database.url(), None).await.expect("the database can be opened");
        let live = cases.iter().map(|case| Live {
            case: case.clone(),
            model: Model::of(case),
            over: false,
        });
        let live: Vec<_> = live.collect();
        let places = cases.iter().enumerate().map(|(place, case)| (case.number, place));
        let faults = match disturbed {
            true => Faults::many(Random::new(random.next())),
            false => Faults::none(),
        };
        let mut batch = Self {
            database: Arc::new(database),
            store,
            clock,
            now,
            live,
            tasks: HashMap::new(),
            places: places.collect(),
            unrouted: VecDeque::new(),
            workers: Vec::new(),
            random,
            faults,
            promised: None,
        };
        batch.register().await;
        for _ in 0..2 {
            let life = Life { id: batch.join().await, runs: BTreeMap::new() };
            batch.workers.push(life);
        }
        batch
    }

    /// Drives all cases to their end.
    pub(super) async fn run(mut self) -> Outcome<()> {
        let outcome = self.drive_all().await;
        self.store.close().await;
        self.clock.release().await;
        let database = Arc::into_inner(self.database).expect("nobody else has it");
        database.remove().await;
        outcome
    }

    async fn drive_all(&mut self) -> Outcome<()> {
        let deeds = self.live.iter().flat_map(|live| &live.case.deeds);
        let mut times: Vec<_> = deeds.map(|(at, _)| second(*at)).collect();
        times.push(second(RESCUE));
        times.sort_unstable();
        times.dedup();
        let mut times = VecDeque::from(times);
        loop {
            let deed = times.front().copied();
            let inner = self.next();
            let Some(next) = deed.into_iter().chain(inner).min() else { break };
            self.advance(next).await?;
            if deed == Some(next) {
                times.pop_front();
                self.deeds().await?;
            }
            self.settle().await?;
            for live in &mut self.live {
                let deeds = live.case.deeds.last().map_or(0, |(at, _)| *at);
                live.over = self.now >= second(deeds) && live.model.is_over();
            }
        }
        self.check_end().await
    }

    /// The next time at which something happens by itself.
    fn next(&self) -> Option<Timestamp> {
        let live = self.live.iter().filter(|live| !live.over);
        let modelled = live.filter_map(|live| live.model.next(self.now));
        let held = self.workers.iter().flat_map(|life| life.runs.keys());
        let due = held.filter_map(|run| self.due(*run)).filter(|due| *due > self.now);
        modelled.chain(due).min()
    }

    /// Lets time pass. Where something happens by itself, the store has said so.
    async fn advance(&mut self, next: Timestamp) -> Outcome<()> {
        for live in self.live.iter().filter(|live| !live.over) {
            let due = live.model.next(self.now).is_some_and(|due| due <= next);
            let late = self.promised.is_none_or(|promised| promised > next);
            if due && late && live.model.acts_at(next) {
                return Err(self.failure(
                    self.places[&live.case.number],
                    format!("something is due at {next}, and the store says {:?}", self.promised),
                ));
            }
        }
        self.now = next;
        self.clock.set(next).await;
        Ok(())
    }

    fn failure(&self, place: usize, what: String) -> Failure {
        let Live { case, model, .. } = &self.live[place];
        let what = format!("at {}: {what}", self.now.as_second() % 100_000);
        Failure { case: case.number, what, story: model.story.clone() }
    }

    /// Does all that there is to do at this time, in any order.
    async fn settle(&mut self) -> Outcome<()> {
        const MOST: u32 = 1_000;
        self.promised = None;
        // What there was nothing to do of since anything was done.
        let mut idle = Vec::new();
        for _ in 0..MOST {
            let acts = self.acts();
            for act in &acts {
                if idle.contains(act) {
                    continue;
                }
                match self.act(*act).await? {
                    true => idle.clear(),
                    false => idle.push(*act),
                }
            }
            if idle.len() == acts.len() {
                return Ok(());
            }
        }
        panic!("it does not settle at {}", self.now);
    }

    fn acts(&mut self) -> Vec<Act> {
        let mut acts = vec![Act::Route, Act::Complete, Act::Open, Act::Wake];
        for worker in 0..self.workers.len() {
            acts.extend([Act::Claim(worker), Act::Drive(worker), Act::Tell(worker)]);
        }
        for place in (1..acts.len()).rev() {
            acts.swap(place, self.random.below(place as u64 + 1) as usize);
        }
        acts
    }

    /// Does something; whether there was anything.
    async fn act(&mut self, act: Act) -> Outcome<bool> {
        match act {
            Act::Route => self.route().await,
            Act::Complete => self.complete().await,
            Act::Open => self.open_gates().await,
            Act::Wake => Ok(self.wake().await),
            Act::Claim(worker) => self.claim(worker).await,
            Act::Drive(worker) => self.drive(worker).await,
            Act::Tell(worker) => Ok(self.tell(worker).await),
        }
    }

    fn promise(&mut self, next: Option<Duration>) {
        let next = next.map(|wait| {
            let wait = Duration::from_micros(wait.as_nanos().div_ceil(1000) as u64);
            self.now + SignedDuration::try_from(wait).expect("nothing is that far away")
        });
        self.promised = self.promised.into_iter().chain(next).min();
    }
}
