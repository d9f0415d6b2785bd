//! The commands of a program's own binary that ask the database, each in a process of its own.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use indelible::prelude::*;
use indelible::{Client, RunQuery};
use indelible_tests::databases::Fresh;
use indelible_tests::wakeups::{Knocked, Wakeups, stumble};
use indelible_tests::{eventually, on_both_databases};
use serde_json::{Value, json};

on_both_databases!(
    commands_show_what_there_is,
    an_event_is_sent_and_a_workflow_started,
    operators_steer_runs,
    many_runs_are_touched_only_if_that_is_meant,
    a_refusal_says_why_and_with_which_code,
    the_doctor_finds_what_is_wrong,
);

/// A program that asks this database.
fn program(database: &Fresh, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_commands"));
    command.args(arguments).env("INDELIBLE_DATABASE_URL", database.url());
    command.env("USER", "ada").stdin(Stdio::null());
    command
}

fn output(database: &Fresh, arguments: &[&str]) -> Output {
    program(database, arguments).output().expect("the program runs")
}

/// What it prints where all is well.
fn said(database: &Fresh, arguments: &[&str]) -> String {
    let output = output(database, arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).expect("it prints text")
}

fn json_of(database: &Fresh, arguments: &[&str]) -> Value {
    let text = said(database, &[arguments, &["--json"]].concat());
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Its exit code, and what it says on its standard error.
fn refused(database: &Fresh, arguments: &[&str]) -> (i32, String) {
    let output = output(database, arguments);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.stdout.is_empty(), "{arguments:?}");
    (output.status.code().expect("it ends by itself"), text)
}

async fn runtime(database: &Fresh) -> Runtime {
    Runtime::builder(Wakeups).database(database.url()).start().await.expect("it starts")
}

async fn ended(client: &Client, query: RunQuery) -> RunId {
    eventually("a run has ended", async || {
        let query = RunQuery { over: Some(true), ..query.clone() };
        !client.runs(&query).await.expect("the database answers").is_empty()
    })
    .await;
    client.runs(&query).await.expect("the database answers")[0].id
}

