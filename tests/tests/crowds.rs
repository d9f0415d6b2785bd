//! Many runs, and workers that go down with them: those that have done nothing get on at once, and the
//! one that is to blame is found.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use indelible::journal::ErrorKind;
use indelible::prelude::*;
use indelible::workflow::Direct;
use indelible::{Client, RunQuery, WorkflowFn};
use indelible_tests::crowd::{Crowd, block, block_in_transaction, poison, work};
use indelible_tests::databases::Fresh;
use indelible_tests::left_behind::nothing_left_behind;
use indelible_tests::process::Process;
use indelible_tests::tables::Tables;
use indelible_tests::{eventually, on_both_databases};

on_both_databases!(
    innocent_runs_get_on_after_five_kills,
    the_run_that_takes_its_workers_down_is_found_among_many,
    a_blocked_thread_does_not_lose_the_lease,
    a_thread_that_is_blocked_in_a_transaction_does_not_lose_the_lease,
);

/// That of a program that says nothing of it.
const LEASE: Duration = Duration::from_secs(10);
const RUNS: u32 = 500;

struct Scene {
    client: Client,
    url: String,
}

impl Scene {
    async fn set(database: &Fresh) -> Self {
        let url = database.url();
        let client = Runtime::builder(Crowd).database(&*url).connect().await.expect("a client");
        Self { client, url }
    }

    fn worker(&self) -> Process {
        Process::start(self.command(LEASE, 2).stderr(Stdio::null()))
    }

    fn command(&self, lease: Duration, threads: u32) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crowd"));
        command.arg(&self.url).arg(lease.as_millis().to_string()).arg(threads.to_string());
        command
    }

    async fn completed(&self) -> u64 {
        let counts = self.client.counts().await.expect("they are counted");
        let completed = counts.iter().filter(|count| count.status == RunStatus::Completed);
        completed.map(|count| count.runs).sum()
    }
}

async fn innocent_runs_get_on_after_five_kills(database: Fresh) {
    let scene = Scene::set(&database).await;
    scene.client.start_all(work, 0..RUNS).await.expect("they start");
    let begun = Instant::now();
    for _ in 0..5 {
        let mut worker = scene.worker();
        while begun.elapsed() < Duration::from_secs(2) && worker.ended().is_none() {
            let driven = RunQuery { status: Some(RunStatus::Running), ..RunQuery::default() };
            if !scene.client.runs(&driven).await.expect("the runs").is_empty() {
                break;
            }
        }
        worker.kill();
    }
    let left_alone = Instant::now();
    let _worker = scene.worker();
    eventually("all runs have completed", async || scene.completed().await == u64::from(RUNS))
        .await;
    let took = left_alone.elapsed();
    assert!(took < LEASE + Duration::from_secs(5), "it took {took:?}");
    nothing_left_behind(&Tables::of(&database)).await;
}

async fn the_run_that_takes_its_workers_down_is_found_among_many(database: Fresh) {
    let scene = Scene::set(&database).await;
    scene.client.start_all(work, 0..RUNS / 2).await.expect("they start");
    let poison = scene.client.start(poison, ()).await.expect("it starts");
    scene.client.start_all(work, RUNS / 2..RUNS).await.expect("they start");
    let begun = Instant::now();
    let mut others_took = None;
    let mut worker = scene.worker();
    let mut lives = 1;
    eventually("the one at fault has failed", async || {
        if worker.ended().is_some() {
            worker = scene.worker();
            lives += 1;
        }
        if others_took.is_none() && scene.completed().await == u64::from(RUNS) {
            others_took = Some(begun.elapsed());
        }
        poison.status().await.expect("its status") == RunStatus::Failed
    })
    .await;
    println!("{lives} lives until the verdict, {:?}", begun.elapsed());
    let others = async || scene.completed().await == u64::from(RUNS);
    eventually("the others have completed", others).await;
    let others_took = others_took.unwrap_or_else(|| begun.elapsed());
    assert!(others_took < Duration::from_secs(30), "they took {others_took:?}");
    let error = poison.record().await.expect("its record").error.expect("it has failed");
    assert_eq!(error.kind, ErrorKind::CrashLoop);
    assert!(error.message.contains("the step `strike`"), "{}", error.message);
    assert!(worker.ended().is_none(), "the last worker lives");
    nothing_left_behind(&Tables::of(&database)).await;
}

async fn a_blocked_thread_does_not_lose_the_lease(database: Fresh) {
    for (threads, runs) in [(1, 1), (2, 4)] {
        do_not_lose_the_lease(&database, threads, block, runs).await;
    }
}

/// On SQLite nobody else can write meanwhile, so that the transactions take turns.
async fn a_thread_that_is_blocked_in_a_transaction_does_not_lose_the_lease(database: Fresh) {
    for (threads, runs) in [(1, 1), (2, 2)] {
        do_not_lose_the_lease(&database, threads, block_in_transaction, runs).await;
    }
}

/// Each thread of the worker is blocked for several times the length of its lease, while another worker
/// is there to take over.
async fn do_not_lose_the_lease<W: Workflow<Input = Direct<u64>, Output = ()>>(
    database: &Fresh,
    threads: u32,
    block: impl WorkflowFn<W>,
    runs: usize,
) {
    const LEASE: Duration = Duration::from_secs(1);
    let scene = Scene::set(database).await;
    let mut blocked = Process::start(scene.command(LEASE, threads).stderr(Stdio::piped()));
    let mut log = blocked.stderr();
    let runs = scene.client.start_all(block, vec![4_000; runs]).await.expect("they start");
    let claimed = async || {
        let driven = RunQuery { status: Some(RunStatus::Running), ..RunQuery::default() };
        scene.client.runs(&driven).await.expect("the runs").len() == runs.len()
    };
    eventually("all are claimed", claimed).await;
    let mut other = Process::start(scene.command(LEASE, 1).stderr(Stdio::null()));
    for run in &runs {
        run.result().await.expect("it completes");
    }
    assert!(other.ended().is_none(), "the other worker lives");
    blocked.signal("TERM");
    let mut said = String::new();
    log.read_to_string(&mut said).expect("it logs text");
    assert!(!said.contains("the lease was lost"), "{said}");
    let warnings = said.matches("this run keeps a thread busy").count();
    assert_eq!(warnings, runs.len(), "{said}");
    assert!(said.contains("step=\"block\"") && said.contains("spawn_blocking"), "{said}");
}
