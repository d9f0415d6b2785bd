//! What lets runs through that have limits.

use std::time::{Duration, Instant};

use indelible::RunHandle;
use indelible::prelude::*;
use indelible_tests::wakeups::{
    Opened, PACED, Queued, SETTLED, give_way, lend, make_room, pace, stay, take_turns,
};

use crate::scene::{Outcome, Scene, Took, expect};
use crate::waits::PARKING;

pub(crate) async fn a_free_gate(scene: &Scene) -> Took {
    let n = scene.number();
    let begun = Instant::now();
    expect(scene.client.start(take_turns, n).await?.result().await?, n)?;
    Ok(begun.elapsed())
}

pub(crate) async fn a_start_by_name_at_a_free_gate(scene: &Scene) -> Took {
    let n = scene.number();
    let begun = Instant::now();
    let run = scene.sender.start_by_name("take-turns", n).await?;
    expect(run.result().await?, n.into())?;
    Ok(begun.elapsed())
}

pub(crate) async fn an_event_at_a_free_gate(scene: &Scene) -> Took {
    let begun = Instant::now();
    let event = scene.client.send(Queued { n: scene.number() }).await?;
    scene.ends_of(event, 1).await?;
    Ok(begun.elapsed())
}

pub(crate) async fn many_runs_of_one_slot(scene: &Scene) -> Took {
    let n = scene.number();
    let begun = Instant::now();
    for run in scene.client.start_all(take_turns, [n; 5]).await? {
        expect(run.result().await?, n)?;
    }
    Ok(begun.elapsed())
}

pub(crate) async fn a_slot_that_parking_runs_free(scene: &Scene) -> Took {
    let nap = (scene.number(), PARKING.as_millis() as u64);
    let begun = Instant::now();
    for run in scene.client.start_all(make_room, [nap; 3]).await? {
        run.result().await?;
    }
    Ok(begun.elapsed().saturating_sub(PARKING))
}

/// Two runs of which one has the only slot.
async fn two(scene: &Scene) -> Outcome<(u32, [RunHandle<u32>; 2])> {
    let n = scene.number();
    let first = scene.client.start(stay, n).await?;
    scene.until(first.id(), RunStatus::Waiting).await;
    let second = scene.client.start(stay, n).await?;
    // What has to be told of the first is over when this one has come and gone.
    scene.client.start(take_turns, n).await?.result().await?;
    expect(second.status().await?, RunStatus::Queued)?;
    Ok((n, [first, second]))
}

pub(crate) async fn a_slot_that_an_end_frees(scene: &Scene) -> Took {
    let (n, runs) = two(scene).await?;
    let begun = Instant::now();
    scene.client.send(Opened { n }).await?;
    for run in runs {
        expect(run.result().await?, n)?;
    }
    Ok(begun.elapsed())
}

pub(crate) async fn a_slot_that_a_cancellation_frees(scene: &Scene) -> Took {
    let (n, [first, second]) = two(scene).await?;
    let begun = Instant::now();
    expect(first.cancel("enough").await?, true)?;
    scene.until(second.id(), RunStatus::Waiting).await;
    let took = begun.elapsed();
    scene.client.send(Opened { n }).await?;
    expect(second.result().await?, n)?;
    Ok(took)
}

pub(crate) async fn a_cancellation_of_a_run_at_a_gate(scene: &Scene) -> Took {
    let (n, [first, second]) = two(scene).await?;
    let begun = Instant::now();
    expect(second.cancel("enough").await?, true)?;
    expect(second.wait().await?.status, RunStatus::Cancelled)?;
    let took = begun.elapsed();
    scene.client.send(Opened { n }).await?;
    expect(first.result().await?, n)?;
    Ok(took)
}

pub(crate) async fn a_slot_that_is_lent(scene: &Scene) -> Took {
    let n = scene.number();
    let begun = Instant::now();
    expect(scene.client.start(lend, n).await?.result().await?, n)?;
    Ok(begun.elapsed().saturating_sub(2 * SETTLED))
}

pub(crate) async fn a_pace(scene: &Scene) -> Took {
    let n = scene.number();
    let begun = Instant::now();
    for run in scene.client.start_all(pace, [n; 4]).await? {
        expect(run.result().await?, n)?;
    }
    Ok(begun.elapsed().saturating_sub(Duration::from_millis(600) + PACED))
}

pub(crate) async fn a_run_that_takes_another_s_place(scene: &Scene) -> Took {
    let n = scene.number();
    let first = scene.client.start(give_way, n).await?;
    scene.until(first.id(), RunStatus::Waiting).await;
    let begun = Instant::now();
    let second = scene.client.start(give_way, n).await?;
    expect(first.wait().await?.status, RunStatus::Cancelled)?;
    scene.until(second.id(), RunStatus::Waiting).await;
    let took = begun.elapsed();
    scene.client.send(Opened { n }).await?;
    expect(second.result().await?, n)?;
    Ok(took)
}
