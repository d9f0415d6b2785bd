//! The limits of workflows: which events count, how many runs work at a time, and who is next.

use std::collections::{HashMap, HashSet};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use indelible::prelude::*;
use indelible::testing::Bench;
use indelible::{RunHandle, RunQuery};
use indelible_tests::databases::Fresh;
use indelible_tests::fleet::{Crossing, Fleet, Ground, ON_A_BRIDGE, ON_ALL_BRIDGES};
use indelible_tests::left_behind::nothing_left_behind;
use indelible_tests::postgres::Database;
use indelible_tests::process::Process;
use indelible_tests::tables::Tables;
use indelible_tests::{eventually, on_both_databases, shut_down};
use tokio::sync::watch;

on_both_databases!(
    so_many_runs_of_a_key_work_at_a_time,
    a_run_that_waits_keeps_its_slot_if_told_so,
    workflows_share_a_scope,
    a_throttle_spreads_starts,
    a_rate_skips_events_and_no_other_starts,
    a_known_key_starts_nothing_again,
    a_second_single_run_is_skipped,
    a_second_single_run_cancels_the_first,
    the_latest_single_run_waits,
    an_urgent_run_is_next,
    a_parent_does_not_wait_for_its_own_slot,
    a_run_that_waits_for_a_slot_can_be_cancelled,
    what_has_no_key_is_not_limited,
    a_key_that_is_too_long_holds_nobody_else_up,
);

/// Where runs work: each until it is let go.
#[derive(Default)]
struct Yard {
    begun: Mutex<Vec<(String, Instant)>>,
    free: watch::Sender<HashSet<String>>,
}

impl Yard {
    async fn work(&self, job: &Job) -> Result<(), Failure> {
        let name = job.to_string();
        self.begun.lock().expect("nobody panics here").push((name.clone(), Instant::now()));
        let let_go = |free: &HashSet<String>| free.contains(&name) || free.contains("all");
        self.free.subscribe().wait_for(let_go).await.expect("the yard is there");
        Ok(())
    }
}

/// Wants to be worked on.
#[derive(Debug, Clone, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "yard/job")]
struct Job {
    /// The workflow that it starts.
    at: String,
    user: String,
    no: u32,
}

impl std::fmt::Display for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.user, self.no)
    }
}

/// Ends a wait.
#[derive(Debug, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "yard/called")]
struct Called {
    no: u32,
}

/// Works on a job, without more ado.
#[durable]
async fn work(step: &Step, yard: &Yard, job: &Job) -> Result<(), Failure> {
    Ok(step.run("work", yard.work(job)).await?)
}

#[workflow(
    on(Job, if = event.at == "load"),
    concurrency(limit = 1, key = event.user, scope = "ramp"),
)]
async fn load(event: Job, step: Step, Resource(yard): Resource<Arc<Yard>>) -> Result<(), Failure> {
    work(&step, &yard, &event).await
}

#[workflow(
    on(Job, if = event.at == "unload"),
    concurrency(limit = 1, key = event.user, scope = "ramp"),
)]
async fn unload(
    event: Job,
    step: Step,
    Resource(yard): Resource<Arc<Yard>>,
) -> Result<(), Failure> {
    work(&step, &yard, &event).await
}

#[workflow(
    on(Job, if = event.at == "spread"),
    throttle(limit = 1, per = "300ms", burst = 1),
)]
async fn spread(
    event: Job,
    step: Step,
    Resource(yard): Resource<Arc<Yard>>,
) -> Result<(), Failure> {
    work(&step, &yard, &event).await
}

#[workflow(
    on(Job, if = event.at == "rate"),
    rate_limit(limit = 2, per = "1h", key = event.user),
)]
async fn rate(event: Job, step: Step, Resource(yard): Resource<Arc<Yard>>) -> Result<(), Failure> {
    work(&step, &yard, &event).await
}

#[workflow(on(Job, if = event.at == "once"), idempotency(key = event.no, within = "24h"))]
async fn once(event: Job, step: Step, Resource(yard): Resource<Arc<Yard>>) -> Result<(), Failure> {
    work(&step, &yard, &event).await
}

#[workflow(on(Job, if = event.at == "skip"), singleton(key = event.user, mode = skip))]
async fn skip(event: Job, step: Step, Resource(yard): Resource<Arc<Yard>>) -> Result<(), Failure> {
    work(&step, &yard, &event).await
}

