use std::future::Future;
use std::panic::resume_unwind;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::database::TestDatabase;
use crate::event::EventId;
use crate::flow::{Admission, NewRun};
use crate::id::WorkerId;
use crate::journal::{
    CancelKey, Change, Content, Entry, MatchKey, Message, RunCommit, RunId, Then,
};
use crate::payload::Payload;
use crate::store::hints::Work;
use crate::store::{
    Claim, ClaimedRun, Deliveries, Driven, Flushed, NewEvent, Orphan, Registration, Routing,
    RunStatus, Standing, Store, StoreError, StoredEvent, Subscription, Worker, open,
};
use crate::workflow::StepKind;

pub(in crate::store) const APP: &str = "shop";
pub(in crate::store) const ORDER: &str = "on-order";
/// Starts [`ORDER`].
pub(in crate::store) const PLACED: &str = "order/placed";
/// The part of [`PLACED`] that does.
pub(in crate::store) const PLACED_STARTS_ORDER: &str = "order/placed starts on-order";
/// Is waited for by its `no`.
pub(in crate::store) const PAID: &str = "order/paid";
pub(in crate::store) const HOUR: Duration = Duration::from_secs(60 * 60);

/// A new database, and what a test does with it in few words.
#[derive(Clone)]
pub(in crate::store) struct World {
    pub(in crate::store) database: Arc<TestDatabase>,
    pub(in crate::store) store: Arc<dyn Store>,
}

/// Runs a test on a SQLite file.
pub(in crate::store) async fn on_sqlite<F>(test: impl FnOnce(World) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    on(TestDatabase::sqlite(), test).await;
}

/// Runs a test on Postgres.
pub(in crate::store) async fn on_postgres<F>(test: impl FnOnce(World) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    on(TestDatabase::postgres().await, test).await;
}

/// Runs a test on Postgres, reached through the pooler that an environment variable names.
pub(in crate::store) async fn on_pooled<F>(pooler: &str, test: impl FnOnce(World) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    on(TestDatabase::pooled(pooler).await, test).await;
}

/// The test, and then whether it has left anything behind.
pub(super) fn tidy<F>(
    test: impl FnOnce(World) -> F + Send + 'static,
) -> impl FnOnce(World) -> BoxFuture<'static, ()>
where
    F: Future<Output = ()> + Send + 'static,
{
    move |world| {
        let database = Arc::clone(&world.database);
        Box::pin(async move {
            test(world).await;
            let left = database.left_behind().await;
            assert!(left.is_empty(), "something is left behind: {left:?}");
        })
    }
}

/// Runs a test and removes its database, also when the test failed.
async fn on<F>(database: TestDatabase, test: impl FnOnce(World) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let database = Arc::new(database);
    let store = store_on(&database).await;
    let world = World { database: Arc::clone(&database), store: Arc::clone(&store) };
    let outcome = tokio::spawn(test(world)).await;
    store.close().await;
    if let Some(database) = Arc::into_inner(database) {
        database.remove().await;
    }
    if let Err(error) = outcome {
        resume_unwind(error.into_panic());
    }
}

async fn store_on(database: &TestDatabase) -> Arc<dyn Store> {
    let opened = open(&database.url(), database.hints_url().as_deref()).await;
    opened.unwrap_or_else(|error| panic!("{error}"))
}

impl World {
    /// What another process would have: a store of its own on the same database.
    pub(in crate::store) async fn another(&self) -> Arc<dyn Store> {
        store_on(&self.database).await
    }

    /// Registers an app with one workflow and what it subscribes to.
    pub(in crate::store) async fn subscribe(&self, app: &str, events: &[&str]) {
        let registration = Registration { app: app.to_owned(), ..program(events) };
        self.store.register_app(&registration).await.expect("an app can register");
    }

    /// A worker with a lease of this length, of a program that subscribes to nothing. One with a lease of
    /// no length is taken over as soon as somebody looks.
    pub(in crate::store) async fn worker(&self, lease: Duration) -> WorkerId {
        self.worker_of(lease, driven(1, false)).await
    }

    /// A worker of a program that has [`ORDER`] like this.
    pub(in crate::store) async fn worker_of(&self, lease: Duration, driven: Driven) -> WorkerId {
        let worker = Worker { drives: vec![driven], ..worker(program(&[])) };
        self.store.begin_lease(&worker, lease).await.expect("a worker can join");
        if lease.is_zero() {
            self.database.end_process(worker.id);
        }
        worker.id
    }

    /// A worker of this program.
    pub(in crate::store) async fn worker_with(&self, program: Registration) -> WorkerId {
        let worker = worker(program);
        self.store.begin_lease(&worker, HOUR).await.expect("a worker can join");
        worker.id
    }

    /// Starts so many runs, in separate commits.
    pub(in crate::store) async fn start(&self, count: usize) -> Vec<RunId> {
        let mut ids = Vec::new();
        for _ in 0..count {
            let run = NewRun::new(ORDER, None, json("{}"));
            ids.push(run.id);
            self.store.start_runs(APP, &[run]).await.expect("a run can start");
        }
        ids
    }

