//! Events that do not fit the types of the workflows that they start, driven by a worker on both databases.

use indelible::event::InvalidEvent;
use indelible::prelude::*;
use indelible::{BlockedEvent, BlockedQuery, Client, Error, RunQuery};
use indelible_tests::databases::Fresh;
use indelible_tests::{eventually, on_both_databases};
use serde_json::json;

on_both_databases!(
    an_event_that_does_not_fit_is_kept_and_can_be_sent_again,
    an_event_of_another_version_starts_what_can_read_it,
    a_misfit_is_discarded,
    schemas_are_kept_by_version,
);

mod older {
    use indelible::prelude::*;

    #[derive(Event, Serialize, Deserialize, JsonSchema)]
    #[event(name = "crate/stored")]
    pub(super) struct Stored {
        pub(super) place: String,
    }

    indelible::app! { pub(super) Depot = "depot"; events: [Stored], workflows: [], }
}

#[derive(Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "crate/stored")]
struct Stored {
    place: Place,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Place {
    row: u32,
}

/// Gives the row.
#[workflow]
async fn find(event: Stored, step: Step) -> Result<u32, Failure> {
    step.run("look", async { Ok::<_, Failure>(()) }).await?;
    Ok(event.place.row)
}

/// Counts by row.
#[workflow(debounce(period = "50ms", key = event.place.row))]
async fn count(events: Vec<Stored>) -> Result<usize, Failure> {
    Ok(events.len())
}

indelible::app! { Depot = "depot"; events: [Stored], workflows: [find, count], }

async fn open(database: &Fresh) -> Runtime {
    Runtime::builder(Depot).database(database.url()).start().await.expect("it starts")
}

/// A program that still has the older type.
async fn another_version(database: &Fresh) -> Client {
    let client = Runtime::builder(older::Depot).database(database.url()).connect().await;
    client.expect("a client")
}

/// What is blocked, once that is one event for two workflows.
async fn blocked(runtime: &Runtime) -> BlockedEvent {
    let all = async || runtime.blocked_events(&BlockedQuery::default()).await.expect("it answers");
    eventually("it is blocked", async || {
        all().await.first().is_some_and(|event| event.blocked.len() == 2)
    })
    .await;
    all().await.remove(0)
}

async fn runs(runtime: &Runtime) -> Vec<RunStatus> {
    let runs = runtime.runs(&RunQuery::default()).await.expect("it answers");
    runs.iter().map(|run| run.status).collect()
}

async fn an_event_that_does_not_fit_is_kept_and_can_be_sent_again(database: Fresh) {
    let runtime = open(&database).await;
    let other = another_version(&database).await;
    let id = other.send(older::Stored { place: "left".to_owned() }).await.expect("it is accepted");
    let event = blocked(&runtime).await;
    assert_eq!((event.id, &*event.name), (id, Stored::NAME));
    assert_eq!(event.data.as_str(), r#"{"place":"left"}"#);
    let workflows: Vec<_> = event.blocked.iter().map(|blocked| &*blocked.workflow).collect();
    assert_eq!(workflows, ["count", "find"]);
    for blocked in &event.blocked {
        let expected =
            r#"its data does not fit the event: at `/place`: invalid type: string "left""#;
        assert!(blocked.reason.starts_with(expected), "{blocked:?}");
    }
    assert!(runs(&runtime).await.is_empty());

    let refused = runtime.resend(id, &json!({ "place": { "row": "3" } })).await;
    match refused.expect_err("it does not fit either") {
        Error::InvalidEvent(InvalidEvent::Mismatch { pointer, .. }) => {
            assert_eq!(pointer, "/place/row");
        }
        other => panic!("{other}"),
    }
    let long = json!({ "place": { "row": 3 }, "note": "x".repeat(runtime.event_limit()) });
    let refused = runtime.resend(id, &long).await.expect_err("it is too large");
    assert!(matches!(refused, Error::InvalidEvent(InvalidEvent::Data { .. })), "{refused}");

    let new = runtime.resend(id, &Stored { place: Place { row: 3 } }).await.expect("it fits");
    assert_ne!(new, id);
    eventually("both have run", async || {
        runs(&runtime).await == [RunStatus::Completed, RunStatus::Completed]
    })
    .await;
    let again = runtime.resend(id, &json!({ "place": { "row": 3 } })).await;
    assert!(matches!(again.expect_err("once is enough"), Error::NotBlocked(of) if of == id));
    other.close().await;
    runtime.shutdown().await;
}

async fn an_event_of_another_version_starts_what_can_read_it(database: Fresh) {
    let runtime = open(&database).await;
    let other = another_version(&database).await;
    other.send(older::Stored { place: "left".to_owned() }).await.expect("it is accepted");
    blocked(&runtime).await;
    runtime.send(Stored { place: Place { row: 1 } }).await.expect("it is accepted");
    eventually("the others are not kept waiting", async || {
        runs(&runtime).await == [RunStatus::Completed, RunStatus::Completed]
    })
    .await;
    other.close().await;
    runtime.shutdown().await;
}

async fn a_misfit_is_discarded(database: Fresh) {
    let runtime = open(&database).await;
    let other = another_version(&database).await;
    let id = other.send(older::Stored { place: "left".to_owned() }).await.expect("it is accepted");
    blocked(&runtime).await;
    assert!(runtime.discard(id).await.expect("it answers"));
    assert!(!runtime.discard(id).await.expect("it answers"));
    runtime.shutdown().await;
    let runtime = open(&database).await;
    runtime.send(Stored { place: Place { row: 1 } }).await.expect("it is accepted");
    eventually("that is all", async || runs(&runtime).await.len() == 2).await;
    let left = runtime.blocked_events(&BlockedQuery::default()).await.expect("it answers");
    assert!(left.is_empty(), "{left:?}");
    other.close().await;
    runtime.shutdown().await;
}

async fn schemas_are_kept_by_version(database: Fresh) {
    let start = async || {
        let older = Runtime::builder(older::Depot).database(database.url()).start().await;
        older.expect("it starts").shutdown().await;
    };
    start().await;
    start().await;
    let runtime = open(&database).await;
    let schemas = runtime.event_schemas().await.expect("it answers");
    assert_eq!(schemas.len(), 2);
    assert!(schemas.iter().all(|schema| schema.event == Stored::NAME));
    assert!(schemas[0].registered_at > schemas[1].registered_at);
    let [new, old] = [0, 1].map(|version: usize| {
        let schema: serde_json::Value = schemas[version].schema.decode().expect("it is JSON");
        schema["properties"]["place"].clone()
    });
    assert_eq!(old["type"], "string");
    assert_eq!(new["$ref"], "#/$defs/Place");
    runtime.shutdown().await;
}
