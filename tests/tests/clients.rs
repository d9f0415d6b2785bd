//! Clients that do not have the code of an app: they send, start runs by name, and ask.

use indelible::event::InvalidEvent;
use indelible::prelude::*;
use indelible::{Client, Error, RunQuery, RunRecord};
use indelible_tests::databases::Fresh;
use indelible_tests::wakeups::{Knocked, Wakeups, stay, stumble};
use indelible_tests::{eventually, on_both_databases};
use serde_json::json;

on_both_databases!(
    a_client_makes_no_tables,
    a_client_without_an_app_sends_and_asks,
    what_a_client_sends_is_checked,
    limits_hold_for_runs_that_are_started_by_name,
    an_event_cancels_a_run_that_no_worker_has_seen,
    a_run_whose_input_does_not_fit_is_held,
    a_program_refuses_an_input_that_does_not_fit,
    an_unknown_workflow_is_refused,
    a_client_without_the_app_retries_its_runs,
    a_client_without_the_app_pauses_its_workflows,
);

async fn runtime(database: &Fresh) -> Runtime {
    Runtime::builder(Wakeups).database(database.url()).start().await.expect("it starts")
}

/// A client without the app's code.
async fn client(database: &Fresh) -> Client {
    Client::connect(database.url()).await.expect("a client").for_app("wakeups")
}

async fn runs_of(client: &Client, event: EventId) -> Vec<RunRecord> {
    let query = RunQuery { event: Some(event), ..RunQuery::default() };
    client.runs(&query).await.expect("the database answers")
}

async fn until(client: &Client, run: RunId, status: RunStatus) {
    eventually("the run stands there", async || {
        let record = client.run(run).await.expect("the database answers");
        record.is_some_and(|record| record.status == status)
    })
    .await;
}

async fn a_client_makes_no_tables(database: Fresh) {
    for _ in 0..2 {
        let refused = Client::connect(database.url()).await.err().expect("there are no tables");
        let said = refused.to_string();
        assert!(said.contains("a client makes none; start a program with workers"), "{said}");
    }
    runtime(&database).await.shutdown().await;
    Client::connect(database.url()).await.expect("there are tables");
}

async fn a_client_without_an_app_sends_and_asks(database: Fresh) {
    let runtime = runtime(&database).await;
    let client = Client::connect(database.url()).await.expect("a client");
    let by_name = client.send_by_name("wakeups/knocked", json!({ "n": 1 })).await.expect("sent");
    let typed = client.send(Knocked { n: 2 }).await.expect("sent");
    let app = client.for_app("wakeups");
    for event in [by_name, typed] {
        eventually("it has started a run", async || runs_of(&app, event).await.len() == 1).await;
        let run = runs_of(&app, event).await[0].id;
        let ended = client.wait(run).await.expect("the database answers");
        assert_eq!(ended.status, RunStatus::Completed);
        assert_eq!(client.journal(run).await.expect("the database answers").len(), 1);
        client.timeline(run).await.expect("the database answers");
    }
    let counts = app.counts().await.expect("the database answers");
    assert!(counts.iter().any(|count| count.workflow == "on-knock" && count.runs == 2));
    let key = || client.send(Knocked { n: 3 }).idempotency_key("3");
    assert_eq!(key().await.expect("sent"), key().await.expect("sent"));
    let refused = client.runs(&RunQuery::default()).await.expect_err("of which app?");
    assert!(matches!(refused, Error::NoApp), "{refused}");
    let refused = app.schedules().await.expect_err("their code is elsewhere");
    assert!(matches!(refused, Error::NoProgram), "{refused}");
    runtime.shutdown().await;
}

async fn what_a_client_sends_is_checked(database: Fresh) {
    let runtime = runtime(&database).await;
    let client = client(&database).await;
    let malformed = client.send_by_name("knocked", json!({ "n": 1 })).await;
    let malformed = malformed.expect_err("it has no area").to_string();
    assert!(malformed.contains("no event can be named `knocked`"), "{malformed}");
    let large = client.send_by_name("wakeups/knocked", "x".repeat(600 * 1024)).await;
    assert!(matches!(large, Err(Error::NotStorable { .. })), "{large:?}");
    // The program knows more.
    let unknown = runtime.send_by_name("wakeups/knoked", json!({ "n": 1 })).await;
    let unknown = unknown.expect_err("there is none").to_string();
    assert!(unknown.contains("did you mean `wakeups/knocked`?"), "{unknown}");
    let misfit = runtime.send_by_name("wakeups/knocked", json!({ "n": "one" })).await;
    let Err(Error::InvalidEvent(InvalidEvent::Mismatch { pointer, .. })) = misfit else {
        panic!("it does not fit: {misfit:?}")
    };
    assert_eq!(pointer, "/n");
    runtime.shutdown().await;
}

async fn limits_hold_for_runs_that_are_started_by_name(database: Fresh) {
    let runtime = runtime(&database).await;
    let client = client(&database).await;
    let first = client.start_by_name("stay", 7).await.expect("it starts");
    until(&client, first.id(), RunStatus::Waiting).await;
    // One by name, and one by its type: both wait for the slot.
    let second = client.start_by_name("stay", 7).await.expect("it starts");
    let third = client.start(stay, 7).await.expect("it starts");
    let other = client.start_by_name("stay", 8).await.expect("it starts");
    until(&client, other.id(), RunStatus::Waiting).await;
    eventually("both wait for the slot", async || {
        let limits = client.limits().await.expect("the database answers");
        let stay = limits.iter().find(|limit| limit.name == "stay/concurrency");
        let stay = stay.expect("it is known");
        stay.keys.iter().any(|key| key.key == "7" && key.waiting == 2)
    })
    .await;
    for run in [&second.id(), &third.id()] {
        let record = client.run(*run).await.expect("the database answers").expect("it is there");
        assert_eq!(record.status, RunStatus::Queued);
    }
    // All of them were there before it.
    client.send_by_name("wakeups/opened", json!({ "n": 7 })).await.expect("sent");
    for run in [first.id(), second.id(), third.id()] {
        let ended = client.wait(run).await.expect("the database answers");
        assert_eq!(ended.status, RunStatus::Completed);
    }
    runtime.shutdown().await;
}

