use uuid::Uuid;

use super::World;
use super::world::{
    APP, HOUR, ORDER, PAID, commit, done, ids, json, only, reasons, step, wait, waited,
};
use crate::journal::{Change, Child, Content, Entry, RunCommit, RunId, Then};
use crate::store::RunStatus;
use crate::store::hints::Work;
use crate::workflow::StepKind;

fn restart(run: RunId, first_seq: u32, generation: u32) -> RunCommit {
    let input = json(&format!(r#"{{"after":{generation}}}"#));
    only(run, first_seq, Then::Restart { input, cancels: Vec::new(), generation })
}

pub(super) async fn a_restarted_run_begins_anew_under_its_id(world: World) {
    let worker = world.worker(HOUR).await;
    let run = world.claimed(worker).await;
    world.flush(worker, &[step(run, 0, "a")]).await.expect("it is ours");
    world.rung();
    let flushed = world.flush(worker, &[restart(run, 1, 0)]).await.expect("it is ours");
    assert!(world.rung().contains(Work::READY), "there is a run to claim");
    assert_eq!(world.status(run).await, RunStatus::Queued);
    assert_eq!(world.rows(run).await, 0);

    let claimed = world.claim(worker, 10).await;
    assert_eq!(ids(&claimed), [run]);
    let origin = &claimed[0].origin;
    assert_eq!(origin.trigger.data.as_str(), r#"{"after":0}"#);
    assert_eq!((origin.generation, origin.trigger.accepted_at), (1, flushed.at));
    assert!(origin.journal.is_empty());
    // Its rows are counted anew.
    world.flush(worker, &[step(run, 0, "a")]).await.expect("it is ours");
    let record = world.store.run(run).await.expect("it answers").expect("it is there");
    assert_eq!((record.generation, record.input.as_str()), (1, r#"{"after":0}"#));
}

pub(super) async fn a_restart_is_done_once(world: World) {
    let worker = world.worker(HOUR).await;
    let run = world.claimed(worker).await;
    let batch = [commit(run, 0, vec![done("a")], restart(run, 0, 0).then)];
    let id = Uuid::now_v7();
    let flushed = world.store.flush_commits(worker, id, &batch).await.expect("it is ours");
    let landed =
        world.store.landed_commits(id, &batch).await.expect("it answers").expect("it landed");
    assert_eq!((landed.at, landed.evicted), (flushed.at, vec![]));
    // The first sending arrives late, when the run is the worker's once more.
    assert_eq!(world.claim(worker, 1).await.len(), 1);
    let _ = world.store.flush_commits(worker, id, &[restart(run, 0, 0)]).await;
    let record = world.store.run(run).await.expect("it answers").expect("it is there");
    assert_eq!(record.generation, 1);
}

pub(super) async fn a_restart_by_another_worker_does_nothing(world: World) {
    let [worker, other] = [world.worker(HOUR).await, world.worker(HOUR).await];
    let run = world.claimed(worker).await;
    world.flush(worker, &[step(run, 0, "a")]).await.expect("it is ours");
    let flushed = world.flush(other, &[restart(run, 1, 0)]).await.expect("the lease is there");
    assert_eq!(flushed.evicted, [run]);
    assert_eq!(world.rows(run).await, 1);
}

pub(super) async fn a_restart_cancels_attached_children_only(world: World) {
    let worker = world.worker(HOUR).await;
    let parent = world.claimed(worker).await;
    let invoke = |key: &str, detached| {
        let child = Child {
            id: RunId::new(),
            workflow: ORDER,
            input: json("{}"),
            seed: Uuid::new_v4(),
            detached,
            cancels: Vec::new(),
            gates: Vec::new(),
            ahead: 0,
        };
        let id = child.id;
        let change = Change::Invoke { child, timeout: None };
        (id, Entry { key: key.into(), kind: StepKind::Invoke, started_at: None, change })
    };
    let (attached, first) = invoke("a", false);
    let (detached, second) = invoke("b", true);
    let begun = commit(parent, 0, vec![first, second], Then::Continue);
    world.flush(worker, &[begun]).await.expect("it is ours");
    assert_eq!(world.claim(worker, 10).await.len(), 2);
    world.flush(worker, &[restart(parent, 2, 0)]).await.expect("it is ours");
    let inbox = world.inbox(worker, attached).await;
    assert_eq!(reasons(&inbox), [format!("its parent run {parent} has begun anew")]);
    assert!(world.inbox(worker, detached).await.is_empty());
}

/// An event that comes between the last wait of one generation and the first of the next is not lost,
/// and one that was taken does not come again; so it goes on, and nothing piles up.
pub(super) async fn a_restarted_run_sees_the_events_that_it_has_not_taken(world: World) {
    world.subscribe(APP, &[PAID]).await;
    let worker = world.worker(HOUR).await;
    let run = world.claimed(worker).await;
    for generation in 0..5 {
        let taken = world.send(PAID, 7).await;
        let missed = world.send(PAID, 8).await;
        let waits = vec![wait("paid", 7)];
        world.flush(worker, &[commit(run, 0, waits, Then::Continue)]).await.expect("it is ours");
        let inbox = world.inbox(worker, run).await;
        let events: Vec<_> = inbox.iter().map(|message| message.id).collect();
        assert_eq!(events, [taken.as_uuid().into()], "in generation {generation}");
        assert!(matches!(inbox[0].content, Content::Event { .. }));
        let mut over = commit(run, 1, vec![waited("paid")], Then::Continue);
        over.taken = events;
        world.flush(worker, &[over]).await.expect("it is ours");

        world.flush(worker, &[restart(run, 2, generation * 2)]).await.expect("it is ours");
        assert_eq!(ids(&world.claim(worker, 1).await), [run]);
        // The next one takes what this one has not waited for.
        let waits = vec![wait("late", 8), wait("again", 7)];
        world.flush(worker, &[commit(run, 0, waits, Then::Continue)]).await.expect("it is ours");
        let inbox = world.inbox(worker, run).await;
        let events: Vec<_> = inbox.iter().map(|message| message.id).collect();
        assert_eq!(events, [missed.as_uuid().into()], "after generation {generation}");
        let rows = vec![waited("late"), waited("again")];
        let mut over = commit(run, 2, rows, Then::Continue);
        over.taken = events;
        world.flush(worker, &[over]).await.expect("it is ours");
        world.flush(worker, &[restart(run, 4, generation * 2 + 1)]).await.expect("it is ours");
        assert_eq!(ids(&world.claim(worker, 1).await), [run]);
        assert!(world.database.rows("inbox").await <= 4);
        assert_eq!(world.database.rows("waits").await, 0);
        assert_eq!(world.rows(run).await, 0);
    }
}
