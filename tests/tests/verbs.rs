//! What operators do to runs while a worker drives them, on both databases.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use indelible::journal::TransitionKind;
use indelible::prelude::*;
use indelible::testing::Bench;
use indelible::{Error, RunQuery, Verb};
use indelible_tests::databases::Fresh;
use indelible_tests::{eventually, on_both_databases, shut_down};

on_both_databases!(
    a_failed_run_is_retried_from_the_step_that_failed,
    a_failed_child_is_invoked_anew_by_a_retry,
    a_fork_does_again_what_came_from_a_state_on,
    a_retried_run_goes_on_in_a_carried_loop,
    a_replay_begins_anew_with_another_input,
    verbs_say_why_they_are_refused,
    many_runs_are_retried_cancelled_and_replayed,
    runs_are_found_by_what_their_bodies_say,
    a_paused_workflow_rests_until_it_is_resumed,
);

/// A workshop that is shut at first.
#[derive(Clone, Default)]
struct Workshop {
    open: Arc<AtomicBool>,
    cut: Arc<AtomicU32>,
}

impl Workshop {
    async fn cut(&self, planks: u32) -> Result<u32, Failure> {
        Ok(self.cut.fetch_add(planks, Ordering::SeqCst) + planks)
    }

    async fn cut_slowly(&self) -> Result<u32, Failure> {
        tokio::time::sleep(Duration::from_millis(10)).await;
        self.cut(1).await
    }

    /// May be tried again when it is shut.
    async fn sharpen(&self) -> Result<(), Failure> {
        match self.open.load(Ordering::SeqCst) {
            true => Ok(()),
            false => Err(Failure::msg("the grindstone is inside")),
        }
    }

    async fn join(&self, planks: u32) -> Result<String, Failure> {
        match self.open.load(Ordering::SeqCst) {
            true => Ok(format!("a table of {planks}")),
            false => Err(Permanent("the workshop is shut".into()).into()),
        }
    }
}

#[workflow(input, retries = 0)]
async fn build(
    planks: u32,
    step: Step,
    Resource(shop): Resource<Workshop>,
) -> Result<String, Failure> {
    step.attribute("planks", planks);
    let cut = step.run("cut", shop.cut(planks)).await?;
    let table = step.run("join", shop.join(planks)).await?;
    Ok(format!("{table}, {cut} cut"))
}

async fn burn(_plank: u32) -> Result<(), Failure> {
    Ok(())
}

/// Gets ready, and stacks one plank on the other.
#[workflow(input, retries = 1, backoff(initial = "1h"))]
async fn stack(
    planks: u32,
    step: Step,
    Resource(shop): Resource<Workshop>,
) -> Result<u32, Failure> {
    try_join!(step.run("sharpen", shop.sharpen()), async {
        step.run("measure", async { Ok::<_, Failure>(planks) }).await?;
        step.run("join", shop.join(planks)).await
    })?;
    let (mut height, mut cut) = (0, 0);
    #[carried(height, cut)]
    while height < planks {
        height += 1;
        cut = step.run("cut", shop.cut(1)).undo(burn).await?;
        step.run("lay", async { Ok::<_, Failure>(()) }).await?;
    }
    Ok(cut)
}

/// Cuts, one plank after the other, for some seconds.
#[workflow(input)]
async fn carve(
    planks: u32,
    step: Step,
    Resource(shop): Resource<Workshop>,
) -> Result<u32, Failure> {
    let mut cut = 0;
    for _ in 0..planks {
        cut = step.run("cut", shop.cut_slowly()).await?;
    }
    Ok(cut)
}

/// Has another build it.
#[workflow(input)]
async fn order(planks: u32, step: Step) -> Result<String, Failure> {
    Ok(step.invoke("build", build, planks).await?)
}

#[workflow(input)]
async fn wait_for_ever(_input: (), step: Step) -> Result<(), Failure> {
    step.sleep("long", "1000 days").await;
    Ok(())
}