async fn commands_show_what_there_is(database: Fresh) {
    let runtime = runtime(&database).await;
    let event = runtime.send(Knocked { n: 7 }).await.expect("it is sent");
    let run = ended(&runtime, RunQuery { event: Some(event), ..RunQuery::default() }).await;
    let (run, event) = (run.to_string(), event.to_string());

    let listed = said(&database, &["runs", "--event", &event]);
    assert!(listed.contains(&run) && listed.contains("on-knock  completed"), "{listed}");
    let page = json_of(&database, &["runs", "--limit", "1"]);
    assert_eq!(
        (&page["items"][0]["id"], &page["items"][0]["status"]),
        (&json!(run), &json!("completed"))
    );
    assert_eq!(page["items"][0].get("input"), None);

    let shown = said(&database, &["show", &run, "--payloads"]);
    assert!(shown.contains("look") && shown.contains(r#"input      {"n":7}"#), "{shown}");
    let shown = json_of(&database, &["show", &run]);
    assert_eq!(
        (&shown["run"]["input"]["n"], &shown["states"][0]["key"]),
        (&json!(7), &json!("look"))
    );

    assert!(said(&database, &["why", &run]).contains("completed"));
    assert!(said(&database, &["why", &event]).contains("on-knock"));
    assert_eq!(json_of(&database, &["why", &event])["started"][0]["run"], json!(run));
    assert_eq!(json_of(&database, &["events"])["items"][0]["data"]["n"], json!(7));
    assert!(said(&database, &["workers"]).contains(&std::process::id().to_string()));
    let workflows = json_of(&database, &["workflows"]);
    let knock = workflows.as_array().expect("a list").iter().find(|one| one["id"] == "on-knock");
    assert_eq!(knock.expect("it is registered")["runs"]["completed"]["count"], json!(1));
    for command in ["schedules", "stranded", "blocked", "limits"] {
        assert!(json_of(&database, &[command]).is_array(), "{command}");
        assert!(!said(&database, &[command]).is_empty(), "{command}");
    }
    runtime.shutdown().await;
}

async fn an_event_is_sent_and_a_workflow_started(database: Fresh) {
    assert_eq!(said(&database, &["migrate"]), "The tables are those of this version.\n");
    let runtime = runtime(&database).await;
    let send = ["send", "wakeups/knocked", r#"{"n":3}"#, "--idempotency-key", "three"];
    let event = said(&database, &send);
    assert_eq!(said(&database, &send), event);
    let event = event.trim().parse().expect("an event's id");
    ended(&runtime, RunQuery { event: Some(event), ..RunQuery::default() }).await;

    let mut start = program(&database, &["start", "echo", "-"]);
    let start = start.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut start = start.expect("the program runs");
    start.stdin.take().expect("it is piped").write_all(b"5").expect("it reads");
    let started = start.wait_with_output().expect("it ends").stdout;
    let run = String::from_utf8_lossy(&started).trim().parse().expect("a run's id");
    let output = runtime.handle::<u32>(run).result().await.expect("it completes");
    assert_eq!(output, 5);
    runtime.shutdown().await;
}

async fn operators_steer_runs(database: Fresh) {
    let runtime = runtime(&database).await;
    assert!(said(&database, &["pause", "wait-for-ever"]).contains("is paused"));
    assert!(said(&database, &["pause", "wait-for-ever"]).contains("was paused already"));
    let run = said(&database, &["start", "wait-for-ever", "1"]);
    assert!(said(&database, &["why", run.trim()]).contains("paused"));
    assert!(said(&database, &["resume", "wait-for-ever"]).contains("goes on"));
    assert_eq!(json_of(&database, &["cancel", run.trim(), "--reason", "enough"])["runs"], json!(1));
    let record = runtime.wait(run.trim().parse().expect("a run")).await.expect("it ends");
    assert_eq!(record.cancelled.as_deref(), Some("enough"));
    let (code, text) = refused(&database, &["cancel", run.trim()]);
    assert!(code == 1 && text.contains("is over or does not exist"), "{code} {text}");

    let replayed = said(&database, &["replay", run.trim()]);
    let unfinished = said(&database, &["runs", "--workflow", "wait-for-ever"]);
    assert!(unfinished.contains(replayed.trim()), "{unfinished}");
    runtime.shutdown().await;
}

async fn many_runs_are_touched_only_if_that_is_meant(database: Fresh) {
    let runtime = runtime(&database).await;
    let runs = [0; 3].map(|n| runtime.start(indelible_tests::wakeups::wait_for_ever, n));
    for run in runs {
        run.await.expect("it starts");
    }
    let (code, text) = refused(&database, &["cancel", "--workflow", "wait-for-ever"]);
    assert!(code == 2 && text.contains("this would cancel 3 runs; pass `--yes`"), "{code} {text}");
    let (code, text) = refused(&database, &["cancel"]);
    assert!(code == 2 && text.contains("`--all` means all runs"), "{code} {text}");
    let filter = ["cancel", "--workflow", "wait-for-ever", "--yes"];
    assert_eq!(said(&database, &filter), "3 runs were asked to stop.\n");
    runtime.shutdown().await;
}

async fn a_refusal_says_why_and_with_which_code(database: Fresh) {
    let (code, text) = refused(&database, &["runs"]);
    assert!(code == 2 && text.contains("a client makes none"), "{code} {text}");
    let runtime = runtime(&database).await;
    let nobody = "00000000-0000-0000-0000-000000000000";
    for (arguments, code, text) in [
        (&["show", nobody][..], 1, "there is no run"),
        (&["why", nobody], 1, "there is no run and no event"),
        (&["send", "wakeups/knocked", "{"], 2, "this is not JSON"),
        (&["send", "wakeups/knocked", r#"{"n":"many"}"#], 1, "/n"),
        (&["send", "wakeups/nothing", "{}"], 1, "wakeups/nothing"),
        (&["start", "bake", "{}"], 1, "no workflow `bake`"),
        (&["pause", "bake"], 1, "no workflow `bake`"),
        (&["set-limit", "bake/concurrency", "3"], 1, "bake/concurrency"),
        (&["discard", nobody], 1, "is blocked for no workflow"),
        (&["retry", nobody], 1, nobody),
        (&["fork", nobody, "look"], 1, nobody),
        (&["runs", "--since", "yesterday"], 2, "how long ago"),
        (&["runs", "--status", "tired"], 2, "is not the status of a run"),
    ] {
        let (was, said) = refused(&database, arguments);
        assert!(was == code && said.contains(text), "{arguments:?}: {was} {said}");
    }
    runtime.shutdown().await;
}

async fn the_doctor_finds_what_is_wrong(database: Fresh) {
    let runtime = runtime(&database).await;
    let failed = runtime.start(stumble, 1).await.expect("it starts");
    let _ = failed.result().await;
    // The server of the tests keeps nothing through a crash of the machine, which is a problem.
    let findings = output(&database, &["doctor", "--json"]).stdout;
    let findings: Value = serde_json::from_slice(&findings).expect("it is JSON");
    let problems = findings["problems"].to_string();
    assert!(!problems.contains("worker") && !problems.contains("stranded"), "{problems}");
    assert!(findings["database"]["tables"][0]["bytes"].as_u64() > Some(0), "{findings}");
    runtime.shutdown().await;
    let findings = output(&database, &["doctor"]);
    let text = String::from_utf8_lossy(&findings.stdout).into_owned();
    assert!(text.contains("problem  no worker of the app is there"), "{text}");
    assert_eq!(findings.status.code(), Some(1));
}
