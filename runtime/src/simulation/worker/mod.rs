mod conclude;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::APP;
use super::database::Transactions;
use super::faults::{Fault, Faults};
use super::lab::Lab;
use super::woken::Woken;
use super::workflow::{Steady, Unsteady, definition};
use super::world::{Known, registration};
use crate::id::WorkerId;
use crate::journal::{Change, Message, RunCommit, RunId, Then};
use crate::machine::{Machine, Turn};
use crate::step::{Limits, Resources};
use crate::store::conformance::TestDatabase;
use crate::store::{self, Claim, Flushed, Orphan, Standing, Store, StoreError, Terms as _, Worker};
use crate::workflow::Workflow;

/// A worker without tasks: each of its rounds claims what is ready, polls all machines and commits
/// what they ask for, and in each something may go wrong.
pub(super) struct Simulated {
    database: Arc<TestDatabase>,
    store: Arc<dyn Store>,
    lab: Lab,
    resources: Arc<Resources>,
    id: WorkerId,
    runs: BTreeMap<RunId, Driven>,
    faults: Faults,
    /// Whether a flush may have been committed without the look that follows it.
    pub(super) torn: bool,
}

/// A run in the hands of a worker.
struct Driven {
    machine: Machine,
    unsteady: bool,
    /// By how much its worker's clock goes after the database's until it has found out.
    lag: SignedDuration,
    /// Whether it begins no further step, as its workflow is paused.
    drains: bool,
    woken: Arc<Woken>,
    /// What has come for it since it was claimed, to be passed on when all else is quiet.
    inbox: Vec<Message>,
}

impl Simulated {
    pub(super) async fn join(
        database: Arc<TestDatabase>,
        store: Arc<dyn Store>,
        lab: Lab,
        faults: Faults,
    ) -> Self {
        let mut resources = Resources::default();
        resources.insert(lab.clone());
        resources.transact_in(Arc::new(Transactions { store: store.clone(), lab: lab.clone() }));
        let resources = Arc::new(resources);
        let id = join(&*store).await;
        Self { database, store, lab, resources, id, runs: BTreeMap::new(), faults, torn: false }
    }

    pub(super) fn lab(&self) -> &Lab {
        &self.lab
    }

    /// Does what there is to do at this time; whether there was anything.
    pub(super) async fn round(&mut self, clock: Timestamp, paused: bool) -> bool {
        let claimed = self.claim(paused).await;
        if paused {
            self.drain();
        }
        let Some((mut batch, stirred)) = self.poll(clock).await else { return true };
        let progress = claimed || stirred || !batch.is_empty();
        while !batch.is_empty() {
            // All in one as a rule; else so that some of it is committed and some is not.
            let size = self.faults.part_of(batch.len());
            let rest = batch.split_off(size);
            if !self.commit(&batch).await {
                break;
            }
            batch = rest;
        }
        progress
    }

    async fn claim(&mut self, paused: bool) -> bool {
        let workflows = driven();
        let limit = self.faults.claim_limit();
        let claim = Claim { worker: self.id, app: APP, workflows: &workflows, cohort: 0, limit };
        let claimed = self
            .store
            .claim_runs(claim)
            .await
            .unwrap_or_else(|error| {
                panic!("{} can claim in {}: {error}", self.id, self.store.name())
            })
            .runs;
        if !claimed.is_empty() && self.faults.claim_is_unanswered() {
            let driven: Vec<_> = self.runs.keys().copied().collect();
            let given_back =
                self.store.disown_runs(self.id, &driven).await.expect("it is disowned");
            assert_eq!(given_back, claimed.len() as u64, "just what was claimed is given back");
            return true;
        }
        let found = !claimed.is_empty();
        for run in claimed {
            let id = run.origin.trigger.run;
            assert_eq!(run.unreadable, None, "what is stored of {id} can be read");
            let cancelled = run.inbox.iter().any(|message| message.cancellation().is_some());
            let gates = Known.passage(&run.workflow, &run.origin.trigger.data).gates;
            self.lab.passes(id, gates, cancelled);
            let (old, inbox) = self.lab.claimed(id, &run.origin.journal, run.inbox);
            let definition = definition(&run.origin.trigger.data);
            let resources = self.resources.clone();
            let unsteady = run.workflow == Unsteady::ID;
            assert!(!(paused && unsteady), "{id} is claimed though its workflow is paused");
            let lag = if unsteady { self.faults.lag() } else { SignedDuration::ZERO };
            let mut machine = Machine::new(&definition, resources, Limits::DEFAULT, run.origin);
            old.into_iter().for_each(|message| machine.receive(message));
            let woken = Arc::new(Woken::default());
            woken.set();
            let earlier = self
                .runs
                .insert(id, Driven { machine, unsteady, lag, drains: false, woken, inbox });
            assert!(earlier.is_none(), "{id} is claimed while it is driven");
        }
        found
    }

