use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::APP;
use super::bustle::Bustle;
use super::effects::{self, Effects};
use super::faults::Faults;
use super::lab::Lab;
use super::operators::Operators;
use super::plan::{Case, Deed, NUMBERS, Steadiness};
use super::random::{Random, mix};
use super::story::{Story, tell};
use super::worker::Simulated;
use super::world::{
    Known, STARTED, event, limits, new_run, registration, routing, run_id, signal, stop,
};
use crate::id::{RunId, WorkerId};
use crate::payload::Payload;
use crate::store::conformance::{StoppedClock, TestDatabase};
use crate::store::{Deliveries, NewEvent, Store, open};
use crate::workflow::{Allowance, Declared, Hold};

/// From this second on every case is sent what any of its runs may still wait for.
const RESCUE: u64 = 1_000;

/// When no run can be left.
const TOO_LATE: u64 = 3_000;

/// The messages that no run has taken.
const MESSAGES: &str = "inbox WHERE NOT taken";

/// Some cases, driven together on one database.
pub(super) struct Batch<'c> {
    cases: &'c [Case],
    database: Arc<TestDatabase>,
    store: Arc<dyn Store>,
    clock: StoppedClock,
    now: Timestamp,
    workers: Vec<Simulated>,
    operators: Operators,
    /// When a gate opens by itself.
    opens: Option<Timestamp>,
    /// What others do on the same server.
    bustle: Option<Bustle>,
}

impl<'c> Batch<'c> {
    /// Nothing goes wrong with a single worker: this is what all others are held against.
    pub(super) async fn undisturbed(cases: &'c [Case], database: TestDatabase) -> Self {
        let mut batch = Self::open(cases, database).await;
        batch.join(Faults::none()).await;
        batch
    }

    /// Two workers, with which much goes wrong.
    pub(super) async fn disturbed(
        cases: &'c [Case],
        database: TestDatabase,
        random: &mut Random,
    ) -> Self {
        let mut batch = Self::open(cases, database).await;
        batch.operators = Operators::busy(Random::new(random.next()));
        batch.bustle = Bustle::in_database(&batch.database).await;
        for _ in 0..2 {
            batch.join(Faults::many(Random::new(random.next()))).await;
        }
        batch
    }

    async fn open(cases: &'c [Case], database: TestDatabase) -> Self {
        let now = second(0);
        let clock = StoppedClock::of(&database, now).await;
        let store = open(&database.url(), None).await.expect("the database can be opened");
        store.register_app(&registration()).await.expect("an app can register");
        database.execute(effects::TABLE).await;
        let (workers, operators, bustle) = (Vec::new(), Operators::none(), None);
        let database = Arc::new(database);
        let opens = None;
        Self { cases, database, store, clock, now, workers, operators, opens, bustle }
    }

    async fn join(&mut self, faults: Faults) {
        let lab = match self.workers.first() {
            Some(worker) => worker.lab().clone(),
            None => Lab::default(),
        };
        self.workers
            .push(Simulated::join(self.database.clone(), self.store.clone(), lab, faults).await);
    }

    /// Drives all cases to their end, and tells what became of them.
    pub(super) async fn run(mut self) -> BTreeMap<RunId, Story> {
        self.begin().await;
        let mut rescue = RESCUE;
        loop {
            self.settle().await;
            if self.now == second(rescue) {
                let unfinished = self.unfinished().await;
                assert!(rescue < TOO_LATE, "runs wait for ever: {unfinished:?}");
                self.rescue(rescue, unfinished).await;
                rescue += 10;
                continue;
            }
            let next = match self.next().await {
                Some(next) => next.min(second(rescue)),
                None if self.unfinished().await.is_empty() => break,
                None => second(rescue),
            };
            assert!(next > self.now, "time stands still at {}", self.now);
            self.set(next).await;
            self.deeds().await;
        }
        self.sweep().await;
        self.assert_nothing_is_left().await;
        let mut effects = effects::read(&self.database).await;
        let stories = tell(&*self.store, &mut effects).await;
        assert!(effects.is_empty(), "transactions of no run have left {effects:?}");
        drop(self.bustle);
        self.store.close().await;
        self.clock.release().await;
        drop(self.workers);
        let database = Arc::into_inner(self.database).expect("only its workers had it besides");
        database.remove().await;
        stories
    }

