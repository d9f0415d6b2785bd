//! Several worker processes on one Postgres.

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use indelible::journal::ErrorKind;
use indelible::prelude::*;
use indelible::testing::Bench;
use indelible::{Client, RunQuery};
use indelible_tests::eventually;
use indelible_tests::fleet::{
    Errand, Fleet, GRACE, Ground, errand, laps, pitfall, retreat, tumble,
};
use indelible_tests::postgres::Database;
use indelible_tests::process::Process;

const LEASE: Duration = Duration::from_secs(2);

/// A database with worker processes on it.
struct Scene {
    client: Client,
    ground: Ground,
    database: Database,
}

impl Scene {
    async fn set() -> Self {
        Self::on(Database::create().await).await
    }

    async fn on(database: Database) -> Self {
        let client = Runtime::builder(Fleet).database(database.url()).connect().await;
        let ground = Ground::open(database.url()).await.expect("the tests' tables");
        Self { client: client.expect("a client"), ground, database }
    }

    fn worker(&self) -> Process {
        Process::start(&mut self.worker_with(LEASE))
    }

    fn worker_with(&self, lease: Duration) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fleet"));
        command.arg(self.database.url()).arg(lease.as_millis().to_string());
        command
    }

    async fn send_out(&self, runs: usize, gate: Option<&str>) -> Vec<RunId> {
        let mut ids = Vec::with_capacity(runs);
        for _ in 0..runs {
            let input = Errand { gate: gate.map(ToOwned::to_owned) };
            ids.push(self.client.start(errand, input).await.expect("it starts").id());
        }
        ids
    }

    /// How many traces each process left of a step.
    async fn traces(&self, step: &str) -> HashMap<i64, i64> {
        sqlx::query_as("SELECT pid, count(*) FROM traces WHERE step = $1 GROUP BY pid")
            .bind(step)
            .fetch_all(self.ground.pool())
            .await
            .expect("the traces")
            .into_iter()
            .collect()
    }

    /// How many workers have a lease.
    async fn lives(&self) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM indelible.workers")
            .fetch_one(self.ground.pool())
            .await
            .expect("the workers")
    }

    async fn completed(&self) -> usize {
        let query = RunQuery {
            status: Some(RunStatus::Completed),
            limit: Some(10_000),
            ..RunQuery::default()
        };
        self.client.runs(&query).await.expect("the runs").len()
    }

    async fn all_complete(&self, runs: usize) {
        eventually("every run has completed", async || self.completed().await == runs).await;
        let ground = Ground::open(self.database.url()).await.expect("the tests' tables");
        let bench = Bench::new().resource(ground);
        bench.assert_journals_replay(Fleet, &self.client).await.expect("the database answers");
    }

    /// Every run's journal holds each outcome once.
    async fn assert_each_outcome_once(&self, runs: &[RunId]) {
        for run in runs {
            let journal = self.client.journal(*run).await.expect("its journal");
            let outcomes = journal.iter().filter(|row| row.transition.is_outcome());
            let keys: Vec<_> = outcomes.map(|row| row.key.as_str()).collect();
            let distinct: HashSet<_> = keys.iter().collect();
            assert_eq!(keys.len(), distinct.len(), "{keys:?}");
            assert_eq!(keys.last(), Some(&"return-home"));
        }
    }
}

async fn every_run_is_driven_once(workers: usize) {
    const RUNS: usize = 300;
    let scene = Scene::set().await;
    let fleet: Vec<_> = (0..workers).map(|_| scene.worker()).collect();
    let runs = scene.send_out(RUNS, Some("bridge")).await;
    // Each has fewer slots than there are runs, so that all of them have to take some.
    eventually("every worker has runs at the gate", async || {
        scene.traces("wait-at-gate").await.len() == workers
    })
    .await;
    scene.ground.open_gate("bridge").await.expect("the gate opens");
    scene.all_complete(RUNS).await;
    let pids: Vec<_> = fleet.iter().map(|worker| i64::from(worker.pid())).collect();
    for step in ["leave", "wait-at-gate", "return-home"] {
        let traces = scene.traces(step).await;
        let ran: i64 = traces.values().sum();
        assert_eq!(ran, RUNS as i64, "`{step}` ran once a run: {traces:?}");
        assert!(traces.keys().all(|pid| pids.contains(pid)));
    }
    scene.assert_each_outcome_once(&runs).await;
}

