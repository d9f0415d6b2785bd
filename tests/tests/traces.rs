//! The trace of a sender, from its event to all that follows, on both databases.

use std::future::Future;

use indelible::prelude::*;
use indelible::testing::Bench;
use indelible::{Client, RunQuery, RunRecord, TraceContext};
use indelible_tests::databases::Fresh;
use indelible_tests::log::Log;
use indelible_tests::{eventually, on_both_databases, shut_down};
use serde_json::json;

on_both_databases!(
    what_follows_an_event_belongs_to_its_trace,
    what_is_told_of_a_blocked_event_belongs_to_its_trace,
    a_run_is_started_in_a_trace,
    a_program_says_in_which_trace_it_works,
);

const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A parcel was handed in.
#[derive(Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "post/handed-in")]
struct HandedIn {
    parcel: u32,
}

/// A parcel was weighed.
#[derive(Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "post/weighed")]
struct Weighed {
    parcel: u32,
}

/// A parcel is on its way.
#[derive(Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "post/sent")]
struct Sent {
    parcel: u32,
}

/// A parcel was lost.
#[derive(Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "post/lost")]
struct Lost {
    parcel: u32,
}

/// A run's trace as its body and a step see it, and that of its child.
type Seen = (Option<String>, Option<String>, Option<String>);

fn text(step: &Step) -> Option<String> {
    step.trace_context().map(ToString::to_string)
}

/// Weighs a parcel and sends it.
#[workflow]
async fn on_handed_in(event: HandedIn, step: Step) -> Result<Seen, Failure> {
    let in_a_step = step
        .run("look", async {
            tracing::info!("looking at it");
            Ok(step.trace_context().map(ToString::to_string))
        })
        .await?;
    step.wait_for_event::<Weighed>("await-weight").matching(parcel = event.parcel).await;
    let of_a_child = step.invoke("address", address, event.parcel).await?;
    tracing::info!("sending it");
    step.send_event("send", Sent { parcel: event.parcel }).await?;
    Ok((text(&step), in_a_step, of_a_child))
}

/// Gives its trace.
#[workflow(input)]
async fn address(_parcel: u32, step: Step) -> Result<Option<String>, Failure> {
    Ok(text(&step))
}

/// Gives its trace.
#[workflow]
async fn on_sent(_event: Sent, step: Step) -> Result<Option<String>, Failure> {
    Ok(text(&step))
}

/// Gives its trace.
#[workflow(batch(max = 2, timeout = "1h"))]
async fn on_weighed(_all: Vec<Weighed>, step: Step) -> Result<Option<String>, Failure> {
    Ok(text(&step))
}

/// Cannot tell what to make of the parcel 0.
#[workflow(on(Lost, if = 100 / event.parcel > 0))]
async fn on_lost(_event: Lost) -> Result<(), Failure> {
    Ok(())
}

/// Gives its trace.
#[workflow]
async fn on_blocked(_event: EventBlocked, step: Step) -> Result<Option<String>, Failure> {
    Ok(text(&step))
}

indelible::app! {
    Post = "post";
    events: [HandedIn, Weighed, Sent, Lost],
    workflows: [on_handed_in, address, on_sent, on_weighed, on_lost, on_blocked],
}

async fn start(database: &Fresh) -> Runtime {
    Runtime::builder(Post).database(database.url()).start().await.expect("it starts")
}

fn trace() -> TraceContext {
    TraceContext::new(PARENT).expect("it is one").with_state("rojo=00f067aa0ba902b7")
}

/// Another trace.
fn other(no: u32) -> TraceContext {
    TraceContext::new(&format!("00-{no:032x}-{no:016x}-00")).expect("it is one")
}

/// The run that an event has started.
async fn run_of(client: &Client, event: EventId) -> RunRecord {
    let query = RunQuery { event: Some(event), ..RunQuery::default() };
    let mut runs = Vec::new();
    eventually("its run is there", async || {
        runs = client.runs(&query).await.expect("it answers");
        !runs.is_empty()
    })
    .await;
    runs.remove(0)
}

