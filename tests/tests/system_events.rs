//! The events that Indelible itself makes, driven by a worker on both databases.

use std::time::Duration;

use indelible::journal::ErrorKind;
use indelible::prelude::*;
use indelible::testing::Bench;
use indelible::{RunQuery, RunRecord};
use indelible_tests::databases::Fresh;
use indelible_tests::tables::Tables;
use indelible_tests::{eventually, on_both_databases, shut_down};

on_both_databases!(
    a_workflow_hears_how_runs_of_its_app_end,
    a_run_that_never_began_is_heard_of_as_well,
    a_run_waits_for_the_end_of_another,
    what_a_system_event_sets_off_is_silent,
    an_event_that_is_blocked_is_heard_of_once,
    nothing_is_written_where_nobody_asks,
    another_app_hears_nothing,
);

#[derive(Debug, Clone, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "parcel/packed")]
struct Packed {
    parcel: u32,
    grams: u32,
}

/// Gives the number of a light parcel, fails for a heavy one, and waits for ever for one of nothing.
#[workflow(retries = 0)]
async fn ship(event: Packed, step: Step) -> Result<u32, Failure> {
    match event.grams {
        0 => step.sleep("wait", "365 days").await,
        1_000.. => {
            step.run("lift", async { Err::<(), _>(Failure::msg("too heavy")) }).await?;
        }
        _ => {}
    }
    Ok(event.parcel)
}

/// Cannot tell what to make of a parcel of nothing.
#[workflow(on(Packed, if = 1_000_000 / event.grams > 100_000))]
async fn frank(event: Packed) -> Result<u32, Failure> {
    Ok(event.parcel)
}

/// Hears of failures, but of one workflow's alone.
#[workflow(on(RunFailed, if = event.workflow == "ship"))]
async fn report(failed: Received<RunFailed>, step: Step) -> Result<RunFailed, Failure> {
    step.run("look", async { Ok::<_, Failure>(()) }).await?;
    assert!(failed.accepted_at >= failed.data.accepted_at);
    Ok(failed.data)
}

#[derive(Debug, Clone, PartialEq, Triggers)]
enum Ended {
    Completed(RunCompleted),
    Cancelled(RunCancelled),
}

/// Hears of what ends in another way, and fails at that.
#[workflow(retries = 0, on(RunCompleted, if = event.workflow != "frank"))]
async fn grumble(ended: Ended, step: Step) -> Result<(), Failure> {
    let (workflow, how) = match ended {
        Ended::Completed(ended) => (ended.workflow, ended.output.to_string()),
        Ended::Cancelled(ended) => (ended.workflow, ended.reason),
    };
    step.invoke("complain", complain, how).await?;
    Err(Failure::msg(workflow))
}

/// Is part of what a system event sets off.
#[workflow(input)]
async fn complain(about: String) -> Result<String, Failure> {
    Ok(about)
}

/// Waits for the failure of another run.
#[workflow(input)]
async fn watch(other: RunId, step: Step) -> Result<Option<String>, Failure> {
    let failed = step.wait_for_event::<RunFailed>("failed").matching(run = other).timeout("1h");
    Ok(failed.await.map(|failed| failed.data.error.message))
}

/// Fails as soon as a parcel is packed.
#[workflow(input)]
async fn wait_for_signal(_input: (), step: Step) -> Result<(), Failure> {
    let packed = step.wait_for_event::<Packed>("packed").await;
    let grams = packed.map(|packed| packed.data.grams);
    Err(Failure::msg(format!("a parcel of {grams:?} grams came")))
}

/// Hears of what is blocked.
#[workflow]
async fn unblock(blocked: EventBlocked) -> Result<EventBlocked, Failure> {
    Ok(blocked)
}

indelible::app! {
    Attentive = "post";
    events: [Packed],
    workflows: [ship, frank, report, grumble, complain, watch, wait_for_signal, unblock],
}
indelible::app! { Deaf = "post"; events: [Packed], workflows: [ship, frank], }
indelible::app! { Other = "railway"; events: [], workflows: [report, grumble, complain, unblock], }