    async fn begin(&mut self) {
        let number = |case: &Case| case.scenario.case;
        // What came before a run's trigger is nothing to its waits.
        let early = self.cases.iter().map(number).filter(|number| number.is_multiple_of(3));
        self.accept(early.map(|case| signal(case, u64::MAX, case * NUMBERS, 50)).collect()).await;
        let (by_event, directly): (Vec<_>, Vec<_>) =
            self.cases.iter().partition(|case| case.by_event);
        let input =
            |case: &Case| Payload::encode(&case.scenario, usize::MAX).expect("it can be written");
        let runs = directly.iter().map(|case| new_run(&case.scenario, None, input(case)));
        self.store.start_runs(APP, &runs.collect::<Vec<_>>()).await.expect("they can be started");
        let started = by_event.iter().map(|case| event(&[number(case), 0], STARTED, input(case)));
        self.accept(started.collect()).await;
        // What stops a run may overtake it.
        let stopped = self.cases.iter().filter(|case| number(case).is_multiple_of(25));
        let stopped = stopped.map(|case| stop(&[number(case), 5], case.scenario.bounds.stop));
        self.accept(stopped.collect()).await;
    }

    /// Lets everything happen that happens at this time. What runs are told comes last, one thing
    /// after the other, so that it comes at the same point of each run whatever crashes before.
    async fn settle(&mut self) {
        const MOST: u32 = 10_000;
        for _ in 0..MOST {
            let mut progress = false;
            for worker in &mut self.workers {
                // What they have paused goes on, however late it is.
                if self.operators.resume(&*self.store, self.now).await {
                    progress = true;
                } else if self.now < second(RESCUE) {
                    progress |= self.operators.act(&*self.store, self.now).await;
                }
                progress |= worker.round(self.now, self.operators.have_paused()).await;
            }
            self.check_active();
            if progress || self.wake_due().await || self.route().await {
                continue;
            }
            if self.recover().await || self.open_gates().await {
                continue;
            }
            self.check_begun().await;
            let mut told = false;
            for worker in &mut self.workers {
                told |= worker.tell().await;
            }
            if !told && !self.wake_due().await {
                return;
            }
        }
        panic!("it does not settle at {}", self.now);
    }

    async fn wake_due(&self) -> bool {
        self.store.wake_due(1000).await.expect("the store answers").runs > 0
    }

    /// Lets runs pass that wait; whether there were any. It comes when all else is quiet, so that those wait that
    /// have to, whatever crashed before.
    async fn open_gates(&mut self) -> bool {
        let opened = self.store.open_gates(APP).await.expect("the store answers");
        self.opens = opened.next.map(|wait| after(self.now, wait));
        opened.runs > 0 || opened.next == Some(Duration::ZERO)
    }

    async fn route(&self) -> bool {
        let parts = registration().parts();
        let (worker, app) = (WorkerId::new(), APP);
        let all = Deliveries { worker, app, parts: &parts, limit: 1000, in_turn: false };
        self.store.route_deliveries(all, &routing).await.expect("the store answers") > 0
    }

    /// Brings forward what is made good some seconds after a process died between a commit and its
    /// look; whether one may have.
    async fn recover(&mut self) -> bool {
        let torn = self.workers.iter_mut().any(|worker| std::mem::take(&mut worker.torn));
        if torn {
            self.clock.when_quiet().await;
            let overdue = "
                UPDATE indelible.waits SET made_at = made_at - interval '1 hour' WHERE NOT looked";
            if let StoppedClock::Postgres(_) = self.clock {
                self.database.execute(overdue).await;
            }
            // One of its own: the other may have swept a moment ago.
            let store = open(&self.database.url(), None).await.expect("the database can be opened");
            while store.wake_due(1000).await.expect("the store answers").runs > 0 {}
            store.close().await;
        }
        torn
    }

    /// The next time at which something happens by itself.
    async fn next(&self) -> Option<Timestamp> {
        let woken = self.store.wake_due(1000).await.expect("the store answers");
        let parked = woken.next.map(|wait| after(self.now, wait));
        let deeds = self.cases.iter().flat_map(|case| &case.deeds);
        let deeds = deeds.map(|(at, _)| second(*at)).filter(|at| *at > self.now);
        let held = self.workers.iter().filter_map(Simulated::next_due);
        deeds.chain(held).chain(parked).chain(self.opens).chain(self.operators.next()).min()
    }

    async fn set(&mut self, now: Timestamp) {
        self.now = now;
        self.clock.set(now).await;
    }

