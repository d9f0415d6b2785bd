use std::collections::BTreeSet;

use futures_util::future::join_all;

use super::World;
use super::world::{APP, HOUR, ORDER, claim, commit, done, ids, json, only, step};
use crate::flow::NewRun;
use crate::journal::{End, Then};
use crate::store::RunStatus;

pub(super) async fn runs_are_claimed_in_order_of_acceptance(world: World) {
    let started = world.start(5).await;
    let worker = world.worker(HOUR).await;
    let first = world.claim(worker, 2).await;
    let rest = world.claim(worker, 10).await;
    assert_eq!([ids(&first), ids(&rest)].concat(), started);
    assert_eq!(world.status(started[0]).await, RunStatus::Running);
    assert!(world.claim(worker, 10).await.is_empty());
}

pub(super) async fn claims_are_disjoint_between_two_workers(world: World) {
    let runs: Vec<_> = (0..200).map(|_| NewRun::new(ORDER, None, json("{}"))).collect();
    world.store.start_runs(APP, &runs).await.expect("they start");
    let other = world.another().await;
    let workers = [(&world.store, world.worker(HOUR).await), (&other, world.worker(HOUR).await)];
    let claims = join_all(workers.map(async |(store, worker)| {
        let mut mine = Vec::new();
        loop {
            match ids(&claim(&**store, worker, 7).await.expect("it is alive")) {
                none if none.is_empty() => return mine,
                some => mine.extend(some),
            }
        }
    }))
    .await;
    let all: Vec<_> = claims.into_iter().flatten().collect();
    assert_eq!(all.len(), 200);
    assert_eq!(all.into_iter().collect::<BTreeSet<_>>().len(), 200);
    other.close().await;
}

/// Whatever the queue says.
pub(super) async fn a_run_that_is_driven_or_over_is_not_claimed(world: World) {
    let [worker, other] = [world.worker(HOUR).await, world.worker(HOUR).await];
    let [driven, over] = [world.claimed(worker).await, world.claimed(worker).await];
    world
        .flush(worker, &[only(over, 0, Then::End(End::Completed(json("{}"))))])
        .await
        .expect("it ends");
    for run in [driven, over] {
        let table = world.database.table("ready");
        let queue = format!(
            "INSERT INTO {table} (run_id, app, workflow, rank, suspects)
             VALUES ('{run}', '{APP}', '{ORDER}', 0, 0)"
        );
        world.database.execute(&queue).await;
        assert_eq!(ids(&world.claim(other, 10).await), []);
        assert_eq!(world.database.rows("ready").await, 0, "nobody comes across it again");
    }
    let flushed = world.flush(worker, &[step(driven, 0, "a")]).await.expect("it is alive");
    assert_eq!(flushed.evicted, []);
}

pub(super) async fn other_apps_and_unknown_workflows_are_left_alone(world: World) {
    let run = |workflow| NewRun::new(workflow, None, json("{}"));
    world.store.start_runs("bank", &[run(ORDER)]).await.expect("it starts");
    world.store.start_runs(APP, &[run("on-refund"), run(ORDER)]).await.expect("they start");
    let worker = world.worker(HOUR).await;
    let claimed = world.claim(worker, 10).await;
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].workflow, ORDER);
}

