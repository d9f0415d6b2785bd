use std::time::Duration;

use jiff::Timestamp;

use super::World;
use super::world::{APP, HOUR, PAID, commit, event, ids, json, only, reasons, route, seeded, wait};
use crate::journal::RunId;
use crate::machine::{End, RunCommit, Then};
use crate::store::RunStatus;
use crate::store::hints::Work;

fn from_now(seconds: i64) -> Timestamp {
    Timestamp::now() + jiff::SignedDuration::from_secs(seconds)
}

pub(super) async fn a_parked_run_is_roused_by_a_message(world: World) {
    world.subscribe(APP, &[PAID]).await;
    let worker = world.worker(HOUR).await;
    let [run, other] = [world.claimed(worker).await, world.claimed(worker).await];
    let park = |run, no| commit(run, 0, vec![wait("paid", no)], Then::Park(None));
    world.rung();
    world.flush(worker, &[park(run, 7), park(other, 8)]).await.expect("ours");
    assert_eq!(world.rung(), Work::empty());
    assert_eq!(world.status(run).await, RunStatus::Waiting);

    world.send(PAID, 7).await;
    assert_eq!(world.status(run).await, RunStatus::Queued);
    assert_eq!(world.status(other).await, RunStatus::Waiting);
    let claimed = world.claim(worker, 10).await;
    assert_eq!(ids(&claimed), [run]);
    assert_eq!(claimed[0].inbox.len(), 1);
}

pub(super) async fn a_run_that_parks_over_a_message_is_ready(world: World) {
    world.subscribe(APP, &[PAID]).await;
    let worker = world.worker(HOUR).await;
    let run = world.claimed(worker).await;
    world
        .flush(worker, &[commit(run, 0, vec![wait("paid", 7)], Then::Continue)])
        .await
        .expect("it is ours");
    world.send(PAID, 7).await;
    world.rung();
    world.flush(worker, &[only(run, 1, Then::Park(None))]).await.expect("ours");
    assert_eq!(world.rung(), Work::READY);
    assert_eq!(world.status(run).await, RunStatus::Queued);
    let claimed = world.claim(worker, 10).await;
    assert_eq!(claimed[0].inbox.len(), 1);
    // What it parks with, it has dealt with.
    let discarded = vec![claimed[0].inbox[0].id];
    let park = RunCommit { discarded, ..only(run, 1, Then::Park(None)) };
    world.flush(worker, &[park]).await.expect("it is ours");
    assert_eq!(world.status(run).await, RunStatus::Waiting);
}

