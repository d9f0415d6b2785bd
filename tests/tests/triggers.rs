//! What starts workflows, driven by a worker on both databases.

use indelible::prelude::*;
use indelible_tests::databases::Fresh;
use indelible_tests::{eventually, on_both_databases};

on_both_databases!(
    each_of_several_events_starts_a_run_of_its_variant,
    a_workflow_of_several_triggers_is_started_and_invoked_directly,
);

#[derive(Debug, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "account/opened")]
struct Opened {
    account: u32,
}

#[derive(Debug, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "account/closed")]
struct Closed {
    account: u32,
}

#[derive(Debug, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "account/audited")]
struct Audited {
    account: u32,
}

#[derive(Debug, Triggers)]
enum OnAccount {
    Opened(Opened),
    Closed(Received<Closed>),
}

/// Says what happened, at first and when it is resumed.
#[workflow]
async fn describe(account: OnAccount, step: Step) -> Result<String, Failure> {
    step.run("look", async { Ok::<_, Failure>(()) }).await?;
    let word = match account {
        OnAccount::Opened(opened) => format!("opened {}", opened.account),
        OnAccount::Closed(closed) => {
            step.wait_for_event::<Audited>("audited").matching(account = closed.data.account).await;
            format!("closed {}", closed.data.account)
        }
    };
    Ok(word)
}

/// Has an account closed.
#[workflow(input)]
async fn close(account: u32, step: Step) -> Result<String, Failure> {
    Ok(step.invoke("describe", describe, OnAccount::Opened(Opened { account })).await?)
}

indelible::app! {
    Bank = "bank";
    events: [Opened, Closed, Audited],
    workflows: [describe, close],
}

async fn open(database: &Fresh) -> Runtime {
    Runtime::builder(Bank).database(database.url()).start().await.expect("it starts")
}

/// What the completed runs of a workflow gave, in order of text.
async fn outputs(runtime: &Runtime, workflow: &str) -> Vec<String> {
    let query = indelible::RunQuery {
        workflow: Some(workflow.to_owned()),
        status: Some(RunStatus::Completed),
        ..Default::default()
    };
    let runs = runtime.runs(&query).await.expect("the runs");
    let texts = runs.into_iter().filter_map(|run| run.output?.decode().ok());
    let mut texts: Vec<String> = texts.collect();
    texts.sort();
    texts
}

async fn each_of_several_events_starts_a_run_of_its_variant(database: Fresh) {
    let runtime = open(&database).await;
    runtime.send(Opened { account: 1 }).await.expect("accepted");
    runtime.send(Closed { account: 2 }).await.expect("accepted");
    eventually("one waits", async || {
        let counts = runtime.counts().await.expect("the counts");
        counts.iter().any(|count| count.status == RunStatus::Waiting)
            && counts.iter().any(|count| count.status == RunStatus::Completed)
    })
    .await;
    runtime.shutdown().await;

    let runtime = open(&database).await;
    runtime.send(Audited { account: 2 }).await.expect("accepted");
    let done = async || outputs(&runtime, "describe").await == ["closed 2", "opened 1"];
    eventually("both are done", done).await;
    runtime.shutdown().await;
}

async fn a_workflow_of_several_triggers_is_started_and_invoked_directly(database: Fresh) {
    let runtime = open(&database).await;
    let opened = OnAccount::Opened(Opened { account: 3 });
    let run = runtime.start(describe, opened).await.expect("it starts");
    assert_eq!(run.result().await.expect("it completes"), "opened 3");
    let input = run.record().await.expect("the run").input;
    assert_eq!(input.as_str(), r#"{"account/opened":{"account":3}}"#);
    let run = runtime.start(close, 4).await.expect("it starts");
    assert_eq!(run.result().await.expect("it completes"), "opened 4");
    runtime.shutdown().await;
}