/// The only run of a workflow.
async fn only_of(client: &Client, workflow: &str) -> RunRecord {
    let query = RunQuery { workflow: Some(workflow.to_owned()), ..RunQuery::default() };
    let mut runs = Vec::new();
    eventually("its run is there", async || {
        runs = client.runs(&query).await.expect("it answers");
        !runs.is_empty()
    })
    .await;
    assert_eq!(runs.len(), 1);
    runs.remove(0)
}

async fn what_follows_an_event_belongs_to_its_trace(database: Fresh) {
    let log = Log::begin();
    let runtime = start(&database).await;
    let (traced, untraced) = (HandedIn { parcel: 1 }, HandedIn { parcel: 2 });
    let event = runtime.send(traced).trace_context(trace()).await.expect("it is sent");
    let record = runtime.event(event).await.expect("it answers").expect("it is there");
    assert_eq!(record.trace_context, Some(trace()));
    assert!(record.to_string().contains(&format!("It belongs to the trace {TRACE_ID}.")));
    let run = run_of(&runtime, event).await;
    assert_eq!(run.trace_context, Some(trace()));
    let without = runtime.send(untraced).await.expect("it is sent");
    let without = run_of(&runtime, without).await;
    for run in [run.id, without.id] {
        eventually("it waits", async || {
            let record = runtime.run(run).await.expect("it answers");
            record.is_some_and(|record| record.status == RunStatus::Waiting)
        })
        .await;
    }
    runtime.shutdown().await;

    let runtime = start(&database).await;
    let weighed = [1, 2].map(|parcel| Weighed { parcel });
    for (weighed, no) in weighed.into_iter().zip(1..) {
        // These belong to other traces: what they wake does not.
        runtime.send(weighed).trace_context(other(no)).await.expect("it is sent");
    }
    let text = Some(trace().to_string());
    let seen: Seen = runtime.handle(run.id).result().await.expect("it completes");
    assert_eq!(seen, (text.clone(), text.clone(), text.clone()));
    let none: Seen = runtime.handle(without.id).result().await.expect("it completes");
    assert_eq!(none, (None, None, None));
    let batch: Option<String> = {
        let run = only_of(&runtime, "on-weighed").await;
        runtime.handle(run.id).result().await.expect("it completes")
    };
    assert_eq!(batch, Some(other(2).to_string()), "the last event of a batch counts");
    let query = RunQuery { workflow: Some("on-sent".to_owned()), ..RunQuery::default() };
    let mut sent = Vec::new();
    eventually("both are sent", async || {
        sent = runtime.runs(&query).await.expect("it answers");
        sent.len() == 2
    })
    .await;
    let mut traces = Vec::new();
    for run in sent {
        traces.push(runtime.handle::<Option<String>>(run.id).result().await.expect("it completes"));
    }
    traces.sort();
    assert_eq!(traces, [None, text]);

    // Whoever drives it, each of its lines says in which trace.
    let words = [&*format!("trace_id=\"{TRACE_ID}\""), &*format!("traceparent=\"{PARENT}\"")];
    for said in ["the run begins", "looking at it", "sending it", "the run completed"] {
        log.one(run.id, &[words[0], words[1], said]).await;
        log.one(without.id, &[said]).await;
    }
    for field in ["trace_id", "traceparent"] {
        assert_eq!(log.of(without.id, &[field]), [""; 0]);
    }
    shut_down(Post, Bench::new(), runtime).await;
}

async fn what_is_told_of_a_blocked_event_belongs_to_its_trace(database: Fresh) {
    let runtime = start(&database).await;
    let lost = runtime.send(Lost { parcel: 0 }).trace_context(trace());
    let lost = lost.await.expect("it is sent");
    let told = only_of(&runtime, "on-blocked").await;
    let told: Option<String> = runtime.handle(told.id).result().await.expect("it completes");
    assert_eq!(told, Some(trace().to_string()));
    let mended = runtime.resend(lost, &Lost { parcel: 1 }).await.expect("it is sent again");
    assert_eq!(run_of(&runtime, mended).await.trace_context, Some(trace()));
    shut_down(Post, Bench::new(), runtime).await;
}

