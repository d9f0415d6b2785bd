use uuid::Uuid;

use super::World;
use super::world::{
    APP, HOUR, ORDER, PAID, PLACED, commit, done, event, ids, json, numbered, only, reasons,
    uncancelled, wait,
};
use crate::flow::{Admission, NewRun};
use crate::journal::{
    CancelKey, Change, Child, End, Entry, ErrorKind, ErrorRecord, MatchKey, RunId, Then,
};
use crate::payload::Payload;
use crate::store::hints::Work;
use crate::store::{ClaimedRun, Fork, Replay, Routing, RunStatus, StoredEvent};
use crate::workflow::StepKind;

const REASON: &str = "the event `order/paid` cancels it";

/// What cancels a run of the order with this number.
fn cancels(no: u32) -> Vec<CancelKey> {
    vec![CancelKey { event: PAID, awaited: numbered(PAID, no) }]
}

fn order(no: u32) -> NewRun {
    let input = json(&format!(r#"{{"no":{no}}}"#));
    NewRun { cancels: cancels(no), ..NewRun::new(ORDER, None, input) }
}

async fn start(world: &World, no: u32) -> RunId {
    let run = order(no);
    world.store.start_runs(APP, std::slice::from_ref(&run)).await.expect("it starts");
    run.id
}

pub(super) async fn an_event_cancels_a_run_that_has_not_begun(world: World) {
    world.subscribe(APP, &[PAID]).await;
    let run = start(&world, 7).await;
    world.send(PAID, 8).await;
    world.send(PAID, 7).await;
    let worker = world.worker(HOUR).await;
    let claimed = world.claim(worker, 10).await;
    assert_eq!(ids(&claimed), [run]);
    assert_eq!(reasons(&claimed[0].inbox), [REASON]);
}

pub(super) async fn an_event_cancels_a_run_wherever_it_stands(world: World) {
    world.subscribe(APP, &[PAID]).await;
    let worker = world.worker(HOUR).await;
    let mut runs = Vec::new();
    let hold = Then::Hold("it does not fit".to_owned());
    for then in [Then::Continue, Then::Park(None), hold] {
        let run = start(&world, 7).await;
        assert_eq!(ids(&world.claim(worker, 10).await), [run]);
        let batch = [commit(run, 0, vec![done("a")], then)];
        world.flush(worker, &batch).await.expect("it is ours");
        runs.push(run);
    }
    world.send(PAID, 7).await;
    assert_eq!(reasons(&world.inbox(worker, runs[0]).await), [REASON]);
    let mut roused = ids(&world.claim(worker, 10).await);
    roused.sort();
    let mut resting = runs[1..].to_vec();
    resting.sort();
    assert_eq!(roused, resting);
}

pub(super) async fn a_cancellation_before_the_trigger_does_nothing(world: World) {
    world.subscribe(APP, &[PAID]).await;
    world.send(PAID, 7).await;
    start(&world, 7).await;
    let worker = world.worker(HOUR).await;
    let claimed = world.claim(worker, 10).await;
    assert_eq!(claimed[0].inbox, []);
}

/// The trigger comes first, and then what cancels it; both are routed later.
pub(super) async fn a_cancellation_that_overtakes_its_run_wins(world: World) {
    world.subscribe(APP, &[PLACED, PAID]).await;
    for name in [PLACED, PAID] {
        let event = event(name, r#"{"no":7}"#);
        world.store.accept_events(None, &[event]).await.expect("it is accepted");
    }
    let router = |event: &StoredEvent| {
        let data = event.data.decode().expect("it is JSON");
        let keys = vec![MatchKey::of(&event.name, &data, &["no"])];
        let run = || NewRun { event: Some(event.id), ..order(7) };
        let admissions = if event.name == PLACED { vec![Admission::Start(run())] } else { vec![] };
        Routing { admissions, keys, reports: Vec::new() }
    };
    // The one after the other, so that the run is there before its cancellation.
    while world
        .store
        .route_deliveries(super::world::deliveries(APP, 1), &router)
        .await
        .expect("it routes")
        > 0
    {}
    // And both at once.
    for name in [PLACED, PAID] {
        let event = event(name, r#"{"no":7}"#);
        world.store.accept_events(None, &[event]).await.expect("it is accepted");
    }
    world
        .store
        .route_deliveries(super::world::deliveries(APP, 10), &router)
        .await
        .expect("it routes");
    let worker = world.worker(HOUR).await;
    let claimed = world.claim(worker, 10).await;
    assert_eq!(claimed.len(), 2);
    // What cancels the second came after the first, too.
    let told: Vec<_> = claimed.iter().map(|run| run.inbox.len()).collect();
    assert_eq!(told, [2, 1]);
    assert!(claimed.iter().all(|run| reasons(&run.inbox).iter().all(|reason| *reason == REASON)));
}

pub(super) async fn a_cancellation_wins_over_a_wait_of_its_run(world: World) {
    world.subscribe(APP, &[PAID]).await;
    let run = start(&world, 7).await;
    let worker = world.worker(HOUR).await;
    assert_eq!(ids(&world.claim(worker, 10).await), [run]);
    let waits = commit(run, 0, vec![wait("paid", 7)], Then::Continue);
    world.flush(worker, &[waits]).await.expect("it is ours");
    world.send(PAID, 7).await;
    assert_eq!(reasons(&world.inbox(worker, run).await), [REASON]);
}

pub(super) async fn a_cancellation_after_the_end_does_nothing(world: World) {
    world.subscribe(APP, &[PAID]).await;
    let run = start(&world, 7).await;
    let worker = world.worker(HOUR).await;
    assert_eq!(ids(&world.claim(worker, 10).await), [run]);
    let end = only(run, 0, Then::End(End::Completed(json("1"))));
    world.flush(worker, &[end]).await.expect("it is ours");
    world.send(PAID, 7).await;
    assert_eq!(world.database.rows("waits").await, 0);
    assert_eq!(world.database.rows("inbox").await, 0);
    assert_eq!(world.status(run).await, RunStatus::Completed);
}

pub(super) async fn children_and_later_generations_are_cancelled_too(world: World) {
    world.subscribe(APP, &[PAID]).await;
    let worker = world.worker(HOUR).await;
    let parent = start(&world, 1).await;
    assert_eq!(ids(&world.claim(worker, 10).await), [parent]);
    let child = Child {
        id: RunId::new(),
        workflow: ORDER,
        input: json("{}"),
        seed: Uuid::new_v4(),
        detached: false,
        cancels: cancels(2),
        gates: Vec::new(),
        ahead: 0,
    };
    let id = child.id;
    let change = Change::Invoke { child, timeout: None };
    let invoked = Entry { key: "ship".into(), kind: StepKind::Invoke, started_at: None, change };
    world.flush(worker, &[commit(parent, 0, vec![invoked], Then::Continue)]).await.expect("ours");
    assert_eq!(ids(&world.claim(worker, 10).await), [id]);
    let again = start(&world, 3).await;
    assert_eq!(ids(&world.claim(worker, 10).await), [again]);
    let then = Then::Restart { input: json("{}"), cancels: cancels(4), generation: 0 };
    world.flush(worker, &[only(again, 0, then)]).await.expect("it is ours");
    assert_eq!(ids(&world.claim(worker, 10).await), [again]);
    for no in 1..=4 {
        world.send(PAID, no).await;
    }
    for run in [parent, id, again] {
        assert_eq!(reasons(&world.inbox(worker, run).await), [REASON]);
    }
}

pub(super) async fn handlers_start_in_the_commit_that_ends_their_run(world: World) {
    let [worker, other] = [world.worker(HOUR).await, world.worker(HOUR).await];
    let run = world.claimed(worker).await;
    let handler = Child {
        id: RunId::new(),
        workflow: ORDER,
        input: json(r#"{"run":1}"#),
        seed: Uuid::new_v4(),
        detached: true,
        cancels: Vec::new(),
        gates: Vec::new(),
        ahead: 0,
    };
    let id = handler.id;
    let mut end = only(run, 0, Then::End(End::Cancelled("enough".to_owned())));
    end.handlers.push(handler);
    let evicted = world.flush(other, std::slice::from_ref(&end)).await.expect("it has a lease");
    assert_eq!(evicted.evicted, [run]);
    assert!(world.store.run(id).await.expect("it answers").is_none());

    world.rung();
    world.flush(worker, &[end]).await.expect("it is ours");
    assert!(world.rung().contains(Work::READY), "there is a run to claim");
    let claimed = world.claim(worker, 10).await;
    assert_eq!(ids(&claimed), [id]);
    assert_eq!(claimed[0].origin.trigger.data.as_str(), r#"{"run":1}"#);
    assert!(claimed[0].inbox.is_empty(), "it does not end with the run");
}

/// What came after the end of the run that an operator has begun again is of no more interest.
pub(super) async fn what_an_operator_begins_is_cancelled_by_later_events(world: World) {
    world.subscribe(APP, &[PAID]).await;
    let worker = world.worker(HOUR).await;
    let cancelled = |workflow: &str, input: &Payload| {
        assert_eq!((workflow, input.as_str()), (ORDER, r#"{"no":7}"#));
        cancels(7)
    };
    let run = start(&world, 7).await;
    assert_eq!(ids(&world.claim(worker, 10).await), [run]);
    let error = ErrorRecord::new(ErrorKind::Error, "no stock");
    let failing = commit(run, 0, vec![done("a")], Then::End(End::Failed(error)));
    world.flush(worker, &[failing]).await.expect("it is ours");
    world.send(PAID, 7).await;

    let fork = Fork { source: run, id: RunId::new(), state: "a".to_owned() };
    world.store.fork_run(&fork, &cancelled).await.expect("it answers").expect("it was there");
    let seed = Uuid::new_v4();
    let replay = Replay { source: run, id: RunId::new(), seed, input: None };
    let replayed = world.store.replay_runs(std::slice::from_ref(&replay), &cancelled).await;
    assert_eq!(replayed.expect("it answers"), [Ok(())]);
    assert_eq!(world.store.retry_runs(&[run], &cancelled).await.expect("it answers"), [Ok(())]);

    let claimed = world.claim(worker, 10).await;
    let mut runs = [run, fork.id, replay.id];
    runs.sort();
    assert_eq!(sorted(&claimed), runs);
    assert!(claimed.iter().all(|run| run.inbox.is_empty()));
    world.send(PAID, 7).await;
    for run in runs {
        assert_eq!(reasons(&world.inbox(worker, run).await), [REASON]);
    }
}

/// Whoever takes a run over that is being undone has to know that it was asked to cancel; who takes it
/// up again after its end does not.
pub(super) async fn a_cancellation_that_was_taken_is_told_to_the_next_worker(world: World) {
    let worker = world.worker(HOUR).await;
    let run = world.claimed(worker).await;
    assert!(world.store.cancel_run(run, "enough").await.expect("it answers"));
    let inbox = world.inbox(worker, run).await;
    assert_eq!(reasons(&inbox), ["enough"]);
    let mut taken = commit(run, 0, vec![done("a")], Then::Park(None));
    taken.taken = inbox.iter().map(|message| message.id).collect();
    world.flush(worker, &[taken]).await.expect("it is ours");
    assert!(world.claim(worker, 10).await.is_empty(), "it does not keep the run awake");

    assert!(world.store.cancel_run(run, "at last").await.expect("it answers"));
    let claimed = world.claim(worker, 10).await;
    assert_eq!(reasons(&claimed[0].inbox), ["enough", "at last"]);
    let error = ErrorRecord::new(ErrorKind::Error, "no stock");
    let mut end = only(run, 1, Then::End(End::Failed(error)));
    end.taken = claimed[0].inbox.iter().map(|message| message.id).collect();
    world.flush(worker, &[end]).await.expect("it is ours");
    let retried = world.store.retry_runs(&[run], &uncancelled).await;
    assert_eq!(retried.expect("it answers"), [Ok(())]);
    assert!(world.claim(worker, 10).await[0].inbox.is_empty());
}

fn sorted(claimed: &[ClaimedRun]) -> Vec<RunId> {
    let mut runs = ids(claimed);
    runs.sort();
    runs
}