indelible::app! {
    Carpentry = "carpentry";
    events: [],
    workflows: [build, stack, carve, order, wait_for_ever],
}

async fn open(database: &Fresh) -> (Runtime, Workshop) {
    let workshop = Workshop::default();
    let builder = Runtime::builder(Carpentry).database(database.url()).resource(workshop.clone());
    (builder.start().await.expect("it starts"), workshop)
}

async fn a_failed_run_is_retried_from_the_step_that_failed(database: Fresh) {
    let (runtime, workshop) = open(&database).await;
    let run = runtime.start(build, 4).await.expect("it starts");
    assert_eq!(run.wait().await.expect("it ends").status, RunStatus::Failed);
    let failed = runtime.timeline(run.id()).await.expect("it is there").states.pop();
    let failures = failed.expect("it has come to two states").failures;
    assert_eq!(failures.len(), 1);
    assert!(failures[0].started_at.is_some_and(|begun| begun <= failures[0].failed_at));
    assert_eq!(failures[0].error.message, "the workshop is shut");
    run.retry().await.expect("it has failed");
    assert_eq!(run.wait().await.expect("it ends").status, RunStatus::Failed, "it is still shut");

    workshop.open.store(true, Ordering::SeqCst);
    run.retry().await.expect("it has failed");
    assert_eq!(run.result().await.expect("it completes"), "a table of 4, 4 cut");
    let keys: Vec<_> =
        run.journal().await.expect("its journal").into_iter().map(|row| row.key).collect();
    assert_eq!(keys, ["cut".into(), "join".into()]);
    let timeline = runtime.timeline(run.id()).await.expect("it is there");
    let verbs: Vec<_> = timeline.interventions.into_iter().map(|done| done.verb).collect();
    assert_eq!(verbs, [Verb::Retried, Verb::Retried]);
    for state in timeline.states {
        let ended_at = state.ended_at.expect("it is over");
        assert!(timeline.run.accepted_at <= state.entered_at && state.entered_at <= ended_at);
        assert_eq!((state.failures.len(), state.last.kind()), (0, TransitionKind::Succeeded));
    }
    shut_down(Carpentry, Bench::new().resource(Workshop::default()), runtime).await;
}

async fn a_failed_child_is_invoked_anew_by_a_retry(database: Fresh) {
    let (runtime, workshop) = open(&database).await;
    let run = runtime.start(order, 4).await.expect("it starts");
    assert_eq!(run.wait().await.expect("it ends").status, RunStatus::Failed);
    workshop.open.store(true, Ordering::SeqCst);
    run.retry().await.expect("it has failed");
    assert_eq!(run.result().await.expect("it completes"), "a table of 4, 8 cut");
    let children = RunQuery { parent: Some(run.id()), ..RunQuery::default() };
    assert_eq!(runtime.runs(&children).await.expect("the runs").len(), 2);
    shut_down(Carpentry, Bench::new().resource(Workshop::default()), runtime).await;
}

async fn a_fork_does_again_what_came_from_a_state_on(database: Fresh) {
    let (runtime, workshop) = open(&database).await;
    workshop.open.store(true, Ordering::SeqCst);
    let run = runtime.start(build, 4).await.expect("it starts");
    assert_eq!(run.result().await.expect("it completes"), "a table of 4, 4 cut");
    let late = run.fork(BuildState::Join).await.expect("it was there");
    assert_eq!(late.result().await.expect("it completes"), "a table of 4, 4 cut");
    let timeline = runtime.timeline(late.id()).await.expect("it is there");
    let source = run.id();
    assert_eq!(timeline.interventions[0].verb, Verb::Forked { source, state: "join".to_owned() });
    let early = run.fork("cut").await.expect("it was there");
    assert_eq!(early.result().await.expect("it completes"), "a table of 4, 8 cut");
    shut_down(Carpentry, Bench::new().resource(Workshop::default()), runtime).await;
}

