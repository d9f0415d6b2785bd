//! How runs end that do not complete, driven by a worker on both databases.

use std::sync::{Arc, Mutex};

use indelible::prelude::*;
use indelible::testing::Bench;
use indelible::{Error, RunQuery};
use indelible_tests::databases::Fresh;
use indelible_tests::{eventually, on_both_databases, shut_down};

on_both_databases!(
    a_failed_run_undoes_what_it_did,
    a_cancelled_run_stops_its_child_and_undoes_what_it_did,
    a_carried_loop_is_undone_to_its_first_iteration,
);

#[derive(Clone, Default)]
struct Till(Arc<Mutex<Vec<String>>>);

impl Till {
    async fn note(&self, what: impl Into<String>) -> Result<u32, Failure> {
        let mut notes = self.0.lock().expect("nobody panics with it");
        notes.push(what.into());
        Ok(notes.len() as u32)
    }

    fn notes(&self) -> Vec<String> {
        self.0.lock().expect("nobody panics with it").clone()
    }
}

async fn wipe(note: u32, Resource(till): Resource<Till>) -> Result<(), Failure> {
    till.note(format!("wipe {note}")).await.map(drop)
}

/// Packs in two steps of a helper, which are undone with the caller's.
#[durable]
async fn pack(step: &Step, till: &Till) -> Result<(), Failure> {
    step.run("box", till.note("box")).undo(wipe).await?;
    step.run("label", till.note("label")).await?;
    Ok(())
}

/// Fails at the last step.
#[workflow(input, retries = 0)]
async fn order(_input: (), step: Step, Resource(till): Resource<Till>) -> Result<(), Failure> {
    step.run("reserve", till.note("reserve")).undo(wipe).await?;
    pack(&step, &till).await?;
    step.run("ship", async { Err::<(), _>(Failure::msg("no ship")) }).await?;
    Ok(())
}

/// Sleeps, and is undone.
#[workflow(input)]
async fn dream(_input: (), step: Step, Resource(till): Resource<Till>) -> Result<(), Failure> {
    step.run("lie-down", till.note("lie down")).undo(wipe).await?;
    step.sleep("dream", "1h").await;
    Ok(())
}

/// Reserves, and waits for another to end.
#[workflow(input)]
async fn watch(_input: (), step: Step, Resource(till): Resource<Till>) -> Result<(), Failure> {
    step.run("sit-down", till.note("sit down")).undo(wipe).await?;
    step.invoke("dream", dream, ()).await?;
    Ok(())
}

/// Climbs some steps, and falls.
#[workflow(input, retries = 0)]
async fn climb(to: u32, step: Step, Resource(till): Resource<Till>) -> Result<(), Failure> {
    let mut height = 0;
    #[carried(height)]
    while height < to {
        height += 1;
        step.run("rest", till.note("rest")).await?;
        step.run("climb", till.note("climb")).undo(wipe).await?;
    }
    step.run("fall", async { Err::<(), _>(Failure::msg("it is too high")) }).await?;
    Ok(())
}

indelible::app! {
    Shop = "shop";
    events: [],
    workflows: [order, dream, watch, climb],
}

async fn open(database: &Fresh, till: &Till) -> Runtime {
    let runtime = Runtime::builder(Shop).database(database.url()).resource(till.clone());
    runtime.start().await.expect("it starts")
}

async fn a_failed_run_undoes_what_it_did(database: Fresh) {
    let till = Till::default();
    let runtime = open(&database, &till).await;
    let run = runtime.start(order, ()).await.expect("it starts");
    run.result().await.expect_err("it fails");
    assert_eq!(till.notes(), ["reserve", "box", "label", "wipe 2", "wipe 1"]);
    let record = runtime.run(run.id()).await.expect("it answers").expect("it is there");
    let error = record.error.expect("it has failed");
    let undone: Vec<_> = error.undone.iter().map(|undone| undone.step.as_str()).collect();
    assert_eq!(undone, ["pack/box", "reserve"]);
    shut_down(Shop, Bench::new().resource(Till::default()), runtime).await;
}

async fn a_cancelled_run_stops_its_child_and_undoes_what_it_did(database: Fresh) {
    let till = Till::default();
    let runtime = open(&database, &till).await;
    let run = runtime.start(watch, ()).await.expect("it starts");
    let query = RunQuery { parent: Some(run.id()), ..RunQuery::default() };
    let child = async || runtime.runs(&query).await.expect("the runs").pop();
    eventually("the child sleeps", async || {
        child().await.is_some_and(|child| child.status == RunStatus::Waiting)
    })
    .await;
    assert!(run.cancel("no longer wanted").await.expect("it can be asked"));
    let error = run.result().await.expect_err("it is cancelled");
    assert!(matches!(error, Error::RunCancelled { .. }), "{error}");
    assert_eq!(child().await.map(|child| child.status), Some(RunStatus::Cancelled));
    // The child first, and then who waited for it.
    assert_eq!(till.notes(), ["sit down", "lie down", "wipe 2", "wipe 1"]);
    shut_down(Shop, Bench::new().resource(Till::default()), runtime).await;
}

async fn a_carried_loop_is_undone_to_its_first_iteration(database: Fresh) {
    let till = Till::default();
    let runtime = open(&database, &till).await;
    let run = runtime.start(climb, 3).await.expect("it starts");
    run.result().await.expect_err("it fails");
    let notes = till.notes();
    assert_eq!(notes[6..], ["wipe 6", "wipe 4", "wipe 2"]);
    shut_down(Shop, Bench::new().resource(Till::default()), runtime).await;
}
