//! One process, from a program's point of view: starting, sending, awaiting, stopping.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use indelible::prelude::*;
use indelible::testing::Bench;
use indelible::{Error, RunQuery};
use indelible_tests::databases::Fresh;
use indelible_tests::{eventually, on_both_databases, shut_down};

on_both_databases!(
    a_run_gives_its_typed_output,
    an_event_starts_every_workflow_that_it_triggers_once,
    an_event_with_a_known_key_starts_nothing_again,
    a_failed_run_says_which_step_and_why,
    a_step_that_fails_twice_is_tried_a_third_time,
    a_step_that_takes_too_long_times_out,
    a_run_that_only_sleeps_leaves_memory_and_comes_back,
    an_event_sent_by_a_step_starts_its_workflow,
    a_hundred_runs_side_by_side,
    an_input_over_the_limit_is_refused_with_its_size,
    a_runtime_goes_on_where_an_earlier_one_stopped,
    runs_of_an_unknown_workflow_are_left_alone,
);

#[derive(Default)]
struct Office {
    calls: AtomicU32,
}

impl Office {
    async fn double(&self, n: u32) -> Result<u32, Failure> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        Ok(n * 2)
    }

    async fn third_time_lucky(&self) -> Result<u32, Failure> {
        match self.calls.fetch_add(1, Ordering::SeqCst) {
            2 => Ok(3),
            n => Err(Failure::msg(format!("call {n} did not get through"))),
        }
    }
}

#[derive(Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "office/asked")]
struct Asked {
    n: u32,
}

#[derive(Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "office/answered")]
struct Answered {
    n: u32,
}

/// Doubles a number.
#[workflow]
async fn double(
    event: Asked,
    step: Step,
    Resource(office): Resource<Office>,
) -> Result<u32, Failure> {
    Ok(step.run("double", office.double(event.n)).await?)
}

/// Answers in an event of its own.
#[workflow]
async fn answer(event: Asked, step: Step) -> Result<(), Failure> {
    step.send_event("answer", Answered { n: event.n + 1 }).await?;
    Ok(())
}

/// Takes note of an answer.
#[workflow]
async fn note(event: Received<Answered>, step: Step) -> Result<(u32, EventId), Failure> {
    let n = step.run("note", async { Ok::<_, Failure>(event.data.n) }).await?;
    Ok((n, event.id))
}

/// Never gets what it asks for.
#[workflow(input, retries = 0)]
async fn refused(reason: String, step: Step) -> Result<(), Failure> {
    step.run("ask", async { Err::<(), _>(Failure::msg(reason.clone())) }).await?;
    Ok(())
}

/// Gets through the third time.
#[workflow(input, retries = 5, backoff(initial = "10ms", max = "50ms"))]
async fn persistent(
    (): (),
    step: Step,
    Resource(office): Resource<Office>,
) -> Result<u32, Failure> {
    Ok(step.run("call", office.third_time_lucky()).await?)
}

/// Never gets an answer.
#[workflow(input, retries = 0)]
async fn patient((): (), step: Step) -> Result<(), Failure> {
    step.run("wait", std::future::pending::<Result<(), Failure>>()).timeout("200ms").await?;
    Ok(())
}

/// Sleeps for so many milliseconds.
#[workflow(input)]
async fn nap(millis: u64, step: Step) -> Result<(Timestamp, Timestamp), Failure> {
    let lay_down = step.now();
    step.sleep("nap", Duration::from_millis(millis)).await;
    Ok((lay_down, step.now()))
}

indelible::app! {
    Desk = "desk";
    events: [Asked, Answered],
    workflows: [double, answer, note, refused, persistent, patient, nap],
}

/// Another deployment of the same app, without most of its workflows.
mod reduced {
    use super::*;

    indelible::app! {
        pub Desk = "desk";
        events: [Asked, Answered],
        workflows: [note],
    }
}

async fn open(database: &Fresh) -> Runtime {
    let builder = Runtime::builder(Desk).database(database.url()).resource(Office::default());
    builder.poll_interval(Duration::from_millis(200)).start().await.expect("it starts")
}