    pub(in crate::store) async fn claim(&self, worker: WorkerId, limit: usize) -> Vec<ClaimedRun> {
        claim(&*self.store, worker, limit).await.expect("a live worker can claim")
    }

    /// Starts a run and claims it.
    pub(in crate::store) async fn claimed(&self, worker: WorkerId) -> RunId {
        let started = self.start(1).await;
        let claimed = self.claim(worker, 1).await;
        assert_eq!(ids(&claimed), started);
        started[0]
    }

    pub(in crate::store) async fn flush(
        &self,
        worker: WorkerId,
        batch: &[RunCommit],
    ) -> Result<Flushed, StoreError> {
        self.store.flush_commits(worker, Uuid::now_v7(), batch).await
    }

    /// Takes over from workers that are gone, and counts it against what they held.
    pub(in crate::store) async fn take_over(&self) -> Result<u64, StoreError> {
        self.store.take_over_runs(&counted).await
    }

    /// What was stirred since this was asked last. Whoever makes a run ready need not know that it has no
    /// gates.
    pub(in crate::store) fn rung(&self) -> Work {
        let rung = self.rung_in_all();
        if rung.contains(Work::READY) { rung - Work::GATES } else { rung }
    }

    /// The same, also where it is said for nothing.
    pub(super) fn rung_in_all(&self) -> Work {
        self.store.hints().rung()
    }

    pub(in crate::store) async fn status(&self, run: RunId) -> RunStatus {
        self.store.run(run).await.expect("the store answers").expect("the run is there").status
    }

