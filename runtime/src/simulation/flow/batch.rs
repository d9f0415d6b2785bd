//! Cases, driven together on one database, each held against its model after all that is done.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use uuid::Uuid;

use super::super::faults::{Fault, Faults};
use super::super::random::Random;
use super::case::{Case, Deed, Flow, Op, Script, Sent};
use super::model::{Model, Place, Undoes};
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

#[derive(Debug, Clone, Copy)]
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

/// What the cases make of their events.
struct Switchboard<'b> {
    live: &'b [Live],
    places: &'b HashMap<u64, usize>,
    routed: Mutex<Vec<(usize, u64, Timestamp)>>,
}

impl Switchboard<'_> {
    fn read(&self, data: &Payload) -> (usize, u64) {
        let (case, no): (u64, u64) = data.decode().expect("it says which it is");
        (self.places[&case], no)
    }
}

impl Routes for Switchboard<'_> {
    fn route(&self, event: &StoredEvent) -> Routing {
        let (place, no) = self.read(&event.data);
        let mut routed = self.routed.lock().unwrap_or_else(PoisonError::into_inner);
        routed.push((place, no, event.accepted_at));
        let Live { case, model, .. } = &self.live[place];
        let admission = admission(case, &model.flows, case.sent(no), event);
        Routing { admissions: vec![admission], ..Routing::default() }
    }

    fn gathered(&self, workflow: &str, events: &[Gathered]) -> NewRun {
        let last = events.last().expect("there are some");
        let (place, no) = self.read(&last.data);
        let Live { case, model, .. } = &self.live[place];
        let (sent, flow) = (case.sent(no), &model.flows[case.sent(no).flow]);
        NewRun { event: None, workflow: workflow.to_owned(), ..new_run(case, flow, sent) }
    }
}

fn admission(case: &Case, flows: &[Flow], sent: &Sent, event: &StoredEvent) -> Admission {
    let flow = &flows[sent.flow];
    let start = || NewRun { event: Some(event.id), ..new_run(case, flow, sent) };
    let Some(gather) = &flow.gather else {
        let run = start();
        let once = flow
            .once
            .as_ref()
            .and_then(|(limit, within)| Some((limit.gate(sent)?, Duration::from_secs(*within))));
        let rate = flow.rate.as_ref().and_then(|limit| limit.gate(sent));
        return Admission::Start(NewRun { checks: Checks { once, rate, ..run.checks }, ..run });
    };
    let Some(key) = gather.key.of(sent) else { return Admission::Start(start()) };
    let seconds = Duration::from_secs;
    let window = match gather.debounce {
        None => Window::Fixed(seconds(gather.seconds)),
        Some(max) => Window::Sliding { period: seconds(gather.seconds), max: max.map(seconds) },
    };
    Admission::Gather(Gathering {
        workflow: WORKFLOWS[sent.flow].to_owned(),
        key: format!("{}/{key}", case.number),
        max: gather.most,
        limit: 100_000,
        window,
        keep: gather.keep,
    })
}

fn gates(flow: &Flow, sent: &Sent) -> Vec<Gate> {
    flow.gates.iter().filter_map(|limit| limit.gate(sent)).collect()
}