#[tokio::test]
async fn two_workers_drive_every_run_once() {
    every_run_is_driven_once(2).await;
}

#[tokio::test]
async fn four_workers_drive_every_run_once() {
    every_run_is_driven_once(4).await;
}

#[tokio::test]
async fn a_killed_worker_s_runs_are_taken_over_within_the_lease() {
    const RUNS: usize = 40;
    let scene = Scene::set().await;
    let mut killed = scene.worker();
    let runs = scene.send_out(RUNS, Some("bridge")).await;
    let waiting = async || scene.traces("wait-at-gate").await.values().sum::<i64>();
    eventually("every run waits at the gate", async || waiting().await == RUNS as i64).await;

    let survivor = scene.worker();
    eventually("the survivor has joined", async || scene.lives().await == 2).await;
    killed.kill();
    let since = Instant::now();
    let survivor_pid = i64::from(survivor.pid());
    eventually("the survivor has taken every run over", async || {
        scene.traces("wait-at-gate").await.get(&survivor_pid) == Some(&(RUNS as i64))
    })
    .await;
    // The lease, a look for dead workers each quarter of it, and the poll behind a lost hint.
    let bound = LEASE + LEASE / 4 + Duration::from_secs(1);
    assert!(since.elapsed() < bound, "it took {:?}", since.elapsed());

    scene.ground.open_gate("bridge").await.expect("the gate opens");
    scene.all_complete(RUNS).await;
    assert_eq!(scene.traces("leave").await.len(), 1, "what was committed did not run again");
    scene.assert_each_outcome_once(&runs).await;
}

#[tokio::test]
async fn a_worker_that_lost_its_lease_cannot_commit() {
    const RUNS: usize = 10;
    let scene = Scene::set().await;
    let stopped = scene.worker();
    let runs = scene.send_out(RUNS, Some("bridge")).await;
    eventually("every run waits at the gate", async || {
        scene.traces("wait-at-gate").await.values().sum::<i64>() == RUNS as i64
    })
    .await;

    // It is frozen with its steps in progress, and another drives its runs to their end.
    stopped.signal("STOP");
    let successor = scene.worker();
    scene.ground.open_gate("bridge").await.expect("the gate opens");
    scene.all_complete(RUNS).await;
    let before = scene.journals(&runs).await;

    // It goes on where it was: at a gate that is open now, with outcomes to hand in.
    stopped.signal("CONT");
    eventually("it has noticed and begun another life", async || {
        let lives: i64 =
            sqlx::query_scalar("SELECT count(*) FROM indelible.workers WHERE pid = $1")
                .bind(i64::from(stopped.pid()))
                .fetch_one(scene.ground.pool())
                .await
                .expect("the workers");
        lives == 1
    })
    .await;
    assert_eq!(scene.journals(&runs).await, before);
    let homes = scene.traces("return-home").await;
    assert_eq!(homes, HashMap::from([(i64::from(successor.pid()), RUNS as i64)]));

    // Its new life is as good as any.
    drop(successor);
    let more = scene.send_out(1, Some("bridge")).await;
    scene.all_complete(RUNS + more.len()).await;
}

impl Scene {
    async fn journals(&self, runs: &[RunId]) -> Vec<String> {
        let mut journals = Vec::with_capacity(runs.len());
        for run in runs {
            journals.push(format!("{:?}", self.client.journal(*run).await.expect("its journal")));
        }
        journals
    }
}

#[tokio::test]
async fn a_worker_that_is_asked_to_stop_gives_its_runs_back_at_once() {
    const RUNS: usize = 10;
    let scene = Scene::set().await;
    let mut first = scene.worker();
    scene.send_out(RUNS, Some("bridge")).await;
    eventually("every run waits at the gate", async || {
        scene.traces("wait-at-gate").await.values().sum::<i64>() == RUNS as i64
    })
    .await;
    first.signal("TERM");
    // Its steps may end; the gate is opened so that they do.
    scene.ground.open_gate("bridge").await.expect("the gate opens");
    assert!(first.wait().success(), "it stops of its own accord");
    let successor = scene.worker();
    scene.all_complete(RUNS).await;
    // Their outcomes were committed before it went: none ran again.
    let gates = scene.traces("wait-at-gate").await;
    assert_eq!(gates, HashMap::from([(i64::from(first.pid()), RUNS as i64)]));
    drop(successor);
}

