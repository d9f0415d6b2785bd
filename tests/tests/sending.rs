//! The ways to send an event.

use std::time::Duration;

use indelible::prelude::*;
use indelible::testing::Bench;
use indelible::{Client, Error, RunQuery};
use indelible_tests::databases::Fresh;
use indelible_tests::{eventually, on_both_databases, shut_down};

on_both_databases!(
    an_event_that_is_due_while_no_worker_is_there_is_not_lost,
    a_text_that_is_no_duration_is_refused,
);

/// Somebody has knocked.
#[derive(Debug, Clone, PartialEq, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "house/knocked")]
struct Knocked {
    n: u32,
}

/// Notes who knocked, and when.
#[workflow]
async fn on_knock(knocked: Received<Knocked>) -> Result<(u32, Timestamp), Failure> {
    Ok((knocked.data.n, knocked.accepted_at))
}

indelible::app! {
    House = "house";
    events: [Knocked],
    workflows: [on_knock],
}

async fn connect(database: &Fresh) -> Client {
    Runtime::builder(House).database(database.url()).connect().await.expect("it opens")
}

async fn start(database: &Fresh) -> Runtime {
    Runtime::builder(House).database(database.url()).start().await.expect("it starts")
}

/// What the run of an event has noted.
async fn noted(client: &Client, event: EventId) -> (u32, Timestamp) {
    let query = RunQuery { event: Some(event), ..RunQuery::default() };
    let mut runs = Vec::new();
    eventually("its run is there", async || {
        runs = client.runs(&query).await.expect("it answers");
        !runs.is_empty()
    })
    .await;
    assert_eq!(runs.len(), 1);
    client.handle(runs[0].id).result().await.expect("it completes")
}

/// Its sender has gone, too.
async fn an_event_that_is_due_while_no_worker_is_there_is_not_lost(database: Fresh) {
    let client = connect(&database).await;
    let due = Timestamp::now();
    let event = client.send(Knocked { n: 7 }).at(due).await.expect("it is stored");
    client.close().await;

    let runtime = start(&database).await;
    let (n, accepted_at) = noted(&runtime, event).await;
    assert_eq!(n, 7);
    assert!(accepted_at >= due, "{accepted_at} is before {due}");
    shut_down(House, Bench::new(), runtime).await;
}

async fn a_text_that_is_no_duration_is_refused(database: Fresh) {
    let client = connect(&database).await;
    let error = client.send(Knocked { n: 7 }).after("soon").await.expect_err("when is that?");
    assert!(matches!(error, Error::NotADuration { .. }), "{error}");
    let runs = client.runs(&RunQuery::default()).await.expect("it answers");
    assert_eq!(runs.len(), 0);
    client.close().await;
}