#[workflow(on(Job, if = event.at == "replace"), singleton(key = event.user, mode = cancel))]
async fn replace(
    event: Job,
    step: Step,
    Resource(yard): Resource<Arc<Yard>>,
) -> Result<(), Failure> {
    work(&step, &yard, &event).await
}

#[workflow(on(Job, if = event.at == "latest"), singleton(key = event.user, mode = latest))]
async fn latest(
    event: Job,
    step: Step,
    Resource(yard): Resource<Arc<Yard>>,
) -> Result<(), Failure> {
    work(&step, &yard, &event).await
}

#[workflow(
    on(Job, if = event.at == "urgent"),
    concurrency(limit = 1),
    priority = if event.no >= 100 { 600 } else { 0 },
)]
async fn urgent(
    event: Job,
    step: Step,
    Resource(yard): Resource<Arc<Yard>>,
) -> Result<(), Failure> {
    work(&step, &yard, &event).await
}

#[workflow(
    on(Job, if = event.at == "known"),
    concurrency(limit = 1, key = (event.user != "anybody").then(|| event.user.clone())),
)]
async fn known(event: Job, step: Step, Resource(yard): Resource<Arc<Yard>>) -> Result<(), Failure> {
    work(&step, &yard, &event).await
}

/// Works, and waits for a call.
#[workflow(on(Job, if = event.at == "active"), concurrency(limit = 2, key = event.user))]
async fn active(
    event: Job,
    step: Step,
    Resource(yard): Resource<Arc<Yard>>,
) -> Result<(), Failure> {
    step.run("work", yard.work(&event)).await?;
    step.wait_for_event::<Called>("called").matching(no = event.no).await;
    step.run("work-again", yard.work(&event)).await?;
    Ok(())
}

/// The same, and keeps its slot meanwhile.
#[workflow(on(Job, if = event.at == "whole"), concurrency(limit = 1, key = event.user, hold = run))]
async fn whole(event: Job, step: Step, Resource(yard): Resource<Arc<Yard>>) -> Result<(), Failure> {
    step.run("work", yard.work(&event)).await?;
    step.wait_for_event::<Called>("called").matching(no = event.no).await;
    Ok(())
}

/// Has a child work.
#[workflow(
    on(Job, if = event.at == "parent"),
    concurrency(limit = 1, key = event.user, hold = run, scope = "family")
)]
async fn parent(event: Job, step: Step) -> Result<(), Failure> {
    Ok(step.invoke("child", child, event).await?)
}

/// Works for its parent.
#[workflow(
    on(Job, if = event.at == "child"),
    concurrency(limit = 1, key = event.user, hold = run, scope = "family")
)]
async fn child(event: Job, step: Step, Resource(yard): Resource<Arc<Yard>>) -> Result<(), Failure> {
    work(&step, &yard, &event).await
}

indelible::app! {
    Harbour = "harbour";
    events: [Job, Called],
    workflows: [
        load, unload, spread, rate, once, skip, replace, latest, urgent, known, active, whole,
        parent, child,
    ],
}

/// A runtime with its yard.
struct Scene {
    runtime: Runtime,
    yard: Arc<Yard>,
    tables: Tables,
}

fn job(at: &str, user: &str, no: u32) -> Job {
    Job { at: at.to_owned(), user: user.to_owned(), no }
}

impl Scene {
    async fn set(database: &Fresh) -> Self {
        let yard = Arc::new(Yard::default());
        let builder = Runtime::builder(Harbour).database(database.url()).resource(yard.clone());
        let runtime = builder.start().await.expect("it starts");
        Self { runtime, yard, tables: Tables::of(database) }
    }

    async fn start<W>(&self, workflow: impl indelible::WorkflowFn<W>, job: Job) -> RunHandle<()>
    where
        W: Workflow<Input = Job, Output = ()>,
    {
        self.runtime.start(workflow, job).await.expect("it starts")
    }

    async fn send(&self, at: &str, user: &str, no: u32) {
        self.runtime.send(job(at, user, no)).await.expect("it is accepted");
    }

    /// The jobs that runs have begun to work on, in order.
    fn begun(&self) -> Vec<String> {
        let begun = self.yard.begun.lock().expect("nobody panics here");
        begun.iter().map(|(job, _)| job.clone()).collect()
    }

    /// When they did.
    fn times(&self) -> Vec<Instant> {
        let begun = self.yard.begun.lock().expect("nobody panics here");
        begun.iter().map(|(_, at)| *at).collect()
    }

