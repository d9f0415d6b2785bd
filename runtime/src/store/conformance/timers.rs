use std::time::Duration;

use jiff::Timestamp;

use super::World;
use super::world::{HOUR, commit, done, ids, only};
use crate::machine::Then;
use crate::store::{Readied, RunStatus};

fn from_now(seconds: i64) -> Timestamp {
    Timestamp::now() + jiff::SignedDuration::from_secs(seconds)
}

pub(super) async fn a_parked_run_is_ready_when_it_is_due(world: World) {
    let worker = world.worker(HOUR).await;
    let run = world.claimed(worker).await;
    let park = commit(run, 0, vec![done("a")], Then::Park(Some(from_now(-1))));
    world.flush(worker, &[park]).await.expect("it is ours");
    assert_eq!(world.status(run).await, RunStatus::Waiting);
    assert!(world.claim(worker, 10).await.is_empty());

    let woken = world.store.wake_due(10).await.expect("it wakes");
    assert_eq!((woken.runs, woken.next), (1, None));
    assert_eq!(world.status(run).await, RunStatus::Queued);
    let again = world.store.wake_due(10).await.expect("it wakes");
    assert_eq!(again, Readied { runs: 0, next: None, late: None });

    let claimed = world.claim(worker, 10).await;
    assert_eq!(ids(&claimed), [run]);
    assert_eq!(claimed[0].origin.journal.len(), 1);
}

pub(super) async fn no_timer_fires_early(world: World) {
    let worker = world.worker(HOUR).await;
    let run = world.claimed(worker).await;
    world
        .flush(worker, &[only(run, 0, Then::Park(Some(from_now(600))))])
        .await
        .expect("it is ours");
    let woken = world.store.wake_due(10).await.expect("it wakes");
    assert_eq!(woken.runs, 0);
    let next = woken.next.expect("one is waiting");
    assert!(next > Duration::from_secs(500) && next <= Duration::from_secs(600), "{next:?}");
    assert!(world.claim(worker, 10).await.is_empty());
}

pub(super) async fn as_many_as_asked_for_are_woken_oldest_first(world: World) {
    let worker = world.worker(HOUR).await;
    let runs = [
        (world.claimed(worker).await, -10),
        (world.claimed(worker).await, -30),
        (world.claimed(worker).await, -20),
    ];
    let park = runs.map(|(run, due)| only(run, 0, Then::Park(Some(from_now(due)))));
    world.flush(worker, &park).await.expect("all are ours");

    let woken = world.store.wake_due(2).await.expect("it wakes");
    assert_eq!((woken.runs, woken.next), (2, Some(Duration::ZERO)));
    assert_eq!(world.status(runs[0].0).await, RunStatus::Waiting);
    assert_eq!(world.status(runs[1].0).await, RunStatus::Queued);
    assert_eq!(world.status(runs[2].0).await, RunStatus::Queued);
}
