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
    a_run_begins_anew_as_often_as_it_likes,
    an_event_cancels_the_runs_that_it_matches,
    ends_are_handled_once_by_the_workflow_s_handler_and_the_app_s,
    a_run_out_of_time_is_cancelled,
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

/// Counts down, one number a generation.
#[workflow(input)]
async fn count_down(from: u32, step: Step, Resource(till): Resource<Till>) -> Result<u32, Failure> {
    step.run("count", till.note(format!("{from}"))).undo(wipe).await?;
    if from > 0 {
        return step.restart(from - 1);
    }
    Ok(from)
}

#[derive(Debug, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "award/requested")]
struct AwardRequested {
    source_id: u32,
}

#[derive(Debug, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "purchase/refunded")]
struct Refunded {
    source_id: u32,
}

/// Pays later, unless the purchase is refunded first.
#[workflow(cancel_on(Refunded, matching = source_id), on_cancel = regret)]
async fn award(
    event: AwardRequested,
    step: Step,
    Resource(till): Resource<Till>,
) -> Result<u32, Failure> {
    step.sleep("wait", "1h").await;
    step.run("pay", till.note(format!("pay {}", event.source_id))).await?;
    Ok(event.source_id)
}

/// Notes what is not paid.
#[workflow(input)]
async fn regret(
    cancelled: RunCancelled<AwardRequested>,
    step: Step,
    Resource(till): Resource<Till>,
) -> Result<(), Failure> {
    let RunCancelled { input, reason, .. } = cancelled;
    step.run("note", till.note(format!("{}: {reason}", input.source_id))).await?;
    Ok(())
}

/// Fails, after it was handed something.
#[workflow(input, retries = 0, on_failure = apologise)]
async fn fail(name: String, step: Step) -> Result<(), Failure> {
    step.run("try", async { Err::<(), _>(Failure::msg(format!("no {name}"))) }).await?;
    Ok(())
}

/// Handles it, and fails at that as well.
#[workflow(input, retries = 0)]
async fn apologise(
    failed: RunFailed<String>,
    step: Step,
    Resource(till): Resource<Till>,
) -> Result<(), Failure> {
    let RunFailed { input, error, .. } = failed;
    step.run("note", till.note(format!("sorry, {input}: {error}"))).await?;
    Err(Failure::msg("not sorry"))
}

/// Notes every failure.
#[workflow(input)]
async fn report(
    failed: RunFailed,
    step: Step,
    Resource(till): Resource<Till>,
) -> Result<(), Failure> {
    let RunFailed { workflow, input, .. } = failed;
    step.run("note", till.note(format!("{workflow} {input}"))).await?;
    Ok(())
}

/// Never ends by itself.
#[workflow(input, timeout(start = "1h", finish = "500ms"))]
async fn linger(_input: (), step: Step, Resource(till): Resource<Till>) -> Result<(), Failure> {
    step.run("begin", till.note("begin")).undo(wipe).await?;
    step.sleep("linger", "1h").await;
    Ok(())
}

indelible::app! {
    Shop = "shop";
    events: [AwardRequested, Refunded],
    workflows: [
        order, dream, watch, climb, count_down, award, regret, fail, apologise, report, linger,
    ],
    on_failure: report,
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
    // Whoever handles the failure may have noted it by now.
    assert_eq!(till.notes()[..5], ["reserve", "box", "label", "wipe 2", "wipe 1"]);
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
    // Whoever handles the failure may have noted it by now.
    assert_eq!(till.notes()[6..9], ["wipe 6", "wipe 4", "wipe 2"]);
    shut_down(Shop, Bench::new().resource(Till::default()), runtime).await;
}

async fn a_run_begins_anew_as_often_as_it_likes(database: Fresh) {
    const TIMES: u32 = 100;
    let till = Till::default();
    let runtime = open(&database, &till).await;
    let run = runtime.start(count_down, TIMES).await.expect("it starts");
    assert_eq!(run.result().await.expect("it completes"), 0);
    let expected: Vec<_> = (0..=TIMES).rev().map(|n| n.to_string()).collect();
    assert_eq!(till.notes(), expected);
    assert_eq!(run.journal().await.expect("its journal").len(), 1);
    assert_eq!(run.record().await.expect("its record").generation, TIMES);
    runtime.shutdown().await;
}

async fn an_event_cancels_the_runs_that_it_matches(database: Fresh) {
    let till = Till::default();
    let runtime = open(&database, &till).await;
    let request = |source_id| AwardRequested { source_id };
    let run = runtime.start(award, request(1)).await.expect("it starts");
    let other = runtime.start(award, request(2)).await.expect("it starts");
    runtime.send(Refunded { source_id: 1 }).await.expect("it is accepted");
    let error = run.result().await.expect_err("it is cancelled");
    assert!(error.to_string().contains("the event `purchase/refunded` cancels it"), "{error}");
    eventually("it is handled", async || till.notes().len() == 1).await;
    assert_eq!(till.notes(), ["1: the event `purchase/refunded` cancels it"]);
    assert!(!other.status().await.expect("its status").is_over());
    runtime.shutdown().await;
}

async fn ends_are_handled_once_by_the_workflow_s_handler_and_the_app_s(database: Fresh) {
    let till = Till::default();
    let runtime = open(&database, &till).await;
    let run = runtime.start(fail, "luck".to_owned()).await.expect("it starts");
    run.result().await.expect_err("it fails");
    let query = RunQuery { parent: Some(run.id()), ..RunQuery::default() };
    eventually("all handlers are over", async || {
        let handlers = runtime.runs(&query).await.expect("the runs");
        handlers.len() == 2 && handlers.iter().all(|handler| handler.status.is_over())
    })
    .await;
    let mut notes = till.notes();
    notes.sort();
    // A handler's own failure is on record, and nobody handles it.
    assert_eq!(notes, ["fail \"luck\"", "sorry, luck: no luck"]);
    let apologies = RunQuery { workflow: Some("apologise".to_owned()), ..RunQuery::default() };
    let apologies = runtime.runs(&apologies).await.expect("the runs");
    assert_eq!(apologies[0].status, RunStatus::Failed);
    runtime.shutdown().await;
}

async fn a_run_out_of_time_is_cancelled(database: Fresh) {
    let till = Till::default();
    let runtime = open(&database, &till).await;
    let run = runtime.start(linger, ()).await.expect("it starts");
    let error = run.result().await.expect_err("it is cancelled");
    assert!(error.to_string().contains("500ms after it had begun"), "{error}");
    assert_eq!(till.notes(), ["begin", "wipe 1"]);
    runtime.shutdown().await;
}
