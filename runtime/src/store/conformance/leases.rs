use std::time::Duration;

use super::World;
use super::world::{HOUR, claim, ids, program, step, worker};
use crate::id::WorkerId;
use crate::journal::RunId;
use crate::store::{RunStatus, StoreError};

pub(super) async fn a_lost_lease_cannot_commit(world: World) {
    let worker = world.worker(Duration::ZERO).await;
    let run = world.claimed(worker).await;
    let committed = world.flush(worker, &[step(run, 0, "a")]).await;
    assert_eq!(committed.expect("nobody has taken over yet").evicted, []);

    assert_eq!(world.take_over().await.expect("it can be taken over"), 1);
    let late = world.flush(worker, &[step(run, 1, "b")]).await;
    assert!(matches!(late, Err(StoreError::LeaseLost)), "{late:?}");
    assert_eq!(world.rows(run).await, 1);
}

pub(super) async fn a_lost_lease_cannot_claim_or_renew(world: World) {
    let worker = world.worker(Duration::ZERO).await;
    let run = world.start(1).await[0];
    world.take_over().await.expect("it can be taken over");
    let claimed = claim(&*world.store, worker, 1).await;
    assert!(matches!(claimed, Err(StoreError::LeaseLost)), "{claimed:?}");
    let renewed = world.store.renewals().renew(worker, HOUR).await;
    assert!(matches!(renewed, Err(StoreError::LeaseLost)), "{renewed:?}");
    assert_eq!(world.status(run).await, RunStatus::Queued);
}

pub(super) async fn a_live_lease_is_not_taken_over(world: World) {
    let worker = worker(program(&[]));
    world.store.begin_lease(&worker, Duration::ZERO).await.expect("a worker can join");
    let worker = worker.id;
    let run = world.claimed(worker).await;
    world.store.renewals().renew(worker, HOUR).await.expect("nobody has taken over yet");
    assert_eq!(world.take_over().await.expect("there is nothing to do"), 0);
    world.flush(worker, &[step(run, 0, "a")]).await.expect("it is alive");
}

pub(super) async fn what_a_dead_worker_held_is_driven_by_another(world: World) {
    let dead = world.worker(Duration::ZERO).await;
    let alive = world.worker(HOUR).await;
    let theirs = world.claimed(dead).await;
    let mine = world.claimed(alive).await;
    world.flush(dead, &[step(theirs, 0, "a")]).await.expect("nobody has taken over yet");

    assert_eq!(world.take_over().await.expect("it can be taken over"), 1);
    assert_eq!(world.take_over().await.expect("there is nothing left"), 0);
    let claimed = world.claim(alive, 10).await;
    assert_eq!(ids(&claimed), [theirs]);
    assert_eq!(claimed[0].origin.journal.len(), 1);
    let both = [step(theirs, 1, "b"), step(mine, 0, "a")];
    assert_eq!(world.flush(alive, &both).await.expect("both are its own").evicted, []);
}

pub(super) async fn a_worker_that_leaves_gives_its_runs_back(world: World) {
    let worker = world.worker(HOUR).await;
    let run = world.claimed(worker).await;
    world.store.end_lease(worker).await.expect("it can leave");
    world.store.end_lease(worker).await.expect("twice does no harm");
    assert_eq!(world.status(run).await, RunStatus::Queued);
    let next = world.worker(HOUR).await;
    assert_eq!(ids(&world.claim(next, 10).await), [run]);
}

pub(super) async fn what_a_worker_does_not_drive_can_be_disowned(world: World) {
    let worker = world.worker(HOUR).await;
    let driven = world.claimed(worker).await;
    let lost = world.claimed(worker).await;
    assert_eq!(world.store.disown_runs(worker, &[driven]).await.expect("it can be asked"), 1);
    assert_eq!(world.store.disown_runs(worker, &[driven]).await.expect("it can be asked"), 0);
    assert_eq!(world.status(driven).await, RunStatus::Running);
    assert_eq!(ids(&world.claim(worker, 10).await), [lost]);
}

/// Has a run claimed by a worker that then dies, and gives how often that had happened before.
async fn die_with(world: &World, progress: impl AsyncFnOnce(WorkerId, RunId)) -> u32 {
    let worker = world.worker(Duration::ZERO).await;
    let claimed = world.claim(worker, 1).await;
    progress(worker, claimed[0].origin.trigger.run).await;
    assert_eq!(world.take_over().await.expect("it can be taken over"), 1);
    claimed[0].standing.take_overs
}

pub(super) async fn take_overs_in_a_row_are_counted(world: World) {
    world.start(1).await;
    for before in 0..12 {
        assert_eq!(die_with(&world, async |_, _| {}).await, before);
    }
}

pub(super) async fn progress_begins_the_count_anew(world: World) {
    world.start(1).await;
    die_with(&world, async |_, _| {}).await;
    die_with(&world, async |_, _| {}).await;
    let commit = async |worker, run, seq| {
        world.flush(worker, &[step(run, seq, "a")]).await.expect("it is alive");
    };
    assert_eq!(die_with(&world, async |worker, run| commit(worker, run, 0).await).await, 2);
    assert_eq!(die_with(&world, async |_, _| {}).await, 1, "the last one had not come further");
    assert_eq!(die_with(&world, async |worker, run| commit(worker, run, 1).await).await, 2);
    assert_eq!(die_with(&world, async |_, _| {}).await, 1);
}

pub(super) async fn giving_back_is_no_take_over(world: World) {
    world.start(1).await;
    for _ in 0..3 {
        let worker = world.worker(HOUR).await;
        assert_eq!(world.claim(worker, 1).await[0].standing.take_overs, 0);
        world.store.end_lease(worker).await.expect("it can leave");
    }
}