async fn completed(runtime: &Runtime, workflow: &str) -> u64 {
    let counts = runtime.counts().await.expect("the counts");
    counts
        .iter()
        .filter(|count| count.workflow == workflow && count.status == RunStatus::Completed)
        .map(|count| count.runs)
        .sum()
}

async fn a_run_gives_its_typed_output(database: Fresh) {
    let runtime = open(&database).await;
    let run = runtime.start(double, Asked { n: 21 }).await.expect("it starts");
    assert_eq!(run.result().await.expect("it completes"), 42);
    let record = run.record().await.expect("its record");
    assert_eq!((record.status, record.event), (RunStatus::Completed, None));
    assert!(record.started_at >= Some(record.accepted_at));
    assert!(record.ended_at >= record.started_at);
    let journal = run.journal().await.expect("its journal");
    assert_eq!(journal.iter().map(|row| row.key.as_str()).collect::<Vec<_>>(), ["double"]);
    shut_down(Desk, Bench::new().resource(Office::default()), runtime).await;
}

async fn an_event_starts_every_workflow_that_it_triggers_once(database: Fresh) {
    let runtime = open(&database).await;
    let event = runtime.send(Asked { n: 1 }).await.expect("it is accepted");
    eventually("all three have completed", async || {
        completed(&runtime, "note").await == 1 && completed(&runtime, "double").await == 1
    })
    .await;
    let runs = runtime.runs(&RunQuery::default()).await.expect("the runs");
    let started: Vec<_> = runs.iter().filter(|run| run.event == Some(event)).collect();
    assert_eq!((runs.len(), started.len()), (3, 2));
    shut_down(Desk, Bench::new().resource(Office::default()), runtime).await;
}

async fn an_event_with_a_known_key_starts_nothing_again(database: Fresh) {
    let runtime = open(&database).await;
    let send = async |n| runtime.send(Asked { n }).idempotency_key("line-1").await;
    let first = send(1).await.expect("it is accepted");
    let second = send(2).await.expect("it is accepted, too");
    assert_eq!(first, second);
    eventually("the first has been answered", async || completed(&runtime, "note").await == 1)
        .await;
    assert_eq!(runtime.runs(&RunQuery::default()).await.expect("the runs").len(), 3);
    shut_down(Desk, Bench::new().resource(Office::default()), runtime).await;
}

async fn a_failed_run_says_which_step_and_why(database: Fresh) {
    let runtime = open(&database).await;
    let run = runtime.start(refused, "not today".to_owned()).await.expect("it starts");
    let error = run.result().await.expect_err("it fails");
    let Error::RunFailed { error: record, .. } = &error else { panic!("{error}") };
    assert_eq!(record.step.as_ref().map(|step| step.as_str()), Some("ask"));
    assert_eq!(record.message, "not today");
    let expected = format!("run {} of `refused` failed: not today", run.id());
    assert_eq!(error.to_string(), expected);
    shut_down(Desk, Bench::new().resource(Office::default()), runtime).await;
}

async fn a_step_that_fails_twice_is_tried_a_third_time(database: Fresh) {
    let runtime = open(&database).await;
    let run = runtime.start(persistent, ()).await.expect("it starts");
    assert_eq!(run.result().await.expect("it completes"), 3);
    assert_eq!(run.journal().await.expect("its journal").len(), 3);
    shut_down(Desk, Bench::new().resource(Office::default()), runtime).await;
}

async fn a_step_that_takes_too_long_times_out(database: Fresh) {
    let runtime = open(&database).await;
    let run = runtime.start(patient, ()).await.expect("it starts");
    let error = run.result().await.expect_err("it fails");
    let expected = "the attempt took longer than its timeout of 200ms";
    assert!(error.to_string().ends_with(expected), "{error}");
    shut_down(Desk, Bench::new().resource(Office::default()), runtime).await;
}