async fn a_retried_run_goes_on_in_a_carried_loop(database: Fresh) {
    let (runtime, workshop) = open(&database).await;
    let run = runtime.start(stack, 3).await.expect("it starts");
    assert_eq!(run.wait().await.expect("it ends").status, RunStatus::Failed);
    workshop.open.store(true, Ordering::SeqCst);
    run.retry().await.expect("it has failed");
    assert_eq!(run.result().await.expect("it completes"), 3);
    let journal = run.journal().await.expect("its journal");
    assert_eq!(journal[0].key.as_str(), "measure");
    assert_ne!(journal[0].seq, 0, "the attempt before it is gone");
    // Of its earlier iterations only what may be undone is there.
    let fork = run.fork("cut").await.expect("it was there");
    assert_eq!(fork.result().await.expect("it completes"), 6);
    shut_down(Carpentry, Bench::new().resource(Workshop::default()), runtime).await;
}

async fn a_replay_begins_anew_with_another_input(database: Fresh) {
    let (runtime, workshop) = open(&database).await;
    workshop.open.store(true, Ordering::SeqCst);
    let run = runtime.start(build, 4).await.expect("it starts");
    run.wait().await.expect("it ends");
    let same = run.replay().await.expect("it is over");
    assert_eq!(same.result().await.expect("it completes"), "a table of 4, 8 cut");
    let other = runtime.replay(run.id()).input(build, 6).await.expect("it is over");
    let other = runtime.handle::<String>(other);
    assert_eq!(other.result().await.expect("it completes"), "a table of 6, 14 cut");
    shut_down(Carpentry, Bench::new().resource(Workshop::default()), runtime).await;
}

async fn verbs_say_why_they_are_refused(database: Fresh) {
    let (runtime, workshop) = open(&database).await;
    workshop.open.store(true, Ordering::SeqCst);
    let run = runtime.start(build, 4).await.expect("it starts");
    run.wait().await.expect("it ends");
    let asleep = runtime.start(wait_for_ever, ()).await.expect("it starts");
    let nobody = RunId::new();

    let error = run.retry().await.expect_err("it has completed");
    assert_eq!(
        error.to_string(),
        format!("run {} is completed: only a failed run can be retried", run.id())
    );
    let error = run.fork("paint").await.expect_err("it has not");
    let expected = format!(
        "run {} has not recorded the state `paint`; it has recorded `cut`, `join`",
        run.id()
    );
    assert_eq!(error.to_string(), expected);
    let error = asleep.replay().await.expect_err("it sleeps");
    assert!(matches!(error, Error::NotOver { .. }), "{error}");
    let error = runtime.replay(run.id()).input(order, 4).await.expect_err("it is a `build`");
    let expected =
        format!("run {} is a run of `build`, but the input is one for `order`", run.id());
    assert_eq!(error.to_string(), expected);
    for error in [
        runtime.retry(nobody).await.expect_err("there is none"),
        runtime.fork(nobody, "cut").await.expect_err("there is none"),
        runtime.replay(nobody).await.expect_err("there is none"),
        runtime.wait(nobody).await.expect_err("there is none"),
    ] {
        assert_eq!(error.to_string(), format!("there is no run {nobody}"));
    }
    shut_down(Carpentry, Bench::new().resource(Workshop::default()), runtime).await;
}

