//! What starts runs.

use std::time::{Duration, Instant};

use indelible::RunQuery;
use indelible::prelude::*;
use indelible_tests::user::User;
use indelible_tests::wakeups::{
    Collected, Knocked, Packed, SETTLED, count_down, delegate, delegate_detached, echo, knock,
    transact, trifle,
};
use serde_json::value::to_raw_value;

use crate::scene::{Outcome, Scene, Took, expect};

/// How much later an event is due.
const LATER: Duration = Duration::from_millis(300);

pub(crate) async fn a_start(scene: &Scene) -> Took {
    let begun = Instant::now();
    let run = scene.client.start(echo, 7).await?;
    expect(run.result().await?, 7)?;
    Ok(begun.elapsed())
}

pub(crate) async fn many_starts_at_once(scene: &Scene) -> Took {
    let begun = Instant::now();
    for run in scene.client.start_all(echo, 0..30).await? {
        run.result().await?;
    }
    Ok(begun.elapsed())
}

/// There are 500 slots, and the runs behind the first 500 are to begin when the others leave.
pub(crate) async fn more_runs_than_slots(scene: &Scene) -> Took {
    let begun = Instant::now();
    for (n, run) in (0..).zip(scene.client.start_all(trifle, 0..2000).await?) {
        expect(run.result().await?, n)?;
    }
    Ok(begun.elapsed())
}

pub(crate) async fn an_event(scene: &Scene) -> Took {
    let begun = Instant::now();
    let event = scene.client.send(Knocked { n: scene.number() }).await?;
    scene.ends_of(event, 1).await?;
    Ok(begun.elapsed())
}

pub(crate) async fn an_event_that_is_due_later(scene: &Scene) -> Took {
    let begun = Instant::now();
    let event = scene.client.send(Knocked { n: scene.number() }).after(LATER).await?;
    scene.ends_of(event, 1).await?;
    begun.elapsed().checked_sub(LATER).ok_or_else(|| "it came too early".into())
}

/// Sends it, and commits; then nobody does anything.
async fn in_a_transaction(scene: &Scene, after: Duration) -> Outcome<EventId> {
    let (client, knocked) = (&scene.client, Knocked { n: scene.number() });
    Ok(match &scene.user {
        User::Postgres(pool) => {
            let mut tx = pool.begin().await?;
            let sending = client.send_in(&mut tx, knocked);
            let event = if after.is_zero() { sending.await? } else { sending.after(after).await? };
            tx.commit().await?;
            event
        }
        User::Sqlite(pool) => {
            let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
            let sending = client.send_in(&mut tx, knocked);
            let event = if after.is_zero() { sending.await? } else { sending.after(after).await? };
            tx.commit().await?;
            event
        }
    })
}

pub(crate) async fn an_event_in_a_transaction(scene: &Scene) -> Took {
    let begun = Instant::now();
    let event = in_a_transaction(scene, Duration::ZERO).await?;
    scene.ends_of(event, 1).await?;
    Ok(begun.elapsed())
}

pub(crate) async fn an_event_in_a_transaction_that_is_due_later(scene: &Scene) -> Took {
    let begun = Instant::now();
    let event = in_a_transaction(scene, LATER).await?;
    scene.ends_of(event, 1).await?;
    begun.elapsed().checked_sub(LATER).ok_or_else(|| "it came too early".into())
}

pub(crate) async fn an_event_in_sql(scene: &Scene) -> Took {
    // There is no such function in SQLite.
    let User::Postgres(pool) = &scene.user else { return Ok(Duration::ZERO) };
    let begun = Instant::now();
    let send = "SELECT indelible.send('wakeups/knocked', $1)";
    let knocked = serde_json::to_string(&Knocked { n: scene.number() })?;
    let event: Uuid = sqlx::query_scalar(send).bind(knocked).fetch_one(pool).await?;
    scene.ends_of(event.into(), 1).await?;
    Ok(begun.elapsed())
}

pub(crate) async fn an_untyped_event(scene: &Scene) -> Took {
    let client = &scene.client;
    let knocked = to_raw_value(&Knocked { n: scene.number() })?;
    let knocked = client.catalog().check("wakeups/knocked", &knocked, client.event_limit())?;
    let begun = Instant::now();
    for event in client.send_all_untyped([(knocked, None)]).await? {
        scene.ends_of(event, 1).await?;
    }
    Ok(begun.elapsed())
}

pub(crate) async fn an_event_of_a_client_without_the_app(scene: &Scene) -> Took {
    let knocked = Knocked { n: scene.number() };
    let begun = Instant::now();
    let event = scene.sender.send_by_name("wakeups/knocked", knocked).await?;
    scene.ends_of(event, 1).await?;
    Ok(begun.elapsed())
}

pub(crate) async fn a_start_by_name(scene: &Scene) -> Took {
    let begun = Instant::now();
    let run = scene.sender.start_by_name("echo", 7).await?;
    expect(run.result().await?, 7.into())?;
    Ok(begun.elapsed())
}

pub(crate) async fn an_event_of_a_step(scene: &Scene) -> Took {
    let begun = Instant::now();
    let event = scene.client.start(knock, scene.number()).await?.result().await?;
    scene.ends_of(event, 1).await?;
    Ok(begun.elapsed().saturating_sub(SETTLED))
}

/// Waits for the end of the run of a batch, and says how many events it was given.
async fn gathered(scene: &Scene, workflow: &str, after: RunId) -> Outcome<String> {
    let (workflow, after) = (Some(workflow.to_owned()), Some(after));
    let ends = scene.ends(RunQuery { workflow, after, ..RunQuery::default() }, 1).await?;
    let count = ends[0].output.as_ref().ok_or("it gave nothing")?;
    Ok(count.as_str().to_owned())
}

pub(crate) async fn a_full_batch(scene: &Scene) -> Took {
    let (n, before) = (scene.number(), RunId::new());
    let begun = Instant::now();
    for _ in 0..3 {
        scene.client.send(Packed { n }).await?;
    }
    expect(gathered(scene, "pack", before).await?, "3".to_owned())?;
    Ok(begun.elapsed())
}

pub(crate) async fn a_late_batch(scene: &Scene) -> Took {
    let before = RunId::new();
    let begun = Instant::now();
    scene.client.send(Collected { n: scene.number() }).await?;
    expect(gathered(scene, "collect", before).await?, "1".to_owned())?;
    Ok(begun.elapsed())
}

pub(crate) async fn an_invocation(scene: &Scene) -> Took {
    let begun = Instant::now();
    expect(scene.client.start(delegate, 7).await?.result().await?, 7)?;
    Ok(begun.elapsed().saturating_sub(2 * SETTLED))
}

pub(crate) async fn a_detached_invocation(scene: &Scene) -> Took {
    let begun = Instant::now();
    expect(scene.client.start(delegate_detached, 7).await?.result().await?, 7)?;
    Ok(begun.elapsed().saturating_sub(2 * SETTLED))
}

pub(crate) async fn a_restart(scene: &Scene) -> Took {
    let begun = Instant::now();
    expect(scene.client.start(count_down, 3).await?.result().await?, 0)?;
    Ok(begun.elapsed().saturating_sub(4 * SETTLED))
}

pub(crate) async fn a_transaction(scene: &Scene) -> Took {
    let begun = Instant::now();
    expect(scene.client.start(transact, 0).await?.result().await?, 7)?;
    Ok(begun.elapsed())
}