async fn an_event_cancels_a_run_that_no_worker_has_seen(database: Fresh) {
    runtime(&database).await.shutdown().await;
    let client = client(&database).await;
    client.send_by_name("wakeups/revoked", json!({ "n": 8 })).await.expect("sent");
    let cancelled = client.start_by_name("linger", json!({ "n": 7 })).await.expect("it starts");
    let spared = client.start_by_name("linger", json!({ "n": 8 })).await.expect("it starts");
    client.send_by_name("wakeups/revoked", json!({ "n": 7 })).await.expect("sent");
    assert_eq!(cancelled.status().await.expect("it is there"), RunStatus::Queued);
    let runtime = runtime(&database).await;
    let ended = cancelled.wait().await.expect("the database answers");
    assert_eq!(ended.status, RunStatus::Cancelled);
    assert!(cancelled.journal().await.expect("the database answers").is_empty());
    until(&client, spared.id(), RunStatus::Waiting).await;
    runtime.shutdown().await;
}

async fn a_run_whose_input_does_not_fit_is_held(database: Fresh) {
    let runtime = runtime(&database).await;
    let client = client(&database).await;
    for workflow in ["echo", "take-turns"] {
        let run = client.start_by_name(workflow, "seven").await.expect("nobody knows better");
        until(&client, run.id(), RunStatus::Held).await;
        let record = run.record().await.expect("the database answers");
        let reason = record.held.expect("it says why");
        assert!(reason.contains("invalid type: string \"seven\""), "{reason}");
        assert!(run.cancel("it was a mistake").await.expect("the database answers"));
        let ended = run.wait().await.expect("the database answers");
        assert_eq!(ended.status, RunStatus::Cancelled);
    }
    runtime.shutdown().await;
}

async fn a_program_refuses_an_input_that_does_not_fit(database: Fresh) {
    let runtime = runtime(&database).await;
    let refused = runtime.start_by_name("linger", json!({ "n": "seven" })).await;
    let Err(Error::NotAdmitted { workflow: "linger", reason }) = refused else {
        panic!("it does not fit: {refused:?}")
    };
    assert!(reason.contains("its input does not fit at `n`"), "{reason}");
    let run = runtime.start_by_name("echo", 7).await.expect("it fits");
    assert_eq!(run.result().await.expect("it completes"), json!(7));
    runtime.shutdown().await;
}

async fn an_unknown_workflow_is_refused(database: Fresh) {
    let runtime = runtime(&database).await;
    let client = client(&database).await;
    let said = async |client: &Client, workflow: &str| {
        let refused = client.start_by_name(workflow, 7).await;
        refused.expect_err("there is none").to_string()
    };
    assert_eq!(
        said(&client, "take-turn").await,
        "the app `wakeups` has no workflow `take-turn`; did you mean `take-turns`?"
    );
    let unlike = said(&client, "zzz").await;
    assert!(unlike.contains("it has `answer`, `ask`"), "{unlike}");
    assert_eq!(
        said(&client.for_app("alarms"), "echo").await,
        "the app `alarms` has no workflow `echo`; no program of the app has started on this database \
         yet"
    );
    let nobody = Client::connect(database.url()).await.expect("a client");
    let refused = nobody.start_by_name("echo", 7).await.expect_err("of which app?");
    assert!(matches!(refused, Error::NoApp), "{refused}");
    runtime.shutdown().await;
}

async fn a_client_without_the_app_retries_its_runs(database: Fresh) {
    let runtime = runtime(&database).await;
    let client = client(&database).await;
    let run = client.start(stumble, 0).await.expect("it starts").id();
    for retries in 1..3 {
        let failed = client.wait(run).await.expect("the database answers");
        assert_eq!(failed.status, RunStatus::Failed);
        client.retry(run).await.expect("it has failed");
        eventually("it has failed again", async || {
            let again = client.run(run).await.expect("the database answers").expect("it is there");
            again.status == RunStatus::Failed && again.ended_at > failed.ended_at
        })
        .await;
        let timeline = client.timeline(run).await.expect("the database answers").to_string();
        assert_eq!(timeline.matches("retried").count(), retries, "{timeline}");
    }
    let replayed = client.replay(run).await.expect("it is over");
    let replayed = client.wait(replayed).await.expect("the database answers");
    assert_eq!(replayed.status, RunStatus::Failed);
    runtime.shutdown().await;
}

async fn a_client_without_the_app_pauses_its_workflows(database: Fresh) {
    let runtime = runtime(&database).await;
    let client = client(&database).await;
    let refused = client.pause_by_name("eco").await.expect_err("there is none").to_string();
    assert!(refused.contains("did you mean `echo`?"), "{refused}");
    assert!(client.pause_by_name("echo").await.expect("the database answers"));
    let paused = client.paused().await.expect("the database answers");
    assert_eq!(paused[0].workflow, "echo");
    let run = client.start_by_name("echo", 7).await.expect("it starts");
    assert!(client.resume_by_name("echo").await.expect("the database answers"));
    assert_eq!(run.result().await.expect("it completes"), json!(7));
    runtime.shutdown().await;
}