    async fn deeds(&self) {
        let mut events = Vec::new();
        for case in self.cases {
            let number = case.scenario.case;
            for (nth, (_, deed)) in
                case.deeds.iter().enumerate().filter(|(_, (at, _))| second(*at) == self.now)
            {
                match deed {
                    Deed::Send { no, value } => {
                        events.push(signal(number, nth as u64, *no, *value))
                    }
                    Deed::Stop { no } => events.push(stop(&[number, 4], *no)),
                    Deed::Cancel => {
                        let cancelled = self.store.cancel_run(run_id(number), "no longer wanted");
                        cancelled.await.expect("the store answers");
                    }
                    // Operators do so to the others.
                    Deed::Retry if case.scenario.steadiness == Steadiness::Rules => {}
                    Deed::Retry => {
                        let retried = self.store.retry_runs(&[run_id(number)], &Known).await;
                        // One that has not failed is left alone.
                        let _ = retried.expect("the store answers");
                    }
                }
            }
        }
        self.accept(events).await;
    }

    /// Sends what runs may wait for, and lets all of them pass: some may wait for one another.
    async fn rescue(&self, second: u64, cases: BTreeSet<u64>) {
        for Declared { limit, allows } in limits() {
            if let Allowance::Slots(_) = allows {
                let set = self.store.set_limit(APP, &limit, Some(&Allowance::Slots(10_000)), "me");
                set.await.expect("the store answers").expect("it is a limit of this kind");
            }
        }
        let each = |case| (0..NUMBERS).map(move |no| (case, no));
        let events = cases
            .into_iter()
            .flat_map(each)
            .map(|(case, no)| signal(case, mix(second, no), case * NUMBERS + no, u64::MAX));
        self.accept(events.collect()).await;
    }

    async fn accept(&self, events: Vec<NewEvent>) {
        for events in events.chunks(1000) {
            self.store.accept_events(None, events).await.expect("they are accepted");
        }
    }

    /// The cases with runs that are not over.
    async fn unfinished(&self) -> BTreeSet<u64> {
        let stories = tell(&*self.store, &mut Effects::new()).await;
        let unfinished = stories.values().filter(|story| !story.status.is_over());
        unfinished.map(|story| story.scenario.case).collect()
    }

    /// Sweeps away what came too late for a run, as workers do once a second by the real clock.
    async fn sweep(&self) {
        let patience = Instant::now() + Duration::from_secs(10);
        while self.database.rows(MESSAGES).await > 0 && Instant::now() < patience {
            tokio::time::sleep(Duration::from_millis(50)).await;
            self.wake_due().await;
        }
    }

    /// No limit is exceeded by what runs at this moment.
    fn check_active(&self) {
        let driven = self.workers.iter().flat_map(Simulated::driven).collect();
        self.check_limits(&driven, Hold::Active);
    }

    /// The same by what has begun and is not over. Those are left out that were taken up again: they may wait.
    async fn check_begun(&self) {
        let begun = "started_at IS NOT NULL AND ended_at IS NULL AND retries = 0";
        let begun = self.database.ids("runs", begun).await;
        self.check_limits(&begun.into_iter().map(RunId::from).collect(), Hold::Run);
    }

    fn check_limits(&self, runs: &HashSet<RunId>, hold: Hold) {
        let (Some(worker), true) = (self.workers.first(), self.now < second(RESCUE)) else {
            return;
        };
        let declared = limits();
        for ((limit, key), runs) in worker.lab().counted(runs, hold) {
            let of_limit = |declared: &&Declared| declared.limit == limit;
            match declared.iter().find(of_limit).map(|declared| &declared.allows) {
                Some(Allowance::Slots(most)) if runs.len() <= *most as usize => {}
                allows => panic!("at {}, {limit} {key} allows {allows:?}: {runs:?}", self.now),
            }
        }
    }

    async fn assert_nothing_is_left(&self) {
        // What a failed run has taken is kept, as it may be retried.
        let due = "counters WHERE due_at IS NOT NULL";
        for table in ["waits", "timers", MESSAGES, "ready", "deliveries", "slots", "openings", due]
        {
            let rows = self.database.rows(table).await;
            assert_eq!(rows, 0, "so many rows are left in `{table}`");
        }
    }
}

/// So many seconds after everything has begun.
fn second(nth: u64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(2_000_000_000 + nth as i64)
}

/// When something happens that the store has to wait so long for.
fn after(now: Timestamp, wait: Duration) -> Timestamp {
    let wait = Duration::from_micros(wait.as_nanos().div_ceil(1000) as u64);
    now + SignedDuration::try_from(wait).expect("nothing is that far away")
}