    /// Has the runs of the paused workflow come to rest.
    fn drain(&mut self) {
        for driven in self.runs.values_mut().filter(|driven| driven.unsteady && !driven.drains) {
            driven.machine.drain();
            driven.drains = true;
            driven.woken.set();
        }
    }

    /// Polls what can go on; gives what is to be committed, and whether anything else happened. `None` if the
    /// worker goes down.
    async fn poll(&mut self, clock: Timestamp) -> Option<(Vec<RunCommit>, bool)> {
        let (mut batch, mut stirred) = (Vec::new(), false);
        for run in self.runs.keys().copied().collect::<Vec<_>>() {
            let (commit, any) = self.poll_one(run, clock).await?;
            batch.extend(commit);
            stirred |= any;
        }
        Some((batch, stirred))
    }

    /// The same of one run. A transaction that it has begun is over then: while one is open, nobody else may be
    /// able to write.
    async fn poll_one(
        &mut self,
        run: RunId,
        clock: Timestamp,
    ) -> Option<(Option<RunCommit>, bool)> {
        let mut stirred = false;
        loop {
            let Some(driven) = self.runs.get_mut(&run) else { return Some((None, stirred)) };
            let due = driven.machine.next_due().is_some_and(|due| due <= clock);
            if !driven.woken.take() && !due {
                return Some((None, stirred));
            }
            let waker = Waker::from(driven.woken.clone());
            let lag = std::mem::take(&mut driven.lag);
            let mut cx = Context::from_waker(&waker);
            driven.machine.catch_up(clock - lag, &mut cx);
            let turn = driven.machine.poll(clock - lag, &mut cx);
            if !lag.is_zero() && matches!(turn, Poll::Ready(Turn::Idle { .. })) {
                driven.woken.set();
                return Some((None, true));
            }
            if let Poll::Ready(Turn::Idle { until: Some(until) }) = turn {
                assert!(until > clock, "{run} idles though something is due");
            }
            let is_open = self.lab.is_transacting();
            let then = match turn {
                Poll::Pending if is_open => {
                    driven.woken.wait().await;
                    continue;
                }
                Poll::Pending => return Some((None, stirred | driven.woken.is_set())),
                Poll::Ready(Turn::Commit(commit)) if is_open => {
                    stirred = true;
                    if self.commit(&[*commit]).await { continue } else { return None }
                }
                Poll::Ready(Turn::Commit(commit)) => return Some((Some(*commit), stirred)),
                Poll::Ready(Turn::Conclude(commit, open)) => {
                    stirred = true;
                    if self.conclude(*commit, &open).await { continue } else { return None }
                }
                // What has come for it is to be passed on first.
                Poll::Ready(Turn::Idle { until }) if driven.drains => Then::Park(until),
                Poll::Ready(Turn::Idle { .. }) if !driven.inbox.is_empty() => {
                    return Some((None, stirred));
                }
                Poll::Ready(Turn::Idle { until: Some(_) }) if self.faults.keeps_in_memory() => {
                    return Some((None, stirred));
                }
                Poll::Ready(Turn::Idle { until }) => Then::Park(until),
                Poll::Ready(Turn::Drained) => Then::Release,
                Poll::Ready(turn @ (Turn::Held(_) | Turn::Ended)) => {
                    panic!("run {run}: {turn:?}")
                }
            };
            return Some((Some(RunCommit::of(run, then)), stirred));
        }
    }

    /// Commits, or fails to; whether the worker lives on.
    async fn commit(&mut self, batch: &[RunCommit]) -> bool {
        let commit = Uuid::now_v7();
        for RunCommit { run, entries, .. } in batch {
            let children = entries.iter().filter_map(|entry| match &entry.change {
                Change::Invoke { child, .. } if !child.detached => Some(child.id),
                _ => None,
            });
            children.for_each(|child| self.lab.invokes(*run, child));
        }
        let flushed = match self.faults.of_flush() {
            None => self.flush(commit, batch).await,
            Some(Fault::UnansweredAndLost) => {
                let landed = self.landed(commit, batch).await;
                assert!(landed.is_none_or(|_| batch.iter().all(RunCommit::is_traceless)));
                self.flush(commit, batch).await
            }
            Some(Fault::Unanswered) => {
                let first = self.flush(commit, batch).await;
                match self.landed(commit, batch).await {
                    Some(landed) => landed,
                    None => {
                        assert!(batch.iter().all(RunCommit::is_traceless), "the flush has landed");
                        first
                    }
                }
            }
            Some(Fault::SentTwice) => {
                let first = self.flush(commit, batch).await;
                // Each of its runs may have left with the first, and is evicted then.
                match self.store.flush_commits(self.id, commit, batch).await {
                    Ok(_) => first,
                    Err(error) => panic!("a flush that is sent twice is refused: {error}"),
                }
            }
            Some(Fault::Killed) => return self.killed().await,
            Some(Fault::KilledBehind) => {
                self.flush(commit, batch).await;
                return self.killed().await;
            }
            Some(Fault::Torn) => {
                let flush = self.store.flush_commits(self.id, commit, batch);
                let moment = Duration::from_micros(self.faults.moment());
                // Whatever has become of it by then.
                let _ = tokio::time::timeout(moment, flush).await;
                self.torn = true;
                return self.killed().await;
            }
            Some(Fault::Late) => {
                let id = self.id;
                self.taken_over().await;
                let late = self.store.flush_commits(id, commit, batch).await;
                assert!(matches!(late, Err(StoreError::LeaseLost)), "{late:?}");
                return false;
            }
            Some(Fault::Leaves) => return self.leave().await,
        };
        self.answer(batch, &flushed);
        true
    }