    /// Waits until these jobs are begun, and no other is.
    async fn until_begun(&self, jobs: &[&str]) {
        let last = jobs[jobs.len() - 1];
        let begun = async || self.begun().iter().any(|job| job == last);
        eventually("the last job is begun", begun).await;
        let all = async || self.begun().len() >= jobs.len();
        eventually("the jobs are begun", all).await;
        assert_eq!(self.begun(), jobs);
    }

    /// Lets a run go on that works on a job.
    fn let_go(&self, job: &str) {
        self.yard.free.send_modify(|free| _ = free.insert(job.to_owned()));
    }

    async fn until(&self, run: &RunHandle<()>, status: RunStatus) {
        let stands = async || run.status().await.expect("its status") == status;
        eventually("the run stands there", stands).await;
    }

    /// Waits until so many runs stand at a gate: from then on their ranks decide who is next.
    async fn until_at_gates(&self, runs: i64) {
        let standing = "SELECT count(*) FROM {slots} WHERE state = 'waits'";
        let stand = async || self.tables.count(standing).await.expect("a count") == runs;
        eventually("the runs stand at the gate", stand).await;
    }

    async fn rows(&self, table: &str) -> i64 {
        // The ballast of Postgres belongs to no app.
        let rows = format!("SELECT count(*) FROM {{{table}}} WHERE app <> ''");
        self.tables.count(&rows).await.expect("a count")
    }

    async fn runs_of(&self, workflow: &str) -> usize {
        let workflow = Some(workflow.to_owned());
        let query = RunQuery { workflow, ..RunQuery::default() };
        self.runtime.runs(&query).await.expect("the runs").len()
    }

    /// Lets all go, and waits until nothing is left.
    async fn end(self) {
        self.let_go("all");
        let unfinished = RunQuery { over: Some(false), ..RunQuery::default() };
        let over = async || self.runtime.runs(&unfinished).await.expect("the runs").is_empty();
        eventually("all runs are over", over).await;
        assert_eq!((self.rows("slots").await, self.rows("ready").await), (0, 0));
        nothing_left_behind(&self.tables).await;
        let bench = Bench::new().resource(Arc::new(Yard::default()));
        shut_down(Harbour, bench, self.runtime).await;
    }
}

async fn so_many_runs_of_a_key_work_at_a_time(database: Fresh) {
    let scene = Scene::set(&database).await;
    let mut runs = Vec::new();
    for no in 0..4 {
        runs.push(scene.start(active, job("active", "ann", no)).await);
        let first = &["ann 0", "ann 1"][..(no as usize + 1).min(2)];
        scene.until_begun(first).await;
    }
    scene.send("active", "bob", 7).await;
    scene.until_begun(&["ann 0", "ann 1", "bob 7"]).await;
    // While the first one waits for a call, another has its slot.
    scene.let_go("ann 0");
    scene.until_begun(&["ann 0", "ann 1", "bob 7", "ann 2"]).await;
    scene.until(&runs[0], RunStatus::Waiting).await;
    // Called, it waits for a slot again: before the last one, as it was accepted sooner.
    scene.runtime.send(Called { no: 0 }).await.expect("it is accepted");
    scene.until_at_gates(2).await;
    scene.let_go("ann 1");
    scene.until_begun(&["ann 0", "ann 1", "bob 7", "ann 2", "ann 0", "ann 3"]).await;
    for no in [1, 2, 3, 7] {
        scene.runtime.send(Called { no }).await.expect("it is accepted");
    }
    scene.end().await;
}

async fn a_run_that_waits_keeps_its_slot_if_told_so(database: Fresh) {
    let scene = Scene::set(&database).await;
    let first = scene.start(whole, job("whole", "ann", 0)).await;
    scene.until_begun(&["ann 0"]).await;
    scene.start(whole, job("whole", "ann", 1)).await;
    scene.let_go("ann 0");
    scene.until(&first, RunStatus::Waiting).await;
    scene.send("whole", "bob", 7).await;
    scene.until_begun(&["ann 0", "bob 7"]).await;
    scene.runtime.send(Called { no: 0 }).await.expect("it is accepted");
    scene.until_begun(&["ann 0", "bob 7", "ann 1"]).await;
    first.result().await.expect("it completes");
    for no in [1, 7] {
        scene.runtime.send(Called { no }).await.expect("it is accepted");
    }
    scene.end().await;
}