async fn a_run_is_started_in_a_trace(database: Fresh) {
    let runtime = start(&database).await;
    let client = Client::connect(database.url()).await.expect("a client").for_app("post");
    let typed = runtime.start(address, 1).trace_context(trace()).await.expect("it starts");
    assert_eq!(typed.result().await.expect("it completes"), Some(trace().to_string()));
    let by_name = client.start_by_name("address", 1).trace_context(trace()).await;
    let by_name = by_name.expect("it starts").result().await.expect("it completes");
    assert_eq!(by_name, json!(trace().to_string()));
    let without = runtime.start(address, 1).await.expect("it starts");
    assert_eq!(without.result().await.expect("it completes"), None);
    shut_down(Post, Bench::new(), runtime).await;
}

tokio::task_local! {
    static CURRENT: TraceContext;
}

fn current() -> Option<TraceContext> {
    CURRENT.try_with(Clone::clone).ok()
}

/// Does something in a trace.
async fn within<F: IntoFuture>(trace: TraceContext, deed: F) -> F::Output
where
    F::IntoFuture: Future,
{
    CURRENT.scope(trace, deed.into_future()).await
}

async fn a_program_says_in_which_trace_it_works(database: Fresh) {
    let runtime = Runtime::builder(Post).database(database.url()).trace_context_from(current);
    let runtime = runtime.start().await.expect("it starts");
    let connected = Client::connect(database.url()).trace_context_from(current).await;
    let connected = connected.expect("a client").for_app("post");
    let builder = Runtime::builder(Post).database(database.url()).trace_context_from(current);
    let client = builder.connect().await.expect("a client");

    let mut events = Vec::new();
    let sent = |parcel| Sent { parcel };
    events.push((1, within(other(1), runtime.send(sent(1))).await.expect("sent")));
    events.push((2, within(other(2), client.send(sent(1)).after("1ms")).await.expect("sent")));
    let by_name = connected.send_by_name("post/sent", sent(1));
    events.push((3, within(other(3), by_name).await.expect("sent")));
    let all = within(other(4), client.send_all([sent(1), sent(2)])).await.expect("sent");
    events.extend(all.into_iter().map(|event| (4, event)));
    let data = serde_json::value::to_raw_value(&sent(1)).expect("it is JSON");
    let untyped = client.catalog().check("post/sent", &data, 1_000).expect("it fits");
    let all = within(other(5), client.send_all_untyped([(untyped, None)])).await.expect("sent");
    events.extend(all.into_iter().map(|event| (5, event)));
    for (no, event) in events {
        let run = run_of(&runtime, event).await;
        assert_eq!(run.trace_context, Some(other(no)));
    }
    let given = runtime.send(sent(1)).trace_context(trace());
    let given = within(other(6), given).await.expect("sent");
    assert_eq!(run_of(&runtime, given).await.trace_context, Some(trace()));
    let outside = runtime.send(sent(1)).await.expect("sent");
    assert_eq!(run_of(&runtime, outside).await.trace_context, None);

    let typed = within(other(1), runtime.start(address, 1)).await.expect("it starts").id();
    let by_name = connected.start_by_name("address", 1);
    let by_name = within(other(2), by_name).await.expect("it starts").id();
    let all = within(other(3), runtime.start_all(address, [1])).await.expect("they start");
    for (no, run) in (1..).zip([typed, by_name, all[0].id()]) {
        let ended = runtime.wait(run).await.expect("it ends");
        assert_eq!(ended.trace_context, Some(other(no)));
    }
    for client in [connected, client] {
        client.close().await;
    }
    shut_down(Post, Bench::new(), runtime).await;
}
