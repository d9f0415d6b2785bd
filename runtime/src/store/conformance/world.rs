use std::future::Future;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::database::TestDatabase;
use crate::event::EventId;
use crate::id::WorkerId;
use crate::journal::{Change, Entry, RunId};
use crate::payload::Payload;
use crate::store::{
    Claim, ClaimedRun, Flushed, NewEvent, NewRun, Registration, RunCommit, RunStatus, Store,
    StoreError, Then, Worker, open,
};
use crate::workflow::StepKind;

pub(in crate::store) const APP: &str = "shop";
pub(in crate::store) const ORDER: &str = "on-order";
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

/// Runs a test and removes its database, also when the test failed.
async fn on<F>(database: TestDatabase, test: impl FnOnce(World) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let database = Arc::new(database);
    let store = open(&database.url()).await.unwrap_or_else(|error| panic!("{error}"));
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

impl World {
    /// What another process would have: a store of its own on the same database.
    pub(in crate::store) async fn another(&self) -> Arc<dyn Store> {
        open(&self.database.url()).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Registers an app with one workflow and what it subscribes to.
    pub(in crate::store) async fn subscribe(&self, app: &str, events: &[&str]) {
        let registration = Registration {
            app: app.to_owned(),
            workflows: vec![ORDER.to_owned()],
            subscriptions: events.iter().map(ToString::to_string).collect(),
        };
        self.store.register(&registration).await.expect("an app can register");
    }

    /// A worker with a lease of this length.
    pub(in crate::store) async fn worker(&self, lease: Duration) -> WorkerId {
        let id = WorkerId::new();
        let worker = Worker { id, app: APP.to_owned(), host: "here".to_owned(), pid: 1 };
        self.store.join(&worker, lease).await.expect("a worker can join");
        id
    }

    /// Starts so many runs, in separate commits.
    pub(in crate::store) async fn start(&self, count: usize) -> Vec<RunId> {
        let mut ids = Vec::new();
        for _ in 0..count {
            let run = NewRun::new(ORDER, None, json("{}"));
            ids.push(run.id);
            self.store.start(APP, &[run]).await.expect("a run can start");
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
        self.store.flush(worker, Uuid::now_v7(), batch).await
    }

    pub(in crate::store) async fn status(&self, run: RunId) -> RunStatus {
        self.store.run(run).await.expect("the store answers").expect("the run is there").status
    }

    pub(in crate::store) async fn lines(&self, run: RunId) -> usize {
        self.store.journal(run).await.expect("the store answers").len()
    }
}

pub(in crate::store) async fn claim(
    store: &dyn Store,
    worker: WorkerId,
    limit: usize,
) -> Result<Vec<ClaimedRun>, StoreError> {
    let workflows = [ORDER.to_owned()];
    let claim = Claim { worker, app: APP, workflows: &workflows, limit };
    Ok(store.claim(claim).await?.runs)
}

pub(in crate::store) fn ids(claimed: &[ClaimedRun]) -> Vec<RunId> {
    claimed.iter().map(|run| run.origin.trigger.run).collect()
}

pub(in crate::store) fn json(text: &str) -> Payload {
    Payload::stored(text)
}

pub(super) fn event(name: &str, data: &str) -> NewEvent {
    NewEvent {
        id: EventId::new(),
        name: name.to_owned(),
        data: json(data),
        idempotency_key: None,
        runs: Vec::new(),
    }
}

/// A step that ended well at the first attempt.
pub(in crate::store) fn done(key: &str) -> Entry {
    done_with(key, "null")
}

pub(in crate::store) fn done_with(key: &str, outcome: &str) -> Entry {
    Entry {
        key: key.into(),
        kind: StepKind::Run,
        change: Change::Succeed { attempt: 1, outcome: json(outcome), events: Vec::new() },
    }
}

/// The commit of one finished step, after which the worker keeps the run.
pub(in crate::store) fn step(run: RunId, first_seq: u32, key: &str) -> RunCommit {
    RunCommit { run, first_seq, entries: vec![done(key)], then: Then::Continue }
}

/// A commit that only takes the run from its worker.
pub(in crate::store) fn only(run: RunId, first_seq: u32, then: Then) -> RunCommit {
    RunCommit { run, first_seq, entries: Vec::new(), then }
}