async fn many_runs_are_retried_cancelled_and_replayed(database: Fresh) {
    let (runtime, workshop) = open(&database).await;
    let count = async |query: &RunQuery| {
        let query = RunQuery { limit: Some(1000), ..query.clone() };
        runtime.runs(&query).await.expect("the runs").len()
    };
    let all = RunQuery::default();
    let with = |status| RunQuery { status: Some(status), ..RunQuery::default() };
    runtime.start_all(build, vec![1; 130]).await.expect("they start");
    runtime.start_all(wait_for_ever, vec![(); 130]).await.expect("they start");
    eventually("all have failed", async || count(&with(RunStatus::Failed)).await == 130).await;

    workshop.open.store(true, Ordering::SeqCst);
    let some = RunQuery { limit: Some(20), ..all.clone() };
    assert_eq!(runtime.retry_all(&some).await.expect("it answers"), 20);
    assert_eq!(runtime.retry_all(&all).await.expect("it answers"), 110);
    eventually("all have completed", async || count(&with(RunStatus::Completed)).await == 130)
        .await;
    assert_eq!(runtime.retry_all(&all).await.expect("it answers"), 0);

    assert_eq!(runtime.replay_all(&all).await.expect("it answers"), 130);
    eventually("they have, too", async || count(&with(RunStatus::Completed)).await == 260).await;

    let wrong = RunQuery { workflow: Some("build".to_owned()), ..all.clone() };
    assert_eq!(runtime.cancel_all(&wrong, "enough").await.expect("it answers"), 0);
    assert_eq!(runtime.cancel_all(&all, "enough").await.expect("it answers"), 130);
    eventually("all are cancelled", async || count(&with(RunStatus::Cancelled)).await == 130).await;
    shut_down(Carpentry, Bench::new().resource(Workshop::default()), runtime).await;
}

async fn runs_are_found_by_what_their_bodies_say(database: Fresh) {
    let (runtime, workshop) = open(&database).await;
    workshop.open.store(true, Ordering::SeqCst);
    let small = runtime.start(build, 3).await.expect("it starts");
    let large = runtime.start(build, 7).await.expect("it starts");
    small.result().await.expect("it completes");
    large.result().await.expect("it completes");
    let again = runtime.replay(large.id()).await.expect("it is over");
    runtime.handle::<String>(again).result().await.expect("it completes");

    let attribute = Some(("planks".to_owned(), "7".to_owned()));
    let query = RunQuery { attribute, ..RunQuery::default() };
    let found = runtime.runs(&query).await.expect("it answers");
    let found: Vec<_> = found.iter().map(|run| run.id).collect();
    assert_eq!(found, [large.id(), again]);
    assert_eq!(runtime.replay_all(&query).await.expect("it answers"), 2);
    runtime.shutdown().await;
}

async fn a_paused_workflow_rests_until_it_is_resumed(database: Fresh) {
    const PLANKS: u32 = 300;
    let (runtime, workshop) = open(&database).await;
    let begun = runtime.start(carve, PLANKS).await.expect("it starts");
    eventually("it has begun", async || workshop.cut.load(Ordering::SeqCst) > 0).await;
    assert!(runtime.pause(carve).await.expect("it answers"));
    let queued = runtime.start(carve, 1).await.expect("it starts");
    let paused = runtime.paused().await.expect("it answers");
    assert_eq!(paused.iter().map(|paused| &*paused.workflow).collect::<Vec<_>>(), ["carve"]);
    eventually("it has left its worker", async || {
        begun.status().await.expect("its status") == RunStatus::Queued
    })
    .await;
    let cut = workshop.cut.load(Ordering::SeqCst);
    assert!(cut < PLANKS, "it has not come to its end");
    assert_eq!(
        begun.journal().await.expect("its journal").len(),
        cut as usize,
        "what ended counts"
    );
    // Others go on.
    workshop.open.store(true, Ordering::SeqCst);
    let built = runtime.start(build, 4).await.expect("it starts");
    built.result().await.expect("it completes");
    runtime.shutdown().await;

    // Another process is no other opinion.
    let (runtime, workshop) = open(&database).await;
    workshop.open.store(true, Ordering::SeqCst);
    let built = runtime.start(build, 4).await.expect("it starts");
    built.result().await.expect("it completes");
    for run in [&begun, &queued] {
        let record = runtime.run(run.id()).await.expect("it answers").expect("it is there");
        assert_eq!(record.status, RunStatus::Queued);
    }
    assert!(runtime.resume(carve).await.expect("it answers"));
    let begun = runtime.handle::<u32>(begun.id());
    begun.result().await.expect("it completes");
    assert_eq!(begun.journal().await.expect("its journal").len(), PLANKS as usize);
    runtime.handle::<u32>(queued.id()).result().await.expect("it completes");
    runtime.shutdown().await;
}
