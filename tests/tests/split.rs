//! Workers that drive only some workflows, and only so many runs at once.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use indelible::prelude::*;
use indelible::{Client, Error, RunQuery, RunReason};
use indelible_tests::databases::Fresh;
use indelible_tests::process::Process;
use indelible_tests::split::{Parcel, Split};
use indelible_tests::{eventually, on_both_databases};
use tokio::sync::watch;

on_both_databases!(
    each_worker_drives_its_workflows_and_looks_after_all,
    a_worker_drives_so_many_runs_at_once,
    a_worker_cannot_drive_what_its_app_does_not_have,
);

struct Yard {
    client: Client,
    url: String,
}

impl Yard {
    fn worker(&self, workflows: &[&str]) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_split"));
        Process::start(command.arg(&self.url).args(workflows))
    }

    /// The runs of a workflow that a parcel started.
    async fn started(&self, workflow: &str, parcel: indelible::event::EventId) -> Vec<RunId> {
        let (workflow, event) = (Some(workflow.to_owned()), Some(parcel));
        let query = RunQuery { workflow, event, ..RunQuery::default() };
        let runs = self.client.runs(&query).await.expect("the database answers");
        runs.iter().map(|run| run.id).collect()
    }

    /// The run of a workflow that a parcel starts, once it is there.
    async fn run(&self, workflow: &str, parcel: indelible::event::EventId) -> RunId {
        eventually("the parcel has started it", async || {
            !self.started(workflow, parcel).await.is_empty()
        })
        .await;
        self.started(workflow, parcel).await[0]
    }

    async fn driven_by(&self, workflow: &str, parcel: indelible::event::EventId) -> u32 {
        let run = self.run(workflow, parcel).await;
        self.client.handle(run).result().await.expect("it completes")
    }

    /// Whether a run is one that this many workers cannot drive.
    async fn is_stranded(&self, run: RunId, among: u64) -> bool {
        let why = self.client.why(run).await.expect("the database answers");
        let stranded = |reason: &RunReason| matches!(reason, RunReason::Stranded { workers, .. } if *workers == among);
        why.reasons.iter().any(stranded)
    }
}

async fn each_worker_drives_its_workflows_and_looks_after_all(database: Fresh) {
    let url = database.url();
    let client = Runtime::builder(Split).database(&*url).connect().await.expect("a client");
    let yard = Yard { client, url };
    let mut crane = yard.worker(&["heavy"]);
    // It registers the app as it starts.
    eventually("the worker has registered its app", async || {
        let schedules = yard.client.schedules().await;
        schedules.is_ok_and(|found| found.iter().any(|schedule| schedule.last.is_some()))
    })
    .await;

    let first = yard.client.send(Parcel { no: 1 }).await.expect("it is accepted");
    assert_eq!(yard.driven_by("heavy", first).await, crane.pid());
    // It has routed the event, opened the gate, completed the batch and fired the schedule for others.
    let light = yard.run("light", first).await;
    let tally = yard.run("tally", first).await;
    eventually("nobody can drive it", async || yard.is_stranded(light, 1).await).await;
    assert!(yard.is_stranded(tally, 1).await);
    let stranded = yard.client.stranded().await.expect("the database answers");
    let mut stranded: Vec<_> = stranded.iter().map(|runs| &*runs.workflow).collect();
    stranded.sort_unstable();
    assert_eq!(stranded, ["light", "round", "tally"]);

    let hands = yard.worker(&["light", "tally", "round"]);
    assert_eq!(yard.driven_by("light", first).await, hands.pid());
    assert_eq!(yard.client.handle::<u32>(tally).result().await.expect("it completes"), 1);
    let rounds = RunQuery {
        workflow: Some("round".to_owned()),
        status: Some(RunStatus::Completed),
        ..RunQuery::default()
    };
    eventually("rounds are made", async || {
        !yard.client.runs(&rounds).await.expect("the database answers").is_empty()
    })
    .await;

    // The other one looks after what it does not drive as well.
    crane.kill();
    let second = yard.client.send(Parcel { no: 2 }).await.expect("it is accepted");
    assert_eq!(yard.driven_by("light", second).await, hands.pid());
    let heavy = yard.run("heavy", second).await;
    eventually("nobody can drive it", async || yard.is_stranded(heavy, 1).await).await;
    let crane = yard.worker(&["heavy"]);
    assert_eq!(yard.driven_by("heavy", second).await, crane.pid());
}

/// Where runs are until they are let go.
struct Hall {
    inside: AtomicUsize,
    most: AtomicUsize,
    open: watch::Sender<bool>,
}

impl Hall {
    async fn visit(&self) -> Result<(), Failure> {
        let inside = self.inside.fetch_add(1, SeqCst) + 1;
        self.most.fetch_max(inside, SeqCst);
        self.open.subscribe().wait_for(|open| *open).await.expect("the hall is there");
        self.inside.fetch_sub(1, SeqCst);
        Ok(())
    }
}

/// Stays in the hall until it is opened.
#[workflow(input)]
async fn visit(_no: u32, step: Step, Resource(hall): Resource<Arc<Hall>>) -> Result<(), Failure> {
    Ok(step.run("visit", hall.visit()).await?)
}

/// No app lists it.
#[workflow(input)]
async fn stray(_no: u32, _step: Step) -> Result<(), Failure> {
    Ok(())
}

indelible::app! {
    Visits = "visits";
    events: [],
    workflows: [visit],
}

async fn a_worker_drives_so_many_runs_at_once(database: Fresh) {
    let hall = Arc::new(Hall {
        inside: AtomicUsize::new(0),
        most: AtomicUsize::new(0),
        open: watch::Sender::new(false),
    });
    let builder = Runtime::builder(Visits).database(database.url()).resource(hall.clone());
    let runtime = builder.max_active_runs(2).start().await.expect("it starts");
    let runs = runtime.start_all(visit, 0..5).await.expect("they start");
    eventually("two are in the hall", async || hall.inside.load(SeqCst) == 2).await;
    let why = runtime.why(runs[4].id()).await.expect("the database answers");
    assert!(
        matches!(&*why.reasons, [RunReason::Queued { workers: 1, before: 2, .. }]),
        "{why}: {:?}",
        why.reasons
    );
    hall.open.send_replace(true);
    for run in runs {
        run.result().await.expect("it completes");
    }
    assert_eq!(hall.most.load(SeqCst), 2);
    runtime.shutdown().await;
}

async fn a_worker_cannot_drive_what_its_app_does_not_have(database: Fresh) {
    let builder = Runtime::builder(Visits).database(database.url()).only(stray);
    let refused = builder.start().await.err();
    assert!(
        matches!(refused, Some(Error::UnknownWorkflow { workflow: "stray", app: "visits" })),
        "{refused:?}"
    );
}