async fn workflows_share_a_scope(database: Fresh) {
    let scene = Scene::set(&database).await;
    scene.start(load, job("load", "ann", 0)).await;
    scene.until_begun(&["ann 0"]).await;
    scene.start(unload, job("unload", "ann", 1)).await;
    scene.start(unload, job("unload", "bob", 7)).await;
    scene.until_begun(&["ann 0", "bob 7"]).await;
    scene.let_go("ann 0");
    scene.until_begun(&["ann 0", "bob 7", "ann 1"]).await;
    scene.end().await;
}

async fn a_throttle_spreads_starts(database: Fresh) {
    let scene = Scene::set(&database).await;
    let begun = Instant::now();
    for no in 0..4 {
        scene.send("spread", "ann", no).await;
    }
    eventually("all are begun", async || scene.begun().len() == 4).await;
    let after: Vec<Duration> = scene.times().iter().map(|at| *at - begun).collect();
    // One is ahead of its time, the others come one by one.
    for (place, interval) in [(2, 300), (3, 600)] {
        assert!(after[place] >= Duration::from_millis(interval), "{after:?}");
    }
    scene.end().await;
}

async fn a_rate_skips_events_and_no_other_starts(database: Fresh) {
    let scene = Scene::set(&database).await;
    for no in 0..4 {
        scene.send("rate", "ann", no).await;
    }
    scene.send("rate", "bob", 7).await;
    eventually("bob's is begun", async || scene.begun().contains(&"bob 7".to_owned())).await;
    let begun = async || scene.begun().len() == 3;
    eventually("two of ann's are begun", begun).await;
    assert_eq!((scene.runs_of("rate").await, scene.rows("skipped").await), (3, 2));
    scene.start(rate, job("rate", "ann", 9)).await;
    eventually("it is begun", async || scene.begun().contains(&"ann 9".to_owned())).await;
    scene.end().await;
}

async fn a_known_key_starts_nothing_again(database: Fresh) {
    let scene = Scene::set(&database).await;
    for (user, no) in [("ann", 7), ("bob", 7), ("ann", 8)] {
        scene.send("once", user, no).await;
    }
    eventually("both are there", async || scene.begun().len() == 2).await;
    let begun: HashSet<String> = scene.begun().into_iter().collect();
    assert_eq!(begun, HashSet::from(["ann 7".to_owned(), "ann 8".to_owned()]));
    assert_eq!((scene.runs_of("once").await, scene.rows("skipped").await), (2, 1));
    scene.end().await;
}

async fn a_second_single_run_is_skipped(database: Fresh) {
    let scene = Scene::set(&database).await;
    scene.send("skip", "ann", 0).await;
    scene.until_begun(&["ann 0"]).await;
    scene.send("skip", "ann", 1).await;
    scene.send("skip", "bob", 7).await;
    scene.until_begun(&["ann 0", "bob 7"]).await;
    assert_eq!((scene.runs_of("skip").await, scene.rows("skipped").await), (2, 1));
    // Whoever starts one is told by its end.
    let direct = scene.start(skip, job("skip", "ann", 2)).await;
    let record = direct.wait().await.expect("it ends");
    assert_eq!(record.status, RunStatus::Cancelled);
    scene.let_go("ann 0");
    eventually("it is over", async || scene.rows("slots").await == 1).await;
    scene.send("skip", "ann", 3).await;
    scene.until_begun(&["ann 0", "bob 7", "ann 3"]).await;
    scene.end().await;
}

async fn a_second_single_run_cancels_the_first(database: Fresh) {
    let scene = Scene::set(&database).await;
    let first = scene.start(replace, job("replace", "ann", 0)).await;
    scene.until_begun(&["ann 0"]).await;
    scene.send("replace", "bob", 7).await;
    scene.until_begun(&["ann 0", "bob 7"]).await;
    scene.send("replace", "ann", 1).await;
    let record = first.wait().await.expect("it ends");
    let reason = record.cancelled.expect("it is cancelled");
    assert!(reason.ends_with("of the same key takes its place"), "{reason}");
    scene.until_begun(&["ann 0", "bob 7", "ann 1"]).await;
    scene.end().await;
}

async fn the_latest_single_run_waits(database: Fresh) {
    let scene = Scene::set(&database).await;
    let first = scene.start(latest, job("latest", "ann", 0)).await;
    scene.until_begun(&["ann 0"]).await;
    let second = scene.start(latest, job("latest", "ann", 1)).await;
    scene.start(latest, job("latest", "ann", 2)).await;
    assert_eq!(second.wait().await.expect("it ends").status, RunStatus::Cancelled);
    assert_eq!(scene.begun(), ["ann 0"]);
    scene.let_go("ann 0");
    scene.until_begun(&["ann 0", "ann 2"]).await;
    first.result().await.expect("it completes");
    scene.end().await;
}

