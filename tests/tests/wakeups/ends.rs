//! What ends runs that do not complete.

use std::time::Instant;

use indelible::RunQuery;
use indelible::prelude::*;
use indelible_tests::wakeups::{
    Granted, Revoked, SETTLED, call_off, doze, fail, get_stuck, linger, nap, overrun, watch_over,
};

use crate::scene::{FOR_EVER, Scene, Took, expect};

pub(crate) async fn a_handler_of_a_failure(scene: &Scene) -> Took {
    let begun = Instant::now();
    let run = scene.client.start(fail, 0).await?;
    expect(run.wait().await?.status, RunStatus::Failed)?;
    let handlers = scene.ends_of_children(run.id(), 1).await?;
    expect(handlers[0].status, RunStatus::Completed)?;
    Ok(begun.elapsed().saturating_sub(SETTLED))
}

pub(crate) async fn an_event_that_cancels(scene: &Scene) -> Took {
    let n = scene.number();
    let run = scene.client.start(linger, Granted { n }).await?;
    scene.until(run.id(), RunStatus::Waiting).await;
    let begun = Instant::now();
    scene.client.send(Revoked { n }).await?;
    expect(run.wait().await?.status, RunStatus::Cancelled)?;
    let handlers = scene.ends_of_children(run.id(), 1).await?;
    expect(handlers[0].status, RunStatus::Completed)?;
    Ok(begun.elapsed())
}

pub(crate) async fn a_run_out_of_time(scene: &Scene) -> Took {
    let begun = Instant::now();
    let run = scene.client.start(overrun, 0).await?;
    expect(run.wait().await?.status, RunStatus::Cancelled)?;
    Ok(begun.elapsed())
}

pub(crate) async fn a_cancellation_of_a_parked_run(scene: &Scene) -> Took {
    let run = scene.client.start(nap, FOR_EVER).await?;
    scene.until(run.id(), RunStatus::Waiting).await;
    let begun = Instant::now();
    expect(run.cancel("enough").await?, true)?;
    expect(run.wait().await?.status, RunStatus::Cancelled)?;
    Ok(begun.elapsed())
}

pub(crate) async fn a_cancellation_of_a_run_in_memory(scene: &Scene) -> Took {
    let run = scene.client.start(nap, 1950).await?;
    scene.until_recorded(run.id(), 1).await;
    let begun = Instant::now();
    expect(run.cancel("enough").await?, true)?;
    expect(run.wait().await?.status, RunStatus::Cancelled)?;
    Ok(begun.elapsed())
}

pub(crate) async fn a_cancellation_of_a_run_in_a_step(scene: &Scene) -> Took {
    let run = scene.client.start(get_stuck, 0).await?;
    scene.until_recorded(run.id(), 1).await;
    let begun = Instant::now();
    expect(run.cancel("enough").await?, true)?;
    expect(run.wait().await?.status, RunStatus::Cancelled)?;
    Ok(begun.elapsed())
}

/// It rests until its workflow is resumed, and ends then.
pub(crate) async fn a_cancellation_of_a_paused_run(scene: &Scene) -> Took {
    scene.client.pause(call_off).await?;
    let run = scene.client.start(call_off, 0).await?;
    expect(run.cancel("enough").await?, true)?;
    expect(run.status().await?, RunStatus::Queued)?;
    let begun = Instant::now();
    scene.client.resume(call_off).await?;
    expect(run.wait().await?.status, RunStatus::Cancelled)?;
    Ok(begun.elapsed())
}

pub(crate) async fn a_cancellation_of_a_parent(scene: &Scene) -> Took {
    let run = scene.client.start(watch_over, 0).await?;
    scene.until(run.id(), RunStatus::Waiting).await;
    let query = RunQuery { parent: Some(run.id()), ..RunQuery::default() };
    for child in scene.runs(query, 2).await {
        scene.until(child, RunStatus::Waiting).await;
    }
    let begun = Instant::now();
    expect(run.cancel("enough").await?, true)?;
    expect(run.wait().await?.status, RunStatus::Cancelled)?;
    for child in scene.ends_of_children(run.id(), 2).await? {
        expect(child.status, RunStatus::Cancelled)?;
    }
    Ok(begun.elapsed())
}

pub(crate) async fn a_cancellation_of_all(scene: &Scene) -> Took {
    let run = scene.client.start(doze, 0).await?;
    scene.until(run.id(), RunStatus::Waiting).await;
    let since = Some(run.record().await?.accepted_at);
    let query = RunQuery { workflow: Some("doze".to_owned()), since, ..RunQuery::default() };
    let begun = Instant::now();
    expect(scene.client.cancel_all(&query, "enough").await?, 1)?;
    expect(run.wait().await?.status, RunStatus::Cancelled)?;
    Ok(begun.elapsed())
}