/// A run that no event starts.
fn new_run(case: &Case, flow: &Flow, sent: &Sent) -> NewRun {
    let single = flow.single.as_ref();
    let single = single.and_then(|(limit, mode)| Some((limit.gate(sent)?, *mode)));
    NewRun {
        id: case.run(sent.no),
        seed: case.id(sent.no, 1),
        gates: gates(flow, sent),
        ahead: sent.ahead,
        checks: Checks { single, ..Checks::default() },
        ..NewRun::new(WORKFLOWS[sent.flow], None, data(case, sent.no))
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
        for _ in 0..MOST {
            let mut progress = false;
            for act in self.acts() {
                progress |= self.act(act).await?;
            }
            if !progress {
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

// What the store does by itself.
impl Batch {
    async fn route(&mut self) -> Outcome<bool> {
        let parts = [SENT.to_owned()];
        let limit =
            if self.random.percent(50) { 1_000 } else { self.random.within(1..=9) as usize };
        let all =
            Deliveries { worker: WorkerId::new(), app: APP, parts: &parts, limit, in_turn: true };
        let router =
            Switchboard { live: &self.live, places: &self.places, routed: Mutex::default() };
        let count = self.store.route_deliveries(all, &router).await.expect("the store answers");
        let routed = router.routed.into_inner().unwrap_or_else(PoisonError::into_inner);
        let expected: Vec<_> = self.unrouted.drain(..limit.min(self.unrouted.len())).collect();
        if let Some((found, _)) = routed.iter().zip(&expected).find(|(found, told)| found != told) {
            let what = format!("{found:?} is routed before its turn: {expected:?}");
            return Err(self.failure(found.0, what));
        }
        assert_eq!((routed.len(), count), (expected.len(), expected.len()), "all are routed");
        for (place, no, accepted) in routed {
            let Live { case, model, .. } = &mut self.live[place];
            model.event(case, case.sent(no), accepted, self.now);
        }
        Ok(count > 0)
    }

    async fn complete(&mut self) -> Outcome<bool> {
        let parts = [SENT.to_owned()];
        let all = Deliveries {
            worker: WorkerId::new(),
            app: APP,
            parts: &parts,
            limit: 1_000,
            in_turn: false,
        };
        let router =
            Switchboard { live: &self.live, places: &self.places, routed: Mutex::default() };
        let completed = self.store.complete_batches(all, &router).await.expect("it answers");
        let unrouted = self.unrouted.iter().map(|(_, _, accepted)| *accepted).min();
        let mut expected = 0;
        for Live { case, model, .. } in self.live.iter_mut().filter(|live| !live.over) {
            expected += model.complete(case, unrouted, self.now);
        }
        self.promise(completed.next);
        if completed.runs != expected {
            let what = format!("{} windows are complete, not {expected}", completed.runs);
            return Err(self.blame(&what).await);
        }
        Ok(expected > 0)
    }

    async fn open_gates(&mut self) -> Outcome<bool> {
        let (mut passed, mut next) = (0, Some(Duration::ZERO));
        let mut calm = 0;
        while calm < 1 || next == Some(Duration::ZERO) {
            let opened = self.store.open_gates(APP).await.expect("the store answers");
            calm = if opened.runs == 0 { calm + 1 } else { 0 };
            (passed, next) = (passed + opened.runs, opened.next);
            assert!(calm < 1_000, "the opener does not come to an end");
        }
        let live = self.live.iter_mut().filter(|live| !live.over);
        let expected: usize = live.map(|live| live.model.open(self.now).len()).sum();
        self.promise(next);
        if passed != expected {
            return Err(self.blame(&format!("{passed} runs may begin, not {expected}")).await);
        }
        Ok(passed > 0)
    }

    async fn wake(&mut self) -> bool {
        let woken = self.store.wake_due(1_000).await.expect("the store answers");
        let live = self.live.iter_mut().filter(|live| !live.over);
        live.for_each(|live| live.model.wake(self.now));
        self.promise(woken.next);
        woken.runs > 0
    }

    /// Finds the case that is not as its model says.
    async fn blame(&mut self, what: &str) -> Failure {
        let runs = self.runs().await;
        for place in 0..self.live.len() {
            let model = &self.live[place].model;
            let number = self.live[place].case.number;
            let known = |id: &RunId| model.runs.contains_key(id);
            let there = runs.iter().filter(|(_, (case, _))| *case == number);
            let unknown = there.clone().find(|(id, _)| !known(id));
            let missing = model.runs.keys().find(|id| !runs.contains_key(id));
            if let Some((id, _)) = unknown {
                let id = super::model::short(*id);
                return self.failure(place, format!("{what}: run {id} should not be there"));
            }
            if let Some(id) = missing {
                let id = super::model::short(*id);
                return self.failure(place, format!("{what}: run {id} should be there"));
            }
        }
        match self.claim_all(0).await {
            Ok(()) => self.failure(0, format!("{what}, and nobody knows which")),
            Err(failure) => Failure { what: format!("{what}: {}", failure.what), ..failure },
        }
    }

    /// All runs, each with the number of its case and where it stands.
    async fn runs(&self) -> BTreeMap<RunId, (u64, RunStatus)> {
        let (mut runs, mut after) = (BTreeMap::new(), None);
        loop {
            let query = RunQuery { after, limit: Some(1_000), ..RunQuery::default() };
            let page = self.store.runs(APP, &query).await.expect("the store answers");
            let Some(last) = page.last() else { return runs };
            after = Some(last.id);
            runs.extend(page.iter().map(|run| {
                let (case, _): (u64, u64) = run.input.decode().expect("it says which it is");
                (run.id, (case, run.status))
            }));
        }
    }
}

// What workers do.
impl Batch {
    /// The runs that can be claimed, in order.
    fn free(&self) -> Vec<(i64, RunId, usize)> {
        let live = self.live.iter().enumerate().filter(|(_, live)| !live.over);
        let runs = live.flat_map(|(place, live)| {
            let runs = live.model.runs.iter().filter(|(_, run)| run.place == Place::Free);
            runs.map(move |(id, run)| (run.rank, *id, place))
        });
        let mut free: Vec<_> = runs.collect();
        free.sort_unstable();
        free
    }

    async fn claim(&mut self, worker: usize) -> Outcome<bool> {
        let limit = self.faults.claim_limit();
        let mut expected = self.free();
        expected.truncate(limit);
        let claimed = self.claim_up_to(worker, limit).await;
        // On Postgres, what comes in below others that were claimed may be claimed after them.
        let whole = claimed.len() < limit || matches!(self.clock, StoppedClock::Sqlite);
        if whole {
            self.compare(&claimed.iter().map(|(id, _)| *id).collect::<Vec<_>>(), &expected)?;
        }
        let unanswered = !claimed.is_empty() && self.faults.claim_is_unanswered();
        let any = !claimed.is_empty();
        for (id, held) in claimed {
            let place = self.task(id).place;
            self.live[place].model.claimed(id);
            if unanswered {
                self.live[place].model.lost(id);
            } else {
                self.workers[worker].runs.insert(id, held);
            }
        }
        if unanswered {
            let Life { id, runs } = &self.workers[worker];
            let driven: Vec<_> = runs.keys().copied().collect();
            self.store.disown_runs(*id, &driven).await.expect("it is disowned");
        }
        Ok(any)
    }

    async fn claim_up_to(&self, worker: usize, limit: usize) -> Vec<(RunId, Held)> {
        let (worker, workflows) = (self.workers[worker].id, driven());
        let claim = Claim { worker, app: APP, workflows: &workflows, cohort: 0, limit };
        let claimed = self.store.claim_runs(claim).await.expect("a live worker can claim");
        let held = claimed.runs.into_iter().map(|run| {
            let lines = run.origin.journal.len();
            (run.origin.trigger.run, Held { lines, inbox: run.inbox })
        });
        held.collect()
    }

    async fn claim_all(&mut self, worker: usize) -> Outcome<()> {
        let claimed = self.claim_up_to(worker, 100_000).await;
        self.compare(&claimed.iter().map(|(id, _)| *id).collect::<Vec<_>>(), &self.free())
    }

    fn compare(&self, found: &[RunId], expected: &[(i64, RunId, usize)]) -> Outcome<()> {
        let short = super::model::short;
        let there: BTreeSet<_> = found.iter().collect();
        for (_, id, place) in expected {
            if !there.contains(id) {
                return Err(
                    self.failure(*place, format!("run {} may begin, but cannot", short(*id)))
                );
            }
        }
        for (nth, id) in found.iter().enumerate() {
            let place = self.tasks.get(id).map(|task| task.place);
            let place = place.or_else(|| {
                let owns = |live: &Live| live.model.runs.contains_key(id);
                self.live.iter().position(owns)
            });
            let place = place.expect("it is of some case");
            match expected.get(nth) {
                Some((_, due, _)) if due == id => {}
                Some(_) if expected.iter().any(|(_, other, _)| other == id) => {
                    return Err(self.failure(place, format!("run {} is out of order", short(*id))));
                }
                _ => return Err(self.failure(place, format!("run {} may not begin", short(*id)))),
            }
        }
        Ok(())
    }

    /// What a run has to do.
    fn task(&mut self, run: RunId) -> &mut Task {
        if !self.tasks.contains_key(&run) {
            let owns = |live: &Live| live.model.runs.contains_key(&run);
            let place = self.live.iter().position(owns).expect("it is of some case");
            let case = &self.live[place].case;
            let numbers = case.deeds.iter().filter_map(|(_, deed)| match deed {
                Deed::Send(sent) | Deed::Start(sent) => Some(sent),
                _ => None,
            });
            let sent = numbers.into_iter().find(|sent| case.run(sent.no) == run);
            let sent = sent.expect("children are known").clone();
            self.tasks.insert(run, Task::of(place, &sent, &sent.script));
        }
        self.tasks.get_mut(&run).expect("it is there")
    }

    /// When a run that is held goes on by itself.
    fn due(&self, run: RunId) -> Option<Timestamp> {
        let task = &self.tasks[&run];
        if let Some(undoing) = task.undoing {
            return Some(undoing + seconds(task.undo));
        }
        let (line, began) = task.began?;
        match task.lines.get(line) {
            Some(Line::Work(long)) => Some(began + seconds(*long)),
            _ => None,
        }
    }

    async fn tell(&mut self, worker: usize) -> bool {
        let life = &mut self.workers[worker];
        if life.runs.is_empty() {
            return false;
        }
        let mut any = false;
        for (run, message) in self.store.messages(life.id).await.expect("the store answers") {
            let held = life.runs.get_mut(&run).expect("it drives what it holds");
            if held.inbox.iter().all(|known| known.id != message.id) {
                held.inbox.push(message);
                any = true;
            }
        }
        any
    }

    async fn drive(&mut self, worker: usize) -> Outcome<bool> {
        let held: Vec<_> = self.workers[worker].runs.keys().copied().collect();
        let mut batch = Vec::new();
        for run in held {
            batch.extend(self.commit_of(worker, run));
        }
        let progress = !batch.is_empty();
        while !batch.is_empty() {
            let size = self.faults.part_of(batch.len());
            let rest = batch.split_off(size);
            if !self.flush(worker, &batch).await {
                break;
            }
            batch = rest;
        }
        Ok(progress)
    }

    /// What a run commits now, if it does.
    fn commit_of(&mut self, worker: usize, run: RunId) -> Option<RunCommit> {
        let now = self.now;
        let Held { lines, inbox } = &self.workers[worker].runs[&run];
        let (lines, inbox) = (*lines, inbox.clone());
        let is_cancelled =
            inbox.iter().any(|message| matches!(message.content, Content::Cancel { .. }));
        let ended =
            inbox.iter().filter(|message| matches!(message.content, Content::ChildEnded { .. }));
        let heard: Vec<_> = ended.map(|message| message.id).collect();
        self.task(run);
        let task = self.tasks.get_mut(&run).expect("it is there");
        let Live { case, model, .. } = &self.live[task.place];
        let mut commit =
            RunCommit { first_seq: lines as u32 + 1, ..RunCommit::of(run, Then::Continue) };
        commit.taken = heard.clone();
        if is_cancelled {
            let undoing = *task.undoing.get_or_insert(now);
            let undo = match model.runs[&run].cancelled {
                Some(Undoes::Something) => task.undo,
                _ => 0,
            };
            commit.then = Then::End(End::Cancelled("it is cancelled".to_owned()));
            return (undoing + seconds(undo) <= now).then_some(commit);
        }
        let began = match task.began {
            Some((line, began)) if line == lines => began,
            _ => now,
        };
        task.began = Some((lines, began));
        let done = |kind| {
            let outcome = Payload::stored("null");
            let change = Change::Succeed { attempt: 1, outcome, events: Vec::new(), undo: false };
            Entry { key: key(lines), kind, change, started_at: None }
        };
        match task.lines.get(lines) {
            Some(Line::Work(long)) if now < began + seconds(*long) => return None,
            Some(Line::Work(_)) => commit.entries.push(done(StepKind::Run)),
            Some(Line::Sleep(long)) => {
                commit.entries.push(done(StepKind::Sleep));
                commit.then = Then::Park(Some(now + seconds(*long)));
            }
            Some(Line::Invoke { detached, .. }) => {
                let sent = &task.sent;
                let child = Child {
                    id: case.child(run, lines as u32),
                    workflow: WORKFLOWS[sent.flow],
                    input: data(case, sent.no),
                    seed: Uuid::nil(),
                    detached: *detached,
                    cancels: Vec::new(),
                    gates: gates(&model.flows[sent.flow], sent),
                    ahead: sent.ahead,
                };
                let change = Change::Invoke { child, timeout: None };
                let kind = StepKind::Invoke;
                commit.entries.push(Entry { key: key(lines), kind, change, started_at: None });
                if !detached {
                    commit.then = Then::Park(None);
                }
            }
            Some(Line::Await) if heard.is_empty() => commit.then = Then::Park(None),
            Some(Line::Await) => commit.entries.push(done(StepKind::Invoke)),
            None if task.fails => {
                let error = ErrorRecord::new(ErrorKind::Error, "it fails");
                commit.then = Then::End(End::Failed(error));
            }
            None => commit.then = Then::End(End::Completed(Payload::stored("null"))),
        }
        Some(commit)
    }

    /// Commits, or fails to; whether the worker lives on.
    async fn flush(&mut self, worker: usize, batch: &[RunCommit]) -> bool {
        let (id, commit) = (self.workers[worker].id, Uuid::now_v7());
        let fault = self.faults.of_flush();
        let lost = matches!(fault, Some(Fault::Killed | Fault::Torn | Fault::Late | Fault::Leaves));
        if !lost {
            let flushed = self.store.flush_commits(id, commit, batch).await;
            let flushed = flushed.expect("a live worker can commit");
            assert!(flushed.evicted.is_empty(), "{:?} are ours", flushed.evicted);
            self.committed(worker, batch);
        }
        match fault {
            None | Some(Fault::UnansweredAndLost) => return true,
            Some(Fault::Unanswered) => {
                let landed = self.store.landed_commits(commit, batch).await;
                let landed = landed.expect("the store answers").is_some();
                assert!(landed || batch.iter().all(RunCommit::is_traceless), "it has landed");
                return true;
            }
            Some(Fault::SentTwice) => {
                let again = self.store.flush_commits(id, commit, batch).await;
                again.expect("it may come again");
                return true;
            }
            Some(Fault::Leaves) => self.store.end_lease(id).await.expect("it can leave"),
            Some(Fault::Killed | Fault::Torn | Fault::Late | Fault::KilledBehind) => {
                self.database.end_process(id);
                while self.store.renewals().renew(id, Duration::ZERO).await.is_ok() {
                    self.store.take_over_runs(&judge).await.expect("the store answers");
                }
            }
        }
        if fault == Some(Fault::Late) {
            let late = self.store.flush_commits(id, commit, batch).await;
            assert!(matches!(late, Err(StoreError::LeaseLost)), "{late:?}");
        }
        let next = self.join().await;
        let life = &mut self.workers[worker];
        life.id = next;
        for run in std::mem::take(&mut life.runs).into_keys() {
            let place = self.tasks[&run].place;
            self.live[place].model.lost(run);
        }
        false
    }

    /// Tells the models.
    fn committed(&mut self, worker: usize, batch: &[RunCommit]) {
        for RunCommit { run, entries, then, taken, .. } in batch {
            let place = self.tasks[run].place;
            let sent = self.tasks[run].sent.clone();
            let lines = self.workers[worker].runs[run].lines;
            let Live { model, .. } = &mut self.live[place];
            if !taken.is_empty() {
                model.heard(*run);
            }
            for entry in entries {
                let Change::Invoke { child, .. } = &entry.change else { continue };
                model.invoked(*run, child.id, &sent, child.detached, self.now);
                let Some(Line::Invoke { script, .. }) = self.tasks[run].lines.get(lines) else {
                    unreachable!("it invokes nothing")
                };
                let task = Task::of(place, &sent, &script.clone());
                self.tasks.insert(child.id, task);
            }
            let status = match then {
                Then::End(End::Completed(_)) => Some(RunStatus::Completed),
                Then::End(End::Failed(_)) => Some(RunStatus::Failed),
                Then::End(End::Cancelled(_)) => Some(RunStatus::Cancelled),
                _ => None,
            };
            if let Some(status) = status {
                model.ended(*run, status, self.now);
            }
            if let Then::Park(until) = then {
                model.parked(*run, *until);
            }
            let runs = &mut self.workers[worker].runs;
            match then {
                Then::Continue => {
                    let held = runs.get_mut(run).expect("it is driven");
                    held.lines += entries.len();
                    held.inbox.retain(|message| !taken.contains(&message.id));
                }
                _ => drop(runs.remove(run)),
            }
        }
    }

    async fn join(&self) -> WorkerId {
        const LEASE: Duration = Duration::from_secs(1_000_000_000);
        let id = WorkerId::new();
        let worker = Worker {
            id,
            app: APP.to_owned(),
            host: "simulated".to_owned(),
            pid: 1,
            drives: driven().into(),
            registration: Arc::new(self.registration()),
        };
        self.store.begin_lease(&worker, LEASE).await.expect("a worker can join");
        id
    }
}

// What the world does.
impl Batch {
    fn registration(&self) -> Registration {
        let limits = self.live.iter().flat_map(|live| &live.model.declared);
        let limits =
            limits.map(|(limit, allows)| Declared { limit: limit.clone(), allows: *allows });
        Registration {
            app: APP.to_owned(),
            workflows: WORKFLOWS.map(str::to_owned).into(),
            subscriptions: vec![Subscription::whole(SENT)],
            schedules: Vec::new(),
            limits: limits.collect(),
            schemas: Vec::new(),
        }
    }

    async fn register(&self) {
        self.store.register_app(&self.registration()).await.expect("an app can register");
    }

    async fn deeds(&mut self) -> Outcome<()> {
        if self.now == second(RESCUE) {
            self.rescue().await;
        }
        let mut queues: Vec<VecDeque<Deed>> = self
            .live
            .iter()
            .map(|Live { case, .. }| {
                let now = case.deeds.iter().filter(|(at, _)| second(*at) == self.now);
                now.map(|(_, deed)| deed.clone()).collect()
            })
            .collect();
        loop {
            let next = queues.iter_mut().enumerate();
            let next: Vec<_> =
                next.filter_map(|(place, queue)| Some((place, queue.pop_front()?))).collect();
            if next.is_empty() {
                return Ok(());
            }
            self.perform(next).await?;
            if self.random.percent(50) {
                let acts = self.acts();
                let some = self.random.below(acts.len() as u64) as usize;
                for act in &acts[..some] {
                    self.act(*act).await?;
                }
            }
        }
    }

    async fn perform(&mut self, deeds: Vec<(usize, Deed)>) -> Outcome<()> {
        let (mut events, mut cancelled, mut declares) = (Vec::new(), Vec::new(), false);
        for (place, deed) in deeds {
            let Live { case, model, .. } = &mut self.live[place];
            model.change(&deed, self.now);
            match deed {
                Deed::Send(sent) => {
                    model.note(self.now, format_args!("event {} comes", sent.no));
                    let id = case.id(sent.no, 2).into();
                    let data = data(case, sent.no);
                    let name = SENT.to_owned();
                    events.push(NewEvent {
                        id,
                        name,
                        data,
                        idempotency_key: None,
                        due: None,
                        hosted: None,
                    });
                    self.unrouted.push_back((place, sent.no, self.now));
                }
                Deed::Start(sent) => {
                    let run = new_run(case, &model.flows[sent.flow], &sent);
                    model.start(case, &sent, self.now);
                    self.store.start_runs(APP, &[run]).await.expect("it starts");
                }
                Deed::Cancel(no) => {
                    let run = case.run(no);
                    model.cancel(run, self.now);
                    cancelled.push(run);
                }
                Deed::Declare(..) => {
                    model.note(self.now, format_args!("{deed:?}"));
                    declares = true;
                }
                Deed::Rekey { .. } | Deed::Regather { .. } => {
                    model.note(self.now, format_args!("{deed:?}"));
                }
                Deed::Set(ref name, allows) => {
                    model.note(self.now, format_args!("{deed:?}"));
                    self.set(name, Some(allows)).await;
                }
                Deed::Reset(ref name) => {
                    model.note(self.now, format_args!("{deed:?}"));
                    self.set(name, None).await;
                }
            }
        }
        if declares {
            self.register().await;
        }
        for run in cancelled {
            self.store.cancel_run(run, "no longer wanted").await.expect("the store answers");
        }
        if !events.is_empty() {
            self.store.accept_events(None, &events).await.expect("they are accepted");
        }
        Ok(())
    }

    async fn set(&self, limit: &str, allows: Option<Allowance>) {
        let set = self.store.set_limit(APP, limit, allows.as_ref(), "an operator").await;
        set.expect("the store answers").expect("it is a limit of this kind");
    }

    /// Lets everybody through: a limit of zero, and keys that change while runs wait for their children,
    /// may keep runs waiting for ever.
    async fn rescue(&mut self) {
        for place in
            (0..self.live.len()).filter(|place| !self.live[*place].over).collect::<Vec<_>>()
        {
            let names: Vec<_> = self.live[place].model.declared.keys().cloned().collect();
            for name in names {
                let deed = match self.live[place].model.declared[&name] {
                    Allowance::Slots(_) if !name.ends_with("singleton") => {
                        Deed::Set(name.clone(), Allowance::Slots(1_000))
                    }
                    Allowance::Pace { per, .. } => {
                        Deed::Set(name.clone(), Allowance::Pace { limit: 60, per, burst: 0 })
                    }
                    _ => continue,
                };
                let Deed::Set(_, allows) = &deed else { unreachable!("it is one") };
                self.set(&name, Some(*allows)).await;
                self.live[place].model.change(&deed, self.now);
            }
        }
    }

    /// Everything is over, as the models say, and nothing is left of it.
    async fn check_end(&mut self) -> Outcome<()> {
        let runs = self.runs().await;
        for place in 0..self.live.len() {
            for (id, run) in &self.live[place].model.runs {
                let found = runs.get(id).map(|(_, status)| *status);
                let Place::Over(expected) = run.place else {
                    let what = format!("run {} is never over: {:?}", super::model::short(*id), run);
                    return Err(self.failure(place, what));
                };
                if found != Some(expected) {
                    let id = super::model::short(*id);
                    let what = format!("run {id} is {expected}, and stored as {found:?}");
                    return Err(self.failure(place, what));
                }
            }
        }
        let expected: usize = self.live.iter().map(|live| live.model.runs.len()).sum();
        assert_eq!(runs.len(), expected, "there are no other runs");
        let skipped: usize = self.live.iter().map(|live| live.model.skipped).sum();
        assert_eq!(self.database.rows("skipped").await, skipped as i64, "so many are skipped");
        let tables = [
            "slots",
            "openings",
            "counters WHERE due_at IS NOT NULL",
            "ready",
            "batches",
            "batched",
            "deliveries",
            "timers",
            "inbox",
            "waits",
        ];
        for table in tables {
            let rows = self.database.rows(table).await;
            assert_eq!(rows, 0, "so many rows are left in `{table}`");
        }
        Ok(())
    }
}

fn key(line: usize) -> StateKey {
    format!("line-{line}").into()
}

/// The workflows, as every program has them.
fn driven() -> [Driven; 2] {
    WORKFLOWS.map(|workflow| {
        let workflow = workflow.to_owned();
        Driven { workflow, shape: Uuid::nil(), pinned: false }
    })
}

/// Nothing is held against runs here: crashes are the tests' own.
fn judge(orphans: &[Orphan]) -> Vec<Standing> {
    orphans.iter().map(|_| Standing::default()).collect()
}