/// Each side does something else for a moment first, another in each round.
pub(super) async fn a_message_while_its_run_parks_is_not_lost(world: World) {
    world.subscribe(APP, &[PAID]).await;
    let worker = world.worker(HOUR).await;
    let run = world.claimed(worker).await;
    let other = world.another().await;
    for (round, mut jitter) in seeded().take(200).enumerate() {
        let no = round as u32;
        let begun = vec![wait(&format!("paid#{no}"), no)];
        world.flush(worker, &[commit(run, no, begun, Then::Continue)]).await.expect("it is ours");
        let paid = event(PAID, &format!(r#"{{"no":{no}}}"#));
        world.store.accept_events(None, &[paid]).await.expect("accepted");
        let sending = tokio::spawn({
            let (other, mut jitter) = (other.clone(), jitter.split());
            async move {
                jitter.pass().await;
                route(&*other).await;
            }
        });
        // Routing takes longer than parking: it is to be first every other time.
        for _ in 0..3 {
            jitter.pass().await;
        }
        world.flush(worker, &[only(run, no + 1, Then::Park(None))]).await.expect("it is ours");
        sending.await.expect("it does not panic");
        assert_eq!(world.status(run).await, RunStatus::Queued, "round {round}");
        let mut claimed = Vec::new();
        while claimed.is_empty() {
            claimed = world.claim(worker, 1).await;
        }
        let discarded = claimed[0].inbox.iter().map(|message| message.id).collect();
        let settled = RunCommit { discarded, ..only(run, no + 1, Then::Continue) };
        world.flush(worker, &[settled]).await.expect("it is ours");
    }
    other.close().await;
}

pub(super) async fn a_roused_run_has_no_timer_left(world: World) {
    world.subscribe(APP, &[PAID]).await;
    let worker = world.worker(HOUR).await;
    let run = world.claimed(worker).await;
    let park = |due| commit(run, 0, vec![wait("paid", 7)], Then::Park(Some(from_now(due))));
    world.flush(worker, &[park(600)]).await.expect("it is ours");
    world.send(PAID, 7).await;
    assert_eq!(ids(&world.claim(worker, 10).await), [run]);
    let woken = world.store.wake_due(10).await.expect("it wakes");
    assert_eq!(woken.next, None);
    // It parks again, for another time.
    let due = Then::Park(Some(from_now(60)));
    world.store.cancel_run(run, "enough").await.expect("it is there");
    world.flush(worker, &[only(run, 1, due)]).await.expect("it is ours");
    let next = world.store.wake_due(10).await.expect("it wakes").next.expect("it has a timer");
    assert!(next <= Duration::from_secs(60), "{next:?}");
}

pub(super) async fn a_timer_and_a_message_rouse_a_run_once(world: World) {
    world.subscribe(APP, &[PAID]).await;
    let worker = world.worker(HOUR).await;
    let run = world.claimed(worker).await;
    let park = commit(run, 0, vec![wait("paid", 7)], Then::Park(Some(from_now(-1))));
    world.flush(worker, &[park]).await.expect("it is ours");
    world.send(PAID, 7).await;
    let woken = world.store.wake_due(10).await.expect("it wakes");
    assert_eq!((woken.runs, woken.next), (0, None));
    assert_eq!(ids(&world.claim(worker, 10).await), [run]);
    assert_eq!(world.store.wake_due(10).await.expect("it wakes").runs, 0);
    assert_eq!(world.status(run).await, RunStatus::Running);
    assert!(world.claim(worker, 10).await.is_empty());
}

pub(super) async fn a_claimed_run_comes_with_its_inbox_oldest_first(world: World) {
    world.subscribe(APP, &[PAID]).await;
    let worker = world.worker(HOUR).await;
    let run = world.claimed(worker).await;
    let mut sent = Vec::new();
    for _ in 0..5 {
        sent.push(world.send(PAID, 7).await.as_uuid());
    }
    world.store.cancel_run(run, "enough").await.expect("it is there");
    let begun = commit(run, 0, vec![wait("paid", 7)], Then::Release);
    world.flush(worker, &[begun]).await.expect("it is ours");
    let claimed = world.claim(worker, 10).await;
    let inbox: Vec<_> = claimed[0].inbox.iter().map(|message| message.id.as_uuid()).collect();
    assert_eq!(inbox[..5], sent);
    assert_eq!(reasons(&claimed[0].inbox[5..]), ["enough"]);
    assert_eq!(world.inbox(worker, run).await, claimed[0].inbox);
}

pub(super) async fn a_cancellation_reaches_a_run_wherever_it_stands(world: World) {
    let worker = world.worker(HOUR).await;
    let [running, parked, held] =
        [world.claimed(worker).await, world.claimed(worker).await, world.claimed(worker).await];
    let queued = world.start(1).await[0];
    let batch = [
        only(parked, 0, Then::Park(Some(from_now(600)))),
        only(held, 0, Then::Hold("it does not fit".to_owned())),
    ];
    world.flush(worker, &batch).await.expect("both are ours");
    for run in [running, parked, held, queued] {
        assert!(world.store.cancel_run(run, "now").await.expect("it answers"));
    }
    assert_eq!(reasons(&world.inbox(worker, running).await), ["now"]);
    assert_eq!(world.status(running).await, RunStatus::Running);
    for run in [parked, held, queued] {
        assert_eq!(world.status(run).await, RunStatus::Queued);
    }
    let mut claimed = world.claim(worker, 10).await;
    claimed.extend(world.claim(worker, 10).await);
    assert_eq!(claimed.len(), 3);
    for run in &claimed {
        assert_eq!(reasons(&run.inbox), ["now"]);
    }
    // Only a cancellation is for a run that is held.
    world.subscribe(APP, &[PAID]).await;
    let taken = vec![claimed[0].inbox[0].id];
    let hold = commit(
        claimed[0].origin.trigger.run,
        0,
        vec![wait("paid", 7)],
        Then::Hold("it does not fit".to_owned()),
    );
    world.flush(worker, &[RunCommit { taken, ..hold }]).await.expect("it is ours");
    world.send(PAID, 7).await;
    assert_eq!(world.status(claimed[0].origin.trigger.run).await, RunStatus::Held);
}

pub(super) async fn a_cancellation_comes_too_late_for_a_run_that_is_over(world: World) {
    let worker = world.worker(HOUR).await;
    let run = world.claimed(worker).await;
    let end = only(run, 0, Then::End(End::Completed(json("1"))));
    world.flush(worker, &[end]).await.expect("it is ours");
    assert!(!world.store.cancel_run(run, "late").await.expect("it answers"));
    assert!(!world.store.cancel_run(RunId::new(), "who").await.expect("it answers"));
    assert_eq!(world.database.rows("inbox").await, 0);
}

/// Each side does something else for a moment first, another in each round.
pub(super) async fn a_cancellation_at_the_same_time_as_the_end_leaves_nothing_behind(world: World) {
    let worker = world.worker(HOUR).await;
    let other = world.another().await;
    for (round, mut jitter) in seeded().take(100).enumerate() {
        let run = world.claimed(worker).await;
        let asking = tokio::spawn({
            let (other, mut jitter) = (other.clone(), jitter.split());
            async move {
                jitter.pass().await;
                other.cancel_run(run, "enough").await
            }
        });
        jitter.pass().await;
        let end = only(run, 0, Then::End(End::Completed(json("1"))));
        let flushed = world.flush(worker, &[end]).await.expect("the worker lives");
        assert_eq!(flushed.evicted, [], "round {round}");
        asking.await.expect("it does not panic").expect("it answers");
        assert_eq!(world.status(run).await, RunStatus::Completed, "round {round}");
    }
    assert!(world.claim(worker, 10).await.is_empty());
    assert_swept(&world).await;
    other.close().await;
}

/// What came too late is nobody's, and is swept away.
pub(super) async fn assert_swept(world: &World) {
    // A store of its own: another one may have swept a moment ago.
    let sweeper = world.another().await;
    assert_eq!(sweeper.wake_due(100).await.expect("it answers").runs, 0);
    assert_eq!(world.database.rows("inbox").await, 0);
    sweeper.close().await;
}

pub(super) async fn a_cancelled_run_keeps_its_reason(world: World) {
    let worker = world.worker(HOUR).await;
    let run = world.claimed(worker).await;
    let end = only(run, 0, Then::End(End::Cancelled("a\0b".to_owned())));
    let flushed = world.flush(worker, &[end]).await.expect("it is ours");
    let record = world.store.run(run).await.expect("it answers").expect("it is there");
    assert_eq!(record.status, RunStatus::Cancelled);
    assert_eq!(record.cancelled.as_deref(), Some("a\u{fffd}b"));
    assert_eq!(record.ended_at, Some(flushed.at));
}