    /// Sends an event of the order with this number, and routes it.
    pub(in crate::store) async fn send(&self, name: &str, no: u32) -> EventId {
        let event = event(name, &format!(r#"{{"no":{no}}}"#));
        self.store.accept_events(None, std::slice::from_ref(&event)).await.expect("it is accepted");
        route(&*self.store).await;
        event.id
    }

    /// What lies in the inbox of a run that a worker holds.
    pub(in crate::store) async fn inbox(&self, worker: WorkerId, run: RunId) -> Vec<Message> {
        let messages = self.store.messages(worker).await.expect("the store answers");
        messages.into_iter().filter(|(to, _)| *to == run).map(|(_, message)| message).collect()
    }

    pub(in crate::store) async fn rows(&self, run: RunId) -> usize {
        self.store.journal(run).await.expect("the store answers").len()
    }
}

/// A program of [`APP`] with one workflow.
pub(in crate::store) fn program(events: &[&str]) -> Registration {
    Registration {
        app: APP.to_owned(),
        workflows: vec![ORDER.to_owned()],
        subscriptions: events.iter().map(|event| Subscription::whole(event)).collect(),
        schedules: Vec::new(),
        limits: Vec::new(),
        schemas: Vec::new(),
    }
}

pub(in crate::store) fn worker(program: Registration) -> Worker {
    Worker {
        id: WorkerId::new(),
        app: program.app.clone(),
        host: "here".to_owned(),
        pid: 1,
        drives: vec![driven(1, false)],
        registration: Arc::new(program),
    }
}

/// Up to so many deliveries of an app, of all events that the tests speak of.
pub(in crate::store) fn deliveries(app: &str, limit: usize) -> Deliveries<'_> {
    static PARTS: LazyLock<Vec<String>> = LazyLock::new(|| {
        [PLACED, PAID, "order/sent", "bank/opened", PLACED_STARTS_ORDER].map(str::to_owned).into()
    });
    Deliveries { worker: WorkerId::new(), app, parts: &PARTS, limit, in_turn: false }
}

pub(in crate::store) async fn claim(
    store: &dyn Store,
    worker: WorkerId,
    limit: usize,
) -> Result<Vec<ClaimedRun>, StoreError> {
    claim_for(store, worker, limit, driven(1, false)).await
}

/// [`ORDER`] as some program has it.
pub(in crate::store) fn driven(shape: u128, pinned: bool) -> Driven {
    Driven { workflow: ORDER.to_owned(), shape: Uuid::from_u128(shape), pinned }
}

/// What a worker of a program is given that has [`ORDER`] like this.
pub(in crate::store) async fn claim_for(
    store: &dyn Store,
    worker: WorkerId,
    limit: usize,
    driven: Driven,
) -> Result<Vec<ClaimedRun>, StoreError> {
    let claim = Claim { worker, app: APP, workflows: &[driven], cohort: 0, limit };
    Ok(store.claim_runs(claim).await?.runs)
}

/// Routes all that waits for [`APP`]: orders are started, and every event is found by its `no`.
pub(in crate::store) async fn route(store: &dyn Store) {
    let router = |event: &StoredEvent| {
        let run = || NewRun::new(ORDER, Some(event.id), event.data.clone());
        let start = || NewRun { trace: event.trace.clone(), ..run() };
        let admissions =
            if event.name == PLACED { vec![Admission::Start(start())] } else { Vec::new() };
        let data = event.data.decode().expect("it is JSON");
        let keys = vec![MatchKey::of(&event.name, &data, &["no"])];
        Routing { admissions, keys, reports: Vec::new() }
    };
    while store.route_deliveries(deliveries(APP, 100), &router).await.expect("it routes") > 0 {}
}

pub(in crate::store) fn ids(claimed: &[ClaimedRun]) -> Vec<RunId> {
    claimed.iter().map(|run| run.origin.trigger.run).collect()
}

pub(in crate::store) fn json(text: &str) -> Payload {
    Payload::stored(text)
}

pub(in crate::store) fn event(name: &str, data: &str) -> NewEvent {
    NewEvent {
        id: EventId::new(),
        name: name.to_owned(),
        data: json(data),
        idempotency_key: None,
        due: None,
        trace: None,
        hosted: None,
    }
}

/// A step that ended well at the first attempt.
pub(in crate::store) fn done(key: &str) -> Entry {
    done_with(key, "null")
}

pub(in crate::store) fn done_with(key: &str, outcome: &str) -> Entry {
    let outcome = json(outcome);
    let change = Change::Succeed { attempt: 1, outcome, events: Vec::new(), undo: false };
    Entry { key: key.into(), kind: StepKind::Run, change, started_at: None }
}

/// The reasons of the cancellations that an inbox consists of.
pub(super) fn reasons(inbox: &[Message]) -> Vec<&str> {
    fn reason(message: &Message) -> &str {
        match &message.content {
            Content::Cancel { reason } => reason,
            other => panic!("no cancellation: {other:?}"),
        }
    }
    inbox.iter().map(reason).collect()
}

/// What an event of the order with this number is waited for by.
pub(in crate::store) fn numbered(name: &str, no: u32) -> MatchKey {
    MatchKey::new(name, &[("no", no.into())])
}

/// A wait for the payment of an order, from the run's trigger on.
pub(in crate::store) fn wait(key: &str, no: u32) -> Entry {
    wait_for(key, numbered(PAID, no), true)
}

pub(in crate::store) fn wait_for(key: &str, awaited: MatchKey, from_trigger: bool) -> Entry {
    let described = r#"{"event":"order/paid","fields":[["no",7]],"more":0}"#.to_owned();
    let change = Change::Wait { awaited, described, from_trigger, timeout: None };
    Entry { key: key.into(), kind: StepKind::WaitForEvent, change, started_at: None }
}

/// The end of a wait.
pub(in crate::store) fn waited(key: &str) -> Entry {
    Entry { kind: StepKind::WaitForEvent, ..done(key) }
}

/// The commit of one finished step, after which the worker keeps the run.
pub(in crate::store) fn step(run: RunId, first_seq: u32, key: &str) -> RunCommit {
    commit(run, first_seq, vec![done(key)], Then::Continue)
}

/// A commit that only takes the run from its worker.
pub(in crate::store) fn only(run: RunId, first_seq: u32, then: Then) -> RunCommit {
    commit(run, first_seq, Vec::new(), then)
}

/// A commit that is silent about the run's messages.
pub(in crate::store) fn commit(
    run: RunId,
    first_seq: u32,
    entries: Vec<Entry>,
    then: Then,
) -> RunCommit {
    RunCommit { first_seq, entries, ..RunCommit::of(run, then) }
}

/// How long something else is done in between: chosen at random, the same again for the same seed.
pub(in crate::store) struct Jitter(u64);

/// One for each round of a race. All come from `INDELIBLE_TEST_SEED`, or else from the time; the seed
/// is printed, so that a failure can be had again.
pub(in crate::store) fn seeded() -> impl Iterator<Item = Jitter> {
    let seed = match std::env::var("INDELIBLE_TEST_SEED") {
        Ok(seed) => seed.parse().expect("INDELIBLE_TEST_SEED is a number"),
        Err(_) => Uuid::new_v4().as_u64_pair().0,
    };
    println!("INDELIBLE_TEST_SEED={seed}");
    let mut seeds = Jitter(seed);
    std::iter::repeat_with(move || seeds.split())
}

impl Jitter {
    /// The most that one of them takes: about as long as a commit.
    const MOST: u64 = 3_000;

    pub(in crate::store) fn split(&mut self) -> Self {
        Self(self.next())
    }

    pub(in crate::store) async fn pass(&mut self) {
        let pause = Duration::from_micros(self.next() % Self::MOST);
        let begun = Instant::now();
        while begun.elapsed() < pause {
            tokio::task::yield_now().await;
        }
    }

    /// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// One take-over more against each, unless it got on.
pub(in crate::store) fn counted(orphans: &[Orphan]) -> Vec<Standing> {
    let standing = |orphan: &Orphan| {
        let before = if orphan.got_on { 0 } else { orphan.standing.take_overs };
        Standing { take_overs: before + 1, suspects: 0 }
    };
    orphans.iter().map(standing).collect()
}

/// Nothing cancels what an operator begins.
pub(in crate::store) fn uncancelled(_: &str, _: &Payload) -> Vec<CancelKey> {
    Vec::new()
}