    async fn flush(&self, commit: Uuid, batch: &[RunCommit]) -> Flushed {
        match self.store.flush_commits(self.id, commit, batch).await {
            Ok(flushed) => {
                assert!(flushed.evicted.is_empty(), "{:?} are ours", flushed.evicted);
                for RunCommit { run, taken, discarded, .. } in batch {
                    self.lab.heard(*run, taken);
                    self.lab.heard(*run, discarded);
                }
                flushed
            }
            Err(error) => panic!("a live worker can commit: {error}"),
        }
    }

    async fn landed(&self, commit: Uuid, batch: &[RunCommit]) -> Option<Flushed> {
        self.store.landed_commits(commit, batch).await.expect("the store answers")
    }

    fn answer(&mut self, batch: &[RunCommit], flushed: &Flushed) {
        for commit in batch {
            if !matches!(commit.then, Then::Continue) {
                self.runs.remove(&commit.run);
                continue;
            }
            self.lab.committed(commit.run, commit.first_seq, &commit.entries, flushed.at);
            if let Some(driven) = self.runs.get_mut(&commit.run) {
                driven.machine.committed(flushed.at);
                driven.woken.set();
            }
        }
    }

    /// The process dies, another takes over, and it starts again.
    async fn killed(&mut self) -> bool {
        self.taken_over().await;
        false
    }

    /// It gives its runs back, and comes again.
    async fn leave(&mut self) -> bool {
        self.runs.clear();
        self.store.end_lease(self.id).await.expect("it can leave");
        self.id = join(&*self.store).await;
        false
    }

    async fn taken_over(&mut self) {
        self.runs.clear();
        self.database.end_process(self.id);
        // A lease that has run out. The one of a flush that still goes on is left alone until then.
        while self.store.renewals().renew(self.id, Duration::ZERO).await.is_ok() {
            self.store.take_over_runs(&judge).await.expect("the store answers");
        }
        self.id = join(&*self.store).await;
    }

    /// Passes on what has come for the runs; whether there was anything.
    pub(super) async fn tell(&mut self) -> bool {
        let mut told: HashMap<RunId, Vec<Message>> = HashMap::new();
        if !self.runs.is_empty() {
            for (run, message) in self.store.messages(self.id).await.expect("the store answers") {
                told.entry(run).or_default().push(message);
            }
        }
        let mut any = false;
        for (run, driven) in &mut self.runs {
            driven.inbox.clear();
            for message in told.remove(run).unwrap_or_default() {
                self.lab.told(*run, message.id);
                driven.machine.receive(message);
                driven.woken.set();
                any = true;
            }
        }
        any
    }

    /// The runs that it drives.
    pub(super) fn driven(&self) -> impl Iterator<Item = RunId> {
        self.runs.keys().copied()
    }

    /// When something falls due in memory.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.runs.values().filter_map(|driven| driven.machine.next_due()).min()
    }
}

/// The workflows, as every program has them.
fn driven() -> [store::Driven; 2] {
    [Steady::ID, Unsteady::ID].map(|workflow| {
        let workflow = workflow.to_owned();
        store::Driven { workflow, shape: Uuid::nil(), pinned: false }
    })
}

async fn join(store: &dyn Store) -> WorkerId {
    const LEASE: Duration = Duration::from_secs(1_000_000_000);
    let id = WorkerId::new();
    let worker = Worker {
        id,
        app: APP.to_owned(),
        host: "simulated".to_owned(),
        pid: 1,
        drives: driven().into(),
        registration: Arc::new(registration()),
    };
    store.begin_lease(&worker, LEASE).await.expect("a worker can join");
    id
}

/// Nothing is held against runs here: crashes are the tests' own.
fn judge(orphans: &[Orphan]) -> Vec<Standing> {
    orphans.iter().map(|_| Standing::default()).collect()
}