async fn an_urgent_run_is_next(database: Fresh) {
    let scene = Scene::set(&database).await;
    scene.start(urgent, job("urgent", "ann", 0)).await;
    scene.until_begun(&["ann 0"]).await;
    for no in [1, 2, 100] {
        scene.start(urgent, job("urgent", "ann", no)).await;
    }
    scene.until_at_gates(3).await;
    scene.let_go("all");
    scene.until_begun(&["ann 0", "ann 100", "ann 1", "ann 2"]).await;
    scene.end().await;
}

async fn a_parent_does_not_wait_for_its_own_slot(database: Fresh) {
    let scene = Scene::set(&database).await;
    let first = scene.start(parent, job("parent", "ann", 0)).await;
    scene.until_begun(&["ann 0"]).await;
    scene.until(&first, RunStatus::Waiting).await;
    let second = scene.start(parent, job("parent", "ann", 1)).await;
    scene.start(child, job("child", "ann", 2)).await;
    scene.start(parent, job("parent", "bob", 7)).await;
    scene.until_begun(&["ann 0", "bob 7"]).await;
    scene.until_at_gates(2).await;
    scene.let_go("ann 0");
    first.result().await.expect("it completes");
    scene.until_begun(&["ann 0", "bob 7", "ann 1"]).await;
    scene.let_go("ann 1");
    second.result().await.expect("it completes");
    scene.until_begun(&["ann 0", "bob 7", "ann 1", "ann 2"]).await;
    scene.end().await;
}

async fn a_run_that_waits_for_a_slot_can_be_cancelled(database: Fresh) {
    let scene = Scene::set(&database).await;
    scene.start(load, job("load", "ann", 0)).await;
    scene.until_begun(&["ann 0"]).await;
    let second = scene.start(load, job("load", "ann", 1)).await;
    scene.start(load, job("load", "ann", 2)).await;
    assert!(second.cancel("enough").await.expect("it can be asked"));
    assert_eq!(second.wait().await.expect("it ends").cancelled.as_deref(), Some("enough"));
    assert_eq!(scene.begun(), ["ann 0"], "the slot was not its own to free");
    scene.let_go("ann 0");
    scene.until_begun(&["ann 0", "ann 2"]).await;
    scene.end().await;
}

async fn what_has_no_key_is_not_limited(database: Fresh) {
    let scene = Scene::set(&database).await;
    for user in ["ann", "anybody"] {
        for no in 0..3 {
            scene.start(known, job("known", user, no)).await;
        }
    }
    eventually("all of anybody's are begun", async || scene.begun().len() == 4).await;
    let of_ann = |job: &&String| job.starts_with("ann ");
    assert_eq!(scene.begun().iter().filter(of_ann).count(), 1);
    scene.end().await;
}

async fn a_key_that_is_too_long_holds_nobody_else_up(database: Fresh) {
    let scene = Scene::set(&database).await;
    let long = "x".repeat(600);
    let refused = scene.runtime.start(load, job("load", &long, 0)).await.err();
    let text = refused.expect("it has no key").to_string();
    assert!(text.contains("has 602 bytes as JSON, over the limit of 512 bytes"), "{text}");
    for at in ["load", "rate", "skip"] {
        scene.send(at, &long, 1).await;
        scene.send(at, at, 2).await;
    }
    eventually("the others are begun", async || scene.begun().len() == 3).await;
    eventually("those are blocked", async || scene.rows("blocked").await == 3).await;
    assert_eq!(scene.rows("runs").await, 3);
    scene.end().await;
}

/// The most that were there at the same time, given when each came and left.
fn greatest_overlap(stays: &[(i64, i64)]) -> usize {
    let mut moves: Vec<(i64, i8)> =
        stays.iter().flat_map(|(from, to)| [(*from, 1), (*to.max(from), -1)]).collect();
    // At the same moment those who leave are first.
    moves.sort_unstable();
    let mut there = 0_usize;
    let counts = moves.into_iter().map(|(_, change)| {
        there = there.saturating_add_signed(change.into());
        there
    });
    counts.max().unwrap_or(0)
}

