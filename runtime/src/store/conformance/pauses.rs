use std::time::Duration;

use jiff::Timestamp;

use super::World;
use super::world::{APP, HOUR, ORDER, claim_for, driven, ids, json, only, step};
use crate::flow::NewRun;
use crate::journal::RunId;
use crate::machine::Then;
use crate::store::{Driven, RunStatus};

/// The runs that a program takes up that has the workflow like this. It gives them back.
async fn taken_up(world: &World, driven: Driven) -> Vec<RunId> {
    let worker = world.worker_of(HOUR, driven.clone()).await;
    let claimed = claim_for(&*world.store, worker, 10, driven).await.expect("it lives");
    world.store.end_lease(worker).await.expect("it can leave");
    ids(&claimed)
}

pub(super) async fn no_run_of_a_paused_workflow_is_claimed(world: World) {
    let worker = world.worker(HOUR).await;
    let driven = world.claimed(worker).await;
    let queued = world.start(1).await[0];
    assert!(world.store.pause_workflow(APP, ORDER).await.expect("it answers"));
    assert!(!world.store.pause_workflow(APP, ORDER).await.expect("it answers"), "it is");
    let paused = world.store.paused_workflows(APP).await.expect("it answers");
    assert_eq!(paused.iter().map(|paused| &*paused.workflow).collect::<Vec<_>>(), [ORDER]);
    assert_eq!(world.store.paused_workflows("bank").await.expect("it answers"), []);

    assert!(world.claim(worker, 10).await.is_empty());
    // What is being driven can be committed, and given back.
    let commit = [step(driven, 0, "a")];
    assert_eq!(world.flush(worker, &commit).await.expect("it is ours").evicted, []);
    world.flush(worker, &[only(driven, 1, Then::Release)]).await.expect("it is ours");
    assert!(world.claim(worker, 10).await.is_empty());
    world.subscribe(APP, &[]).await;
    assert!(world.claim(worker, 10).await.is_empty(), "a restart resumes nothing");

    assert!(world.store.resume_workflow(APP, ORDER).await.expect("it answers"));
    assert!(!world.store.resume_workflow(APP, ORDER).await.expect("it answers"), "it is");
    assert_eq!(ids(&world.claim(worker, 10).await), [driven, queued]);
}

pub(super) async fn timers_go_on_while_a_workflow_is_paused(world: World) {
    let worker = world.worker(HOUR).await;
    let run = world.claimed(worker).await;
    let park = Then::Park(Some(Timestamp::UNIX_EPOCH));
    world.flush(worker, &[only(run, 0, park)]).await.expect("it is ours");
    world.store.pause_workflow(APP, ORDER).await.expect("it answers");
    assert_eq!(world.store.wake_due(10).await.expect("it answers").runs, 1);
    assert_eq!(world.status(run).await, RunStatus::Queued);
    assert!(world.claim(worker, 10).await.is_empty());
    world.store.resume_workflow(APP, ORDER).await.expect("it answers");
    assert_eq!(ids(&world.claim(worker, 10).await), [run]);
}

pub(super) async fn a_pinned_run_is_left_to_programs_of_its_shape(world: World) {
    let old = world.start(1).await[0];
    assert_eq!(taken_up(&world, driven(1, true)).await, [old]);
    let new = world.start(1).await[0];
    assert_eq!(taken_up(&world, driven(2, true)).await, [new], "nobody had driven it");
    assert_eq!(taken_up(&world, driven(1, true)).await, [old]);
    assert_eq!(taken_up(&world, driven(3, true)).await, []);
}

pub(super) async fn a_run_that_is_not_pinned_takes_on_the_new_shape(world: World) {
    let run = world.start(1).await[0];
    assert_eq!(taken_up(&world, driven(1, true)).await, [run]);
    assert_eq!(taken_up(&world, driven(2, false)).await, [run]);
    assert_eq!(taken_up(&world, driven(1, true)).await, [], "it may have been elsewhere since");
    assert_eq!(taken_up(&world, driven(2, true)).await, [run]);
}

pub(super) async fn what_no_living_worker_can_drive_is_stranded(world: World) {
    let stranded = async || {
        let stranded = world.store.stranded_runs(APP).await.expect("it answers").into_iter();
        stranded.map(|runs| (runs.workflow, runs.runs, runs.example)).collect::<Vec<_>>()
    };
    let old = world.start(1).await[0];
    assert_eq!(taken_up(&world, driven(1, true)).await, [old]);
    let new = world.start(1).await[0];
    let other = NewRun::new("on-refund", None, json("{}"));
    world.store.start_runs(APP, std::slice::from_ref(&other)).await.expect("it starts");
    let (order, refund) = (ORDER.to_owned(), "on-refund".to_owned());
    let alone = [(order.clone(), 1, old), (order.clone(), 1, new), (refund.clone(), 1, other.id)];
    assert_eq!(stranded().await, alone);

    world.worker_of(Duration::ZERO, driven(1, false)).await;
    assert_eq!(stranded().await, alone, "that one is as good as dead");
    world.worker_of(HOUR, driven(2, true)).await;
    assert_eq!(stranded().await, [(order, 1, old), (refund.clone(), 1, other.id)]);
    world.worker_of(HOUR, driven(1, true)).await;
    assert_eq!(stranded().await, [(refund, 1, other.id)]);
}
