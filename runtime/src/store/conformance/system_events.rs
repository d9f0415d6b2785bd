//! System events: those that the ends of runs and blocked events make.

use uuid::Uuid;

use super::children::{child, invoke};
use super::world::{
    APP, HOUR, ORDER, PLACED, World, commit, deliveries, done, event, ids, json, only, program,
    uncancelled,
};
use crate::event::EventId;
use crate::flow::Admission;
use crate::journal::{End, OutgoingEvent, RunCommit, RunId, Then};
use crate::store::{Deliveries, Fork, NewEvent, Replay, Routing, StoredEvent, Subscription};

const COMPLETED: &str = "indelible/run.completed";

/// The end of a run, which is told of.
fn end(run: RunId) -> RunCommit {
    let told = OutgoingEvent { id: EventId::new(), name: COMPLETED, data: json("{}") };
    let end = commit(run, 0, vec![done("a")], Then::End(End::Completed(json("1"))));
    RunCommit { events: vec![told], ..end }
}

/// The events of this name that an app has not routed yet.
async fn delivered(world: &World, app: &str, name: &str) -> Vec<EventId> {
    let seen = std::sync::Mutex::new(Vec::new());
    let router = |event: &StoredEvent| {
        seen.lock().expect("no router panics here").push(event.id);
        Routing::default()
    };
    let parts = [name.to_owned()];
    let deliveries = Deliveries { parts: &parts, ..deliveries(app, 10) };
    while world.store.route_deliveries(deliveries, &router).await.expect("it routes") > 0 {}
    seen.into_inner().expect("no router panics here")
}

pub(super) async fn the_end_of_a_run_makes_its_event_once(world: World) {
    world.subscribe(APP, &[COMPLETED]).await;
    let worker = world.worker(HOUR).await;
    let run = world.claimed(worker).await;
    let (id, batch) = (Uuid::now_v7(), [end(run)]);
    world.store.flush_commits(worker, id, &batch).await.expect("it is ours");
    // Its reply was lost, and it comes once more.
    let landed = world.store.landed_commits(id, &batch).await.expect("it answers");
    assert!(landed.expect("it has landed").evicted.is_empty());
    let again = world.store.flush_commits(worker, id, &batch).await.expect("its lease holds");
    assert_eq!(again.evicted, [run]);
    assert_eq!(delivered(&world, APP, COMPLETED).await, [batch[0].events[0].id]);
}

pub(super) async fn a_run_that_is_another_s_makes_no_event(world: World) {
    world.subscribe(APP, &[COMPLETED]).await;
    let worker = world.worker(HOUR).await;
    let run = world.claimed(worker).await;
    world.flush(worker, &[only(run, 0, Then::Release)]).await.expect("it is ours");
    let flushed = world.flush(worker, &[end(run)]).await.expect("its lease holds");
    assert_eq!(flushed.evicted, [run]);
    assert_eq!(delivered(&world, APP, COMPLETED).await, []);
}

pub(super) async fn system_events_are_for_their_own_app(world: World) {
    for app in [APP, "bank"] {
        world.subscribe(app, &[COMPLETED]).await;
    }
    let worker = world.worker(HOUR).await;
    let run = world.claimed(worker).await;
    world.flush(worker, &[end(run)]).await.expect("it is ours");
    assert_eq!(delivered(&world, "bank", COMPLETED).await, []);
    assert_eq!(delivered(&world, APP, COMPLETED).await.len(), 1);
}

pub(super) async fn a_blocked_event_is_told_of_once(world: World) {
    const BLOCKED: &str = "indelible/event.blocked";
    for app in [APP, "bank"] {
        world.subscribe(app, &[PLACED, BLOCKED]).await;
    }
    let placed = event(PLACED, "{}");
    world.store.accept_events(None, std::slice::from_ref(&placed)).await.expect("it is accepted");
    let told = NewEvent { id: EventId::new(), ..event(BLOCKED, "{}") };
    let router = |_: &StoredEvent| {
        let (workflow, reason) = (ORDER.to_owned(), "it panicked".to_owned());
        let admissions = vec![Admission::Block { workflow, reason }];
        Routing { admissions, keys: Vec::new(), reports: vec![told.clone()] }
    };
    let route = async || {
        let routed = world.store.route_deliveries(deliveries(APP, 10), &router).await;
        assert_eq!(routed.expect("it routes"), 1);
    };
    route().await;
    assert_eq!(delivered(&world, APP, BLOCKED).await, [told.id]);
    assert_eq!(delivered(&world, "bank", BLOCKED).await, []);
    // It is tried again, and it is still blocked.
    let mut program = program(&[PLACED, BLOCKED]);
    program.subscriptions.push(Subscription::start(PLACED, ORDER));
    world.store.register_app(&program).await.expect("it registers");
    route().await;
    assert_eq!(delivered(&world, APP, BLOCKED).await, []);
}

pub(super) async fn what_a_silent_run_starts_is_silent(world: World) {
    let worker = world.worker(HOUR).await;
    let run = world.claimed(worker).await;
    let silent_child = child(true);
    let entries = vec![invoke(&silent_child)];
    let silent = RunCommit { silent: true, ..commit(run, 0, entries, Then::Continue) };
    world.flush(worker, &[silent]).await.expect("it is ours");
    let claimed = world.claim(worker, 1).await;
    assert_eq!(ids(&claimed), [silent_child.id]);
    assert!(claimed[0].silent);

    // So is what it starts, and what is made of it.
    let over = only(silent_child.id, 0, Then::End(End::Completed(json("1"))));
    let lines = vec![done("a")];
    world.flush(worker, &[commit(silent_child.id, 0, lines, Then::Continue)]).await.expect("ours");
    world.flush(worker, &[RunCommit { first_seq: 1, ..over }]).await.expect("it is ours");
    let (id, seed) = (RunId::new(), Uuid::new_v4());
    let replay = Replay { source: silent_child.id, id, seed, input: None };
    let replayed = world.store.replay_runs(&[replay], &uncancelled).await.expect("it answers");
    assert_eq!(replayed, [Ok(())]);
    let fork = Fork { source: silent_child.id, id: RunId::new(), state: "a".to_owned() };
    world.store.fork_run(&fork, &uncancelled).await.expect("it answers").expect("it can be forked");
    let claimed = world.claim(worker, 10).await;
    assert_eq!(claimed.len(), 2);
    assert!(claimed.iter().all(|run| run.silent));

    let loud = child(true);
    let entries = vec![invoke(&loud)];
    world.flush(worker, &[commit(run, 1, entries, Then::Continue)]).await.expect("it is ours");
    assert!(!world.claim(worker, 1).await[0].silent);
}