async fn a_run_that_only_sleeps_leaves_memory_and_comes_back(database: Fresh) {
    let runtime = open(&database).await;
    let run = runtime.start(nap, 3000).await.expect("it starts");
    eventually("it is parked", async || {
        run.status().await.expect("its status") == RunStatus::Waiting
    })
    .await;
    let (lay_down, rose) = run.result().await.expect("it completes");
    assert!(rose.duration_since(lay_down).as_millis() >= 3000);
    shut_down(Desk, Bench::new().resource(Office::default()), runtime).await;
}

async fn an_event_sent_by_a_step_starts_its_workflow(database: Fresh) {
    let runtime = open(&database).await;
    let run = runtime.start(answer, Asked { n: 4 }).await.expect("it starts");
    run.result().await.expect("it completes");
    eventually("the answer is noted", async || completed(&runtime, "note").await == 1).await;
    let query = RunQuery { workflow: Some("note".to_owned()), ..RunQuery::default() };
    let noted = runtime.runs(&query).await.expect("the runs").remove(0);
    let output = noted.output.expect("its output");
    let (n, event): (u32, EventId) = output.decode().expect("a number and an id");
    assert_eq!((n, Some(event)), (5, noted.event));
    shut_down(Desk, Bench::new().resource(Office::default()), runtime).await;
}

async fn a_hundred_runs_side_by_side(database: Fresh) {
    let runtime = open(&database).await;
    let mut handles = Vec::new();
    for n in 0..100 {
        handles.push(runtime.start(double, Asked { n }).await.expect("it starts"));
    }
    for (n, run) in (0..).zip(&handles) {
        assert_eq!(run.result().await.expect("it completes"), n * 2);
    }
    shut_down(Desk, Bench::new().resource(Office::default()), runtime).await;
}

async fn an_input_over_the_limit_is_refused_with_its_size(database: Fresh) {
    let runtime = open(&database).await;
    let error = runtime.start(refused, "x".repeat(600 << 10)).await.expect_err("it is too large");
    assert_eq!(
        error.to_string(),
        "the input of `refused` is not accepted: it is 614402 bytes as JSON, over the limit of \
         524288 bytes"
    );
    shut_down(Desk, Bench::new().resource(Office::default()), runtime).await;
}

async fn a_runtime_goes_on_where_an_earlier_one_stopped(database: Fresh) {
    let first = open(&database).await;
    let run = first.start(nap, 2500).await.expect("it starts").id();
    eventually("it sleeps", async || !first.journal(run).await.expect("its journal").is_empty())
        .await;
    first.shutdown().await;
    let client = Runtime::builder(Desk).database(database.url()).connect().await;
    let asleep = client.expect("a client").handle::<()>(run);
    assert_eq!(asleep.status().await.expect("its status"), RunStatus::Waiting);

    let second = open(&database).await;
    let run = second.handle::<(Timestamp, Timestamp)>(run);
    run.result().await.expect("it completes");
    assert_eq!(run.journal().await.expect("its journal").len(), 2);
    second.shutdown().await;
}

async fn runs_of_an_unknown_workflow_are_left_alone(database: Fresh) {
    let client = Runtime::builder(Desk).database(database.url()).connect().await;
    let run = client.expect("a client").start(double, Asked { n: 5 }).await.expect("it starts");

    let reduced = Runtime::builder(reduced::Desk).database(database.url());
    let reduced = reduced.start().await.expect("it starts");
    let known = reduced.start(note, Answered { n: 1 }).await.expect("it starts");
    known.result().await.expect("it completes");
    assert_eq!(run.status().await.expect("its status"), RunStatus::Queued);
    reduced.shutdown().await;

    let whole = open(&database).await;
    assert_eq!(whole.handle::<u32>(run.id()).result().await.expect("it completes"), 10);
    whole.shutdown().await;
}

#[tokio::test]
async fn a_resource_that_is_not_lent_is_named_at_start() {
    let database = Fresh::sqlite().await;
    let started = Runtime::builder(Desk).database(database.url()).start().await;
    let Err(error) = started else { panic!("it started") };
    let expected = "takes a `Resource<runtime::Office>`, but the program has none";
    assert!(error.to_string().contains(expected), "{error}");
    assert!(error.to_string().contains("add `.resource(..)`"), "{error}");
}