pub(super) async fn a_run_comes_with_its_trigger_and_journal(world: World) {
    let run = NewRun::new(ORDER, None, json(r#"{"no":1}"#));
    let other = NewRun::new(ORDER, None, json(r#"{"no":2}"#));
    world.store.start_runs(APP, &[run.clone(), other.clone()]).await.expect("they start");
    let worker = world.worker(HOUR).await;
    world.claim(worker, 2).await;
    let steps = commit(run.id, 0, vec![done("a"), done("b"), done("c")], Then::Release);
    world.flush(worker, &[steps, only(other.id, 0, Then::Release)]).await.expect("ours");

    let claimed = world.claim(worker, 2).await;
    assert_eq!(ids(&claimed), [run.id, other.id]);
    let record = world.store.run(run.id).await.expect("it answers").expect("it is there");
    let origin = &claimed[0].origin;
    assert_eq!(origin.seed, run.seed);
    assert_eq!(origin.trigger.data, run.input);
    assert_eq!(origin.trigger.accepted_at, record.accepted_at);
    let keys: Vec<_> = origin.journal.iter().map(|row| (row.seq, row.key.as_str())).collect();
    assert_eq!(keys, [(0, "a"), (1, "b"), (2, "c")]);
    assert!(claimed[1].origin.journal.is_empty());
    assert_eq!(claimed[1].origin.trigger.data, other.input);
}

pub(super) async fn a_resent_start_starts_once(world: World) {
    let run = NewRun::new(ORDER, None, json("{}"));
    world.store.start_runs(APP, std::slice::from_ref(&run)).await.expect("it starts");
    let worker = world.worker(HOUR).await;
    assert_eq!(ids(&world.claim(worker, 10).await), [run.id]);
    world.store.start_runs(APP, std::slice::from_ref(&run)).await.expect("it has started");
    assert!(world.claim(worker, 10).await.is_empty());
    assert_eq!(world.status(run.id).await, RunStatus::Running);
}

pub(super) async fn a_run_that_was_given_back_is_claimed_before_newer_ones(world: World) {
    let worker = world.worker(HOUR).await;
    let old = world.claimed(worker).await;
    let new = world.start(3).await;
    assert_eq!(ids(&world.claim(worker, 1).await), [new[0]]);
    world.flush(worker, &[step(old, 0, "a"), only(old, 1, Then::Release)]).await.expect("ours");
    assert_eq!(world.status(old).await, RunStatus::Queued);
    // A store may look past it for a while, but not once that is all there is.
    let mut claimed = Vec::new();
    while claimed.len() < 3 {
        claimed.extend(ids(&world.claim(worker, 3).await));
    }
    assert_eq!(claimed.into_iter().collect::<BTreeSet<_>>(), BTreeSet::from([old, new[1], new[2]]));
}

pub(super) async fn a_row_that_cannot_be_read_concerns_its_run_alone(world: World) {
    let runs = world.start(2).await;
    let worker = world.worker(HOUR).await;
    world.claim(worker, 2).await;
    let done = |run| commit(run, 0, vec![done("a"), done("b")], Then::Release);
    world.flush(worker, &[done(runs[0]), done(runs[1])]).await.expect("ours");
    let spoil = format!("transition = 'imagined' WHERE seq = 1 AND run_id = '{}'", runs[0]);
    world.database.update("journal", &spoil).await;

    let claimed = world.claim(worker, 2).await;
    assert_eq!(ids(&claimed), runs);
    let reason = claimed[0].unreadable.as_deref().expect("it is not whole");
    assert!(reason.contains("row 1") && reason.contains("`imagined`"), "{reason}");
    assert_eq!(claimed[1].unreadable, None);
    assert_eq!(claimed[1].origin.journal.len(), 2);
}

pub(super) async fn a_message_that_cannot_be_read_concerns_its_run_alone(world: World) {
    let runs = world.start(2).await;
    for run in &runs {
        world.store.cancel_run(*run, "enough").await.expect("it can be asked");
    }
    let spoil = format!("kind = 'imagined' WHERE run_id = '{}'", runs[0]);
    world.database.update("inbox", &spoil).await;

    let worker = world.worker(HOUR).await;
    let claimed = world.claim(worker, 2).await;
    assert_eq!(ids(&claimed), runs);
    assert!(claimed[0].unreadable.is_some());
    assert_eq!(claimed[1].unreadable, None);
    assert_eq!(world.inbox(worker, runs[1]).await.len(), 1);
    assert_eq!(world.inbox(worker, runs[0]).await, [], "it is passed over");
}