#[tokio::test]
async fn a_worker_that_is_asked_to_stop_twice_does_not_wait_for_its_steps() {
    const RUNS: usize = 10;
    let scene = Scene::set().await;
    let mut hurried = Process::start(scene.worker_with(LEASE).stderr(Stdio::piped()));
    let mut log = BufReader::new(hurried.stderr()).lines();
    let runs = scene.send_out(RUNS, Some("bridge")).await;
    eventually("every run waits at the gate", async || {
        scene.traces("wait-at-gate").await.values().sum::<i64>() == RUNS as i64
    })
    .await;
    let since = Instant::now();
    hurried.signal("TERM");
    let said = log.find(|line| line.as_ref().is_ok_and(|line| line.contains("stopping")));
    assert!(said.is_some(), "it says that it stops");
    hurried.signal("INT");
    assert!(log.any(|line| line.is_ok_and(|line| line.contains("asked again"))));
    assert!(hurried.wait().success(), "it stops of its own accord");
    assert!(since.elapsed() < GRACE / 2, "it took {:?}", since.elapsed());
    assert_eq!(scene.lives().await, 0, "it has given its runs back");

    let _successor = scene.worker();
    scene.ground.open_gate("bridge").await.expect("the gate opens");
    scene.all_complete(RUNS).await;
    scene.assert_each_outcome_once(&runs).await;
}

/// The database is away for longer than `lease`, or not, with runs in progress.
async fn an_outage_is_survived(lease: Duration, away: Duration) -> String {
    const RUNS: usize = 10;
    let scene = Scene::set().await;
    let mut command = scene.worker_with(lease);
    let mut worker = Process::start(command.stderr(Stdio::piped()));
    let mut log = worker.stderr();
    let runs = scene.send_out(RUNS, Some("bridge")).await;
    eventually("every run waits at the gate", async || {
        scene.traces("wait-at-gate").await.values().sum::<i64>() == RUNS as i64
    })
    .await;

    scene.database.go_away().await;
    tokio::time::sleep(away).await;
    scene.database.come_back().await;
    // The test's own connections are gone, too.
    let scene = Scene::on(scene.database).await;
    scene.ground.open_gate("bridge").await.expect("the gate opens");
    scene.all_complete(RUNS).await;
    scene.assert_each_outcome_once(&runs).await;

    worker.signal("TERM");
    let mut said = String::new();
    log.read_to_string(&mut said).expect("it logs text");
    assert!(worker.wait().success(), "{said}");
    said
}

#[tokio::test]
async fn an_outage_shorter_than_the_lease_is_waited_out() {
    let said = an_outage_is_survived(Duration::from_secs(20), Duration::from_secs(2)).await;
    let (warned, relieved) =
        ("the database does not answer; runs wait", "the database answers again");
    let warning = said.find(warned).unwrap_or_else(|| panic!("no warning: {said}"));
    assert!(said[warning..].contains(relieved), "{said}");
    assert!(!said.contains("the lease was lost"), "{said}");
    // Said when the database goes away, not at each of the many attempts until it is back.
    assert!(said.matches(warned).count() <= 2, "{said}");
}

#[tokio::test]
async fn an_outage_longer_than_the_lease_ends_a_life_and_loses_nothing() {
    let said = an_outage_is_survived(Duration::from_secs(1), Duration::from_secs(3)).await;
    assert!(said.contains("the lease was lost"), "{said}");
}

#[tokio::test]
async fn a_run_that_takes_ten_workers_down_fails_as_a_crash_loop() {
    const LEASE: Duration = Duration::from_millis(500);
    let scene = Scene::set().await;
    let run = scene.client.start(pitfall, "bridge".to_owned()).await.expect("it starts");
    for _ in 0..10 {
        let status = Process::start(&mut scene.worker_with(LEASE)).wait();
        assert!(!status.success(), "the run takes it down");
    }
    let mut last = Process::start(&mut scene.worker_with(LEASE));
    eventually("it is given up", async || {
        run.status().await.expect("its status") == RunStatus::Failed
    })
    .await;
    assert!(last.ended().is_none(), "the eleventh worker lives");
    let error = run.record().await.expect("its record").error.expect("it has failed");
    assert_eq!(error.kind, ErrorKind::CrashLoop);
    assert!(error.message.contains("these had begun: the step `fall`"), "{}", error.message);
    assert_eq!(scene.traces("fall").await.len(), 10);
    assert_eq!(run.journal().await.expect("its journal").len(), 1, "its first step is on record");
}

