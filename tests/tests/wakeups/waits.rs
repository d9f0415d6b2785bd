//! What runs wait for.

use std::time::{Duration, Instant};

use indelible::prelude::*;
use indelible_tests::wakeups::{
    Opened, SETTLED, ask, dawdle, give_up, lose_patience, nap, open, persist, persist_after,
    race_a_sleep, wait_for_ever, wait_in_memory,
};

use crate::scene::{FOR_EVER, Scene, Took, expect};

/// A sleep too long for a run to stay in memory.
pub(crate) const PARKING: Duration = Duration::from_millis(2500);

pub(crate) async fn an_event_for_a_parked_run(scene: &Scene) -> Took {
    let n = scene.number();
    let run = scene.client.start(wait_for_ever, n).await?;
    scene.until(run.id(), RunStatus::Waiting).await;
    let begun = Instant::now();
    scene.client.send(Opened { n }).await?;
    expect(run.result().await?, n)?;
    Ok(begun.elapsed())
}

pub(crate) async fn an_event_for_a_run_in_memory(scene: &Scene) -> Took {
    let n = scene.number();
    let run = scene.client.start(wait_in_memory, n).await?;
    // The step before the wait, and the wait.
    scene.until_recorded(run.id(), 2).await;
    let begun = Instant::now();
    scene.client.send(Opened { n }).await?;
    expect(run.result().await?, true)?;
    Ok(begun.elapsed())
}

pub(crate) async fn an_event_for_many_runs(scene: &Scene) -> Took {
    let n = scene.number();
    let runs = scene.client.start_all(wait_for_ever, [n; 10]).await?;
    for run in &runs {
        scene.until(run.id(), RunStatus::Waiting).await;
    }
    let begun = Instant::now();
    scene.client.send(Opened { n }).await?;
    for run in runs {
        expect(run.result().await?, n)?;
    }
    Ok(begun.elapsed())
}

pub(crate) async fn an_event_of_a_step_for_another_run(scene: &Scene) -> Took {
    let n = scene.number();
    let run = scene.client.start(wait_for_ever, n).await?;
    scene.until(run.id(), RunStatus::Waiting).await;
    let begun = Instant::now();
    scene.client.start(open, n).await?;
    expect(run.result().await?, n)?;
    Ok(begun.elapsed().saturating_sub(SETTLED))
}

pub(crate) async fn four_questions_and_answers(scene: &Scene) -> Took {
    let begun = Instant::now();
    expect(scene.client.start(ask, scene.number()).await?.result().await?, 4)?;
    Ok(begun.elapsed().saturating_sub(8 * SETTLED))
}

pub(crate) async fn a_wait_that_times_out(scene: &Scene) -> Took {
    let begun = Instant::now();
    expect(scene.client.start(give_up, scene.number()).await?.result().await?, false)?;
    Ok(begun.elapsed())
}

pub(crate) async fn a_short_sleep(scene: &Scene) -> Took {
    let begun = Instant::now();
    scene.client.start(nap, 200).await?.result().await?;
    Ok(begun.elapsed())
}

pub(crate) async fn a_sleep_that_parks(scene: &Scene) -> Took {
    let begun = Instant::now();
    scene.client.start(nap, PARKING.as_millis() as u64).await?.result().await?;
    Ok(begun.elapsed().saturating_sub(PARKING))
}

pub(crate) async fn a_race_that_an_event_wins(scene: &Scene) -> Took {
    let n = scene.number();
    let run = scene.client.start(race_a_sleep, (n, FOR_EVER)).await?;
    scene.until(run.id(), RunStatus::Waiting).await;
    let begun = Instant::now();
    scene.client.send(Opened { n }).await?;
    expect(run.result().await?, "wait".to_owned())?;
    Ok(begun.elapsed())
}

pub(crate) async fn a_race_that_a_sleep_wins(scene: &Scene) -> Took {
    let begun = Instant::now();
    let run = scene.client.start(race_a_sleep, (scene.number(), 200)).await?;
    expect(run.result().await?, "sleep".to_owned())?;
    Ok(begun.elapsed())
}

pub(crate) async fn an_invocation_that_times_out(scene: &Scene) -> Took {
    let begun = Instant::now();
    let run = scene.client.start(lose_patience, 0).await?;
    expect(run.result().await?, false)?;
    let children = scene.ends_of_children(run.id(), 1).await?;
    expect(children[0].status, RunStatus::Cancelled)?;
    Ok(begun.elapsed())
}

pub(crate) async fn a_step_that_times_out(scene: &Scene) -> Took {
    let begun = Instant::now();
    let run = scene.client.start(dawdle, 0).await?;
    expect(run.wait().await?.status, RunStatus::Failed)?;
    Ok(begun.elapsed())
}

pub(crate) async fn a_step_that_is_tried_again(scene: &Scene) -> Took {
    let begun = Instant::now();
    let run = scene.client.start(persist, 0).await?;
    expect(run.wait().await?.status, RunStatus::Failed)?;
    Ok(begun.elapsed())
}

pub(crate) async fn a_step_that_is_tried_again_after_it_parked(scene: &Scene) -> Took {
    let begun = Instant::now();
    let run = scene.client.start(persist_after, PARKING.as_millis() as u64).await?;
    expect(run.wait().await?.status, RunStatus::Failed)?;
    Ok(begun.elapsed().saturating_sub(PARKING))
}