const HEAVY: Packed = Packed { parcel: 7, grams: 1_000 };
const LIGHT: Packed = Packed { parcel: 8, grams: 5 };
const NOTHING: Packed = Packed { parcel: 9, grams: 0 };

async fn open<A: indelible::App>(app: A, database: &Fresh) -> Runtime {
    let runtime = Runtime::builder(app).database(database.url());
    runtime.poll_interval(Duration::from_secs(60)).start().await.expect("it starts")
}

/// The runs of a workflow, once there are so many and all are over.
async fn ended(runtime: &Runtime, workflow: &str, count: usize) -> Vec<RunRecord> {
    let query = RunQuery { workflow: Some(workflow.to_owned()), ..RunQuery::default() };
    let runs = async || runtime.runs(&query).await.expect("it answers");
    eventually("its runs are over", async || {
        let runs = runs().await;
        runs.len() == count && runs.iter().all(|run| run.status.is_over())
    })
    .await;
    runs().await
}

async fn a_workflow_hears_how_runs_of_its_app_end(database: Fresh) {
    let runtime = open(Attentive, &database).await;
    let heavy = runtime.start(ship, HEAVY).await.expect("it starts");
    heavy.result().await.expect_err("it fails");
    let heard = &ended(&runtime, "report", 1).await[0];
    let heard: RunFailed = heard.output.as_ref().expect("it heard").decode().expect("it fits");
    let record = heavy.record().await.expect("it answers");
    assert_eq!((heard.run, &*heard.workflow, &*heard.app), (heavy.id(), "ship", "post"));
    assert_eq!((heard.event, heard.accepted_at), (None, record.accepted_at));
    assert_eq!(heard.input, serde_json::json!({ "parcel": 7, "grams": 1_000 }));
    assert_eq!((heard.error.kind, &*heard.error.message), (ErrorKind::Error, "too heavy"));

    let id = runtime.send(LIGHT).await.expect("it is accepted");
    let completed = ended(&runtime, "grumble", 1).await;
    assert_eq!(completed[0].status, RunStatus::Failed, "{completed:?}");
    let named: serde_json::Value = completed[0].input.decode().expect("it is JSON");
    let told = &named["indelible/run.completed"];
    assert_eq!((&told["output"], &told["event"]), (&8.into(), &id.to_string().into()));

    let waiting = runtime.start(ship, NOTHING).await.expect("it starts");
    eventually("it waits", async || {
        waiting.status().await.expect("its status") == RunStatus::Waiting
    })
    .await;
    waiting.cancel("enough").await.expect("it can be asked");
    let cancelled = ended(&runtime, "grumble", 2).await;
    let of = |run: &&RunRecord| run.input.as_str().starts_with(r#"{"indelible/run.cancelled":"#);
    let cancelled = cancelled.iter().find(of).expect("it was heard of");
    assert!(cancelled.input.as_str().contains(r#""reason":"enough""#), "{cancelled:?}");
    shut_down(Attentive, Bench::new(), runtime).await;
}

async fn a_run_that_never_began_is_heard_of_as_well(database: Fresh) {
    let client = Runtime::builder(Attentive).database(database.url()).connect().await;
    let client = client.expect("a client");
    let run = client.start(ship, NOTHING).await.expect("it starts");
    assert!(run.cancel("never mind").await.expect("it can be asked"));
    let runtime = open(Attentive, &database).await;
    ended(&runtime, "grumble", 1).await;
    let complaints = ended(&runtime, "complain", 1).await;
    assert_eq!(complaints[0].output.as_ref().map(|said| said.as_str()), Some(r#""never mind""#));
    runtime.shutdown().await;
}

async fn a_run_waits_for_the_end_of_another(database: Fresh) {
    let runtime = open(Attentive, &database).await;
    let wait = runtime.start(wait_for_signal, ()).await.expect("it starts");
    let watching = runtime.start(watch, wait.id()).await.expect("it starts");
    eventually("both wait", async || {
        wait.status().await.expect("its status") == RunStatus::Waiting
            && watching.status().await.expect("its status") == RunStatus::Waiting
    })
    .await;
    runtime.send(LIGHT).await.expect("it is accepted");
    wait.result().await.expect_err("it fails");
    let heard = watching.result().await.expect("it was told");
    assert_eq!(heard.as_deref(), Some("a parcel of Some(5) grams came"));
    shut_down(Attentive, Bench::new(), runtime).await;
}

async fn what_a_system_event_sets_off_is_silent(database: Fresh) {
    let runtime = open(Attentive, &database).await;
    runtime.start(ship, LIGHT).await.expect("it starts").result().await.expect("it completes");
    // It fails, and the run that it has invoked completes.
    ended(&runtime, "grumble", 1).await;
    ended(&runtime, "complain", 1).await;
    runtime.start(ship, LIGHT).await.expect("it starts").result().await.expect("it completes");
    ended(&runtime, "grumble", 2).await;
    let failed = ended(&runtime, "complain", 2).await;
    // Neither does what is made of them.
    let replayed = runtime.replay(failed[0].id).await.expect("it can be replayed");
    eventually("it is over", async || {
        let run = runtime.run(replayed).await.expect("it answers").expect("it is there");
        run.status.is_over()
    })
    .await;
    runtime.start(ship, LIGHT).await.expect("it starts").result().await.expect("it completes");
    ended(&runtime, "grumble", 3).await;
    ended(&runtime, "report", 0).await;
    runtime.shutdown().await;
}

async fn an_event_that_is_blocked_is_heard_of_once(database: Fresh) {
    let runtime = open(Attentive, &database).await;
    let id = runtime.send(NOTHING).await.expect("it is accepted");
    let heard = ended(&runtime, "unblock", 1).await;
    let heard: EventBlocked =
        heard[0].output.as_ref().expect("it heard").decode().expect("it fits");
    assert_eq!((heard.event, &*heard.name, &*heard.workflow), (id, Packed::NAME, "frank"));
    assert_eq!(heard.data, serde_json::json!({ "parcel": 9, "grams": 0 }));
    assert!(heard.reason.contains("panicked"), "{}", heard.reason);
    runtime.shutdown().await;
    // The same program tries it again.
    let runtime = open(Attentive, &database).await;
    let other = runtime.send(NOTHING).await.expect("it is accepted");
    let heard = ended(&runtime, "unblock", 2).await;
    let is_of = |run: &RunRecord| run.input.as_str().contains(&other.to_string());
    assert_eq!(heard.iter().filter(|run| is_of(run)).count(), 1);
    runtime.shutdown().await;
}

async fn nothing_is_written_where_nobody_asks(database: Fresh) {
    let runtime = open(Deaf, &database).await;
    runtime.start(ship, HEAVY).await.expect("it starts").result().await.expect_err("it fails");
    runtime.start(ship, LIGHT).await.expect("it starts").result().await.expect("it completes");
    runtime.shutdown().await;
    let events = Tables::of(&database).count("SELECT count(*) FROM {events}").await;
    assert_eq!(events.expect("a count"), 0);
    // Had anything been delivered, it would start something now.
    let runtime = open(Attentive, &database).await;
    runtime.start(ship, LIGHT).await.expect("it starts").result().await.expect("it completes");
    ended(&runtime, "grumble", 1).await;
    ended(&runtime, "report", 0).await;
    runtime.shutdown().await;
}

async fn another_app_hears_nothing(database: Fresh) {
    let other = open(Other, &database).await;
    let runtime = open(Attentive, &database).await;
    runtime.start(ship, HEAVY).await.expect("it starts").result().await.expect_err("it fails");
    runtime.send(NOTHING).await.expect("it is accepted");
    ended(&runtime, "report", 1).await;
    ended(&runtime, "unblock", 1).await;
    for workflow in ["report", "unblock", "grumble"] {
        ended(&other, workflow, 0).await;
    }
    runtime.shutdown().await;
    other.shutdown().await;
}
