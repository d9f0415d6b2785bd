//! What operators do.

use std::time::Instant;

use indelible::prelude::*;
use indelible::{RunQuery, RunRecord};
use indelible_tests::eventually;
use indelible_tests::wakeups::{Opened, echo, interrupt, stumble};

use crate::scene::{Outcome, Scene, Took, expect};

/// A run that has failed, and will again.
async fn failed(scene: &Scene) -> Outcome<RunRecord> {
    let failed = scene.client.start(stumble, 0).await?.wait().await?;
    expect(failed.status, RunStatus::Failed)?;
    Ok(failed)
}

/// Waits until a run has failed once more.
async fn fails_again(scene: &Scene, failed: &RunRecord) -> Outcome<()> {
    let again = scene.client.wait(failed.id).await?;
    expect(again.status, RunStatus::Failed)?;
    expect(again.ended_at > failed.ended_at, true)
}

/// Names one run: the last of its workflow.
fn only(run: &RunRecord) -> RunQuery {
    let (workflow, since) = (Some(run.workflow.clone()), Some(run.accepted_at));
    RunQuery { workflow, since, ..RunQuery::default() }
}

pub(crate) async fn a_retry(scene: &Scene) -> Took {
    let failed = failed(scene).await?;
    let begun = Instant::now();
    scene.client.retry(failed.id).await?;
    fails_again(scene, &failed).await?;
    Ok(begun.elapsed())
}

pub(crate) async fn a_retry_of_all(scene: &Scene) -> Took {
    let failed = failed(scene).await?;
    let begun = Instant::now();
    expect(scene.client.retry_all(&only(&failed)).await?, 1)?;
    fails_again(scene, &failed).await?;
    Ok(begun.elapsed())
}

pub(crate) async fn a_replay(scene: &Scene) -> Took {
    let run = scene.client.start(echo, 7).await?;
    run.result().await?;
    let begun = Instant::now();
    let replayed = scene.client.replay(run.id()).input(echo, 8).await?;
    expect(scene.client.handle(replayed).result().await?, 8)?;
    Ok(begun.elapsed())
}

pub(crate) async fn a_replay_of_all(scene: &Scene) -> Took {
    let run = scene.client.start(echo, 7).await?.wait().await?;
    let begun = Instant::now();
    expect(scene.client.replay_all(&only(&run)).await?, 1)?;
    let after = RunQuery { after: Some(run.id), ..only(&run) };
    for replayed in scene.runs(after, 1).await {
        expect(scene.client.handle(replayed).result().await?, 7)?;
    }
    Ok(begun.elapsed())
}

pub(crate) async fn a_fork(scene: &Scene) -> Took {
    let run = scene.client.start(echo, 7).await?;
    run.result().await?;
    let begun = Instant::now();
    let fork = run.fork("second").await?;
    expect(fork.result().await?, 7)?;
    Ok(begun.elapsed())
}

/// Starts a run that waits in memory, and pauses its workflow.
async fn pause_while_driven(scene: &Scene, n: u32) -> Outcome<RunHandle<u32>> {
    let run = scene.client.start(interrupt, n).await?;
    // Its step, and its wait.
    scene.until_recorded(run.id(), 2).await;
    scene.client.pause(interrupt).await?;
    Ok(run)
}

async fn until_it_has_left(run: &RunHandle<u32>) {
    let left = async || run.status().await.expect("its status") != RunStatus::Running;
    eventually("it has left its worker", left).await;
}

pub(crate) async fn a_pause(scene: &Scene) -> Took {
    let n = scene.number();
    let run = pause_while_driven(scene, n).await?;
    let begun = Instant::now();
    until_it_has_left(&run).await;
    let took = begun.elapsed();
    scene.client.send(Opened { n }).await?;
    scene.client.resume(interrupt).await?;
    expect(run.result().await?, n)?;
    Ok(took)
}

pub(crate) async fn a_resumption_of_a_run_that_has_begun(scene: &Scene) -> Took {
    let n = scene.number();
    let run = pause_while_driven(scene, n).await?;
    until_it_has_left(&run).await;
    scene.client.send(Opened { n }).await?;
    let begun = Instant::now();
    scene.client.resume(interrupt).await?;
    expect(run.result().await?, n)?;
    Ok(begun.elapsed())
}

pub(crate) async fn a_resumption_of_a_run_that_has_not_begun(scene: &Scene) -> Took {
    let (first, second) = (scene.number(), scene.number());
    // When it has left, a worker knows of the pause.
    let begun_before = pause_while_driven(scene, first).await?;
    until_it_has_left(&begun_before).await;
    let run = scene.client.start(interrupt, second).await?;
    scene.client.send(Opened { n: first }).await?;
    scene.client.send(Opened { n: second }).await?;
    expect(run.status().await?, RunStatus::Queued)?;
    let begun = Instant::now();
    scene.client.resume(interrupt).await?;
    expect(run.result().await?, second)?;
    expect(begun_before.result().await?, first)?;
    Ok(begun.elapsed())
}