/// The process that undoes a run's steps is killed in the middle: the next one goes on from there.
#[tokio::test]
async fn undoing_goes_on_after_its_worker_was_killed() {
    let scene = Scene::set().await;
    let mut worker = scene.worker();
    let input = Errand { gate: Some("bridge".to_owned()) };
    let run = scene.client.start(retreat, input).await.expect("it starts");
    eventually("the last step is being undone", async || {
        !scene.traces("undo-second").await.is_empty()
    })
    .await;
    assert!(scene.traces("undo-first").await.is_empty());
    worker.kill();
    scene.ground.open_gate("bridge").await.expect("the gate opens");
    let next = scene.worker();
    let error = run.result().await.expect_err("it has failed");
    assert!(error.to_string().contains("there is no way on"), "{error}");
    let by_both = HashMap::from([(worker.pid().into(), 1), (next.pid().into(), 1)]);
    assert_eq!(scene.traces("undo-second").await, by_both, "it was not committed before");
    assert_eq!(scene.traces("undo-first").await, HashMap::from([(next.pid().into(), 1)]));
    for step in ["first", "second"] {
        assert_eq!(scene.traces(step).await, HashMap::from([(worker.pid().into(), 1)]));
    }
    let journal = run.journal().await.expect("its journal");
    let keys: Vec<_> = journal.iter().map(|row| row.key.as_str()).collect();
    assert_eq!(keys, ["first", "second", "(undo)", "undo(second)", "undo(first)"]);
}

/// A worker is killed before a restart is committed, the next one after it.
#[tokio::test]
async fn a_run_that_begins_anew_goes_on_after_its_worker_was_killed() {
    let scene = Scene::set().await;
    let mut worker = scene.worker();
    let run = scene.client.start(laps, (1, 3)).await.expect("it starts");
    for lap in ["lap-1", "lap-2", "lap-3"] {
        eventually("it goes round", async || !scene.traces(lap).await.is_empty()).await;
        worker.kill();
        scene.ground.open_gate(lap).await.expect("the gate opens");
        worker = scene.worker();
    }
    assert_eq!(run.result().await.expect("it completes"), 3);
    for lap in ["lap-1", "lap-2", "lap-3"] {
        let traces: i64 = scene.traces(lap).await.values().sum();
        assert_eq!(traces, 2, "each lap began before the kill and again after it");
    }
    assert_eq!(run.journal().await.expect("its journal").len(), 1);
}

/// Its worker is killed before the end of a run is committed, and the next one after it: the run has
/// one handler, which ends once.
#[tokio::test]
async fn a_failure_is_handled_once_whoever_was_killed() {
    let scene = Scene::set().await;
    let mut worker = scene.worker();
    let run = scene.client.start(tumble, "bridge".to_owned()).await.expect("it starts");
    eventually("it waits at the gate", async || !scene.traces("tumble").await.is_empty()).await;
    let query = RunQuery { parent: Some(run.id()), ..RunQuery::default() };
    assert!(scene.client.runs(&query).await.expect("the runs").is_empty());
    worker.kill();
    scene.ground.open_gate("bridge").await.expect("the gate opens");
    let mut next = scene.worker();
    eventually("the handler waits", async || !scene.traces("report").await.is_empty()).await;
    assert_eq!(run.status().await.expect("its status"), RunStatus::Failed);
    next.kill();
    scene.ground.open_gate("report").await.expect("the gate opens");
    let _last = scene.worker();
    let handlers = scene.client.runs(&query).await.expect("the runs");
    let [handler] = handlers.as_slice() else { panic!("one handler: {handlers:?}") };
    let record = scene.client.wait(handler.id).await.expect("it ends");
    assert_eq!(record.status, RunStatus::Completed);
    let output = record.output.expect("it has completed");
    assert_eq!(output.as_str(), r#""bridge: the bridge is down""#);
    assert_eq!(scene.client.runs(&query).await.expect("the runs").len(), 1);
}