/// Stays on each bridge. One whose process was killed meanwhile has lasted until then.
async fn stays(ground: &Ground, killed: &HashMap<i64, i64>) -> HashMap<String, Vec<(i64, i64)>> {
    let traces: Vec<(uuid::Uuid, String, i64, i64)> = sqlx::query_as(
        "SELECT run, step, pid, (extract(epoch FROM begun) * 1000000)::bigint
         FROM traces ORDER BY begun",
    )
    .fetch_all(ground.pool())
    .await
    .expect("the traces");
    let mut there = HashMap::new();
    let mut stays = HashMap::<String, Vec<_>>::new();
    for (run, step, pid, at) in traces {
        let (verb, bridge) = step.split_once(' ').expect("a step has a bridge");
        match verb {
            "enter" => _ = there.insert((run, pid), (bridge.to_owned(), at)),
            _ => {
                let (_, from) = there.remove(&(run, pid)).expect("it has entered");
                stays.entry(bridge.to_owned()).or_default().push((from, at));
            }
        }
    }
    for ((_, pid), (bridge, from)) in there {
        let to = *killed.get(&pid).expect("only who is killed does not leave");
        stays.entry(bridge).or_default().push((from, to));
    }
    stays
}

/// Many runs of a few keys, one of them busy, in four processes of which two are killed.
#[tokio::test]
async fn no_limit_is_exceeded_while_workers_are_killed() {
    const RUNS: usize = 200;
    let database = Database::create().await;
    let client = Runtime::builder(Fleet).database(database.url()).connect().await;
    let client = client.expect("a client");
    let ground = Ground::open(database.url()).await.expect("the tests' tables");
    let worker = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fleet"));
        Process::start(command.arg(database.url()).arg("4000"))
    };
    let mut workers = [worker(), worker(), worker(), worker()];
    let number = async |question: &'static str| -> i64 {
        sqlx::query_scalar(question).fetch_one(ground.pool()).await.expect("a number")
    };
    eventually("all workers have joined", async || {
        number("SELECT count(*) FROM indelible.workers").await == 4
    })
    .await;
    for no in 0..RUNS {
        let bridge = if no % 2 == 0 { "hot".to_owned() } else { format!("cold-{}", no % 5) };
        client.send(Crossing { bridge }).await.expect("it is accepted");
    }
    let completed = async || {
        number(
            "SELECT count(*) FROM indelible.runs WHERE workflow = 'cross' AND status = 'completed'",
        )
        .await
    };
    let mut killed = HashMap::new();
    for (worker, after) in workers.iter_mut().zip([RUNS / 6, RUNS / 3]) {
        eventually("some are over", async || completed().await >= after as i64).await;
        let on_a_bridge = async |pid: i64| {
            sqlx::query_scalar::<_, bool>("SELECT count(*) % 2 = 1 FROM traces WHERE pid = $1")
                .bind(pid)
                .fetch_one(ground.pool())
                .await
                .expect("the traces")
        };
        let pid = i64::from(worker.pid());
        eventually("somebody is on a bridge", async || on_a_bridge(pid).await).await;
        // It writes nothing from here on, and nobody has taken over from it yet.
        worker.signal("STOP");
        let now = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
        killed.insert(pid, number(now).await);
        worker.kill();
    }
    let all = async || completed().await == RUNS as i64;
    eventually("every event has its run, and that has completed", all).await;

    let stays = stays(&ground, &killed).await;
    let all: Vec<_> = stays.values().flatten().copied().collect();
    for (bridge, stays) in &stays {
        let most = greatest_overlap(stays);
        assert!(most <= ON_A_BRIDGE, "{most} were on the bridge {bridge}");
    }
    assert_eq!(greatest_overlap(&stays["hot"]), ON_A_BRIDGE, "they did not take turns");
    let most = greatest_overlap(&all);
    assert!(most <= ON_ALL_BRIDGES, "{most} were on bridges");
    // There and back, and again for what a kill has undone.
    let again = all.len() - 2 * RUNS;
    assert!(again <= killed.len() * ON_ALL_BRIDGES, "{again} crossings came to nothing");
    println!("{} crossings, {again} of them again; {most} at most on all bridges", all.len());

    nothing_left_behind(&Tables::Postgres(ground.pool().clone())).await;
    let runs = number("SELECT count(*) FROM indelible.runs WHERE workflow = 'cross'").await;
    assert_eq!(runs, RUNS as i64);
    let ground = Ground::open(database.url()).await.expect("the tests' tables");
    let bench = Bench::new().resource(ground);
    bench.assert_journals_replay(Fleet, &client).await.expect("the database answers");
}
