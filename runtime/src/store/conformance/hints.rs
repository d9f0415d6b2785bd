use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::timeout;
use uuid::Uuid;

use super::World;
use super::gates::{LIMIT, declare, gate, open, slots, start_all};
use super::world::{
    APP, HOUR, ORDER, PAID, PLACED, PLACED_STARTS_ORDER, commit, deliveries, done, event, ids,
    json, only, program, route, uncancelled, wait, worker,
};
use crate::event::EventId;
use crate::flow::{Admission, Firing, Gathering, Keep, NewRun, Window};
use crate::journal::{
    Change, End, Entry, ErrorKind, ErrorRecord, OutgoingEvent, RunCommit, RunId, Then,
};
use crate::store::hints::Work;
use crate::store::{
    DueSchedule, Fork, Hosted, NewEvent, Registration, Replay, Routing, Schedule, StoredEvent,
};
use crate::workflow::{Hold, StepKind};

/// How soon another process hears.
const SOON: Duration = Duration::from_secs(10);

const NOTHING: Work = Work::empty();

impl World {
    /// Forgets what was stirred, does something, and says what that has stirred.
    async fn stirs<T>(&self, deed: impl Future<Output = T>) -> (T, Work) {
        self.rung();
        let done = deed.await;
        (done, self.rung())
    }
}

fn order(no: u32) -> NewEvent {
    event(PLACED, &format!(r#"{{"no":{no}}}"#))
}

pub(super) async fn whoever_starts_a_run_says_that_it_is_ready(world: World) {
    let (_, stirred) = world.stirs(world.start(1)).await;
    assert_eq!(stirred, Work::READY);
    let run = NewRun::new(ORDER, None, json("{}"));
    let hosted =
        Some(Hosted { runs: vec![run], parts: vec![PLACED_STARTS_ORDER.to_owned()].into() });
    let events = [NewEvent { hosted, ..order(1) }];
    let (ids, stirred) = world.stirs(world.store.accept_events(Some(APP), &events)).await;
    assert_eq!((ids.expect("accepted").len(), stirred), (1, Work::READY));

    let schedule = [Schedule { workflow: ORDER.to_owned(), rule: "now".to_owned() }];
    let registration = Registration { schedules: schedule.to_vec(), ..program(&[]) };
    world.store.register_app(&registration).await.expect("it registers");
    let timetable = |due: &DueSchedule| Firing {
        runs: vec![NewRun::new(ORDER, None, json("{}"))],
        next: due.now + SignedDuration::from_hours(1),
    };
    let (fired, stirred) =
        world.stirs(world.store.fire_schedules(APP, &schedule, &timetable)).await;
    assert_eq!((fired.expect("it fires").runs, stirred), (1, Work::READY));
    let (fired, stirred) =
        world.stirs(world.store.fire_schedules(APP, &schedule, &timetable)).await;
    assert_eq!((fired.expect("it fires").runs, stirred), (0, NOTHING));
}

pub(super) async fn whoever_accepts_an_event_says_that_it_is_to_be_routed(world: World) {
    let (_, stirred) = world.stirs(world.store.accept_events(None, &[order(1)])).await;
    assert_eq!(stirred, NOTHING, "nobody subscribes to it");
    world.subscribe(APP, &[PLACED]).await;
    let (_, stirred) = world.stirs(world.store.accept_events(None, &[order(1)])).await;
    assert_eq!(stirred, Work::DELIVERIES);
    let (_, stirred) = world.stirs(route(&*world.store)).await;
    assert_eq!(stirred, Work::READY);

    // So does a step.
    let worker = world.worker(HOUR).await;
    world.claim(worker, 10).await;
    let run = world.claimed(worker).await;
    let events = vec![OutgoingEvent { id: EventId::new(), name: PLACED, data: json("{}") }];
    let change = Change::Succeed { attempt: 1, outcome: json("null"), events, undo: false };
    let sent = Entry { key: "send".into(), kind: StepKind::SendEvent, change, started_at: None };
    let sent = [commit(run, 0, vec![sent], Then::Continue)];
    let (_, stirred) = world.stirs(world.flush(worker, &sent)).await;
    assert_eq!(stirred, Work::DELIVERIES);
    let step = [commit(run, 1, vec![done("a")], Then::Continue)];
    let (_, stirred) = world.stirs(world.flush(worker, &step)).await;
    assert_eq!(stirred, NOTHING, "a step concerns nobody else");
}

pub(super) async fn whoever_routes_says_whom_it_has_told_what(world: World) {
    world.subscribe(APP, &[PLACED, PAID]).await;
    let holder = world.worker(HOUR).await;
    let [driven, parked] = [world.claimed(holder).await, world.claimed(holder).await];
    let waits = [
        commit(driven, 0, vec![wait("paid", 7)], Then::Continue),
        commit(parked, 0, vec![wait("paid", 8)], Then::Park(None)),
    ];
    let (_, stirred) = world.stirs(world.flush(holder, &waits)).await;
    assert_eq!(stirred, NOTHING);
    let (_, stirred) = world.stirs(world.send(PAID, 7)).await;
    assert_eq!(stirred, Work::DELIVERIES | Work::MESSAGES);
    let (_, stirred) = world.stirs(world.send(PAID, 8)).await;
    assert!(stirred.contains(Work::DELIVERIES | Work::READY), "{stirred:?}");

    // What one program gathers, its own process looks after.
    world.store.accept_events(None, &[order(1)]).await.expect("accepted");
    let gather = |_: &StoredEvent| {
        let (workflow, key) = (ORDER.to_owned(), String::new());
        let (window, keep) = (Window::Fixed(Duration::ZERO), Keep::All);
        let batch = Gathering { workflow, key, max: 3, limit: 1_000, window, keep };
        Routing { admissions: vec![Admission::Gather(batch)], ..Routing::default() }
    };
    let (_, stirred) =
        world.stirs(world.store.route_deliveries(deliveries(APP, 10), &gather)).await;
    assert_eq!(stirred, Work::BATCHES);
    let (completed, stirred) =
        world.stirs(world.store.complete_batches(deliveries(APP, 10), &gather)).await;
    assert_eq!((completed.expect("it completes").runs, stirred), (1, Work::READY));
}

pub(super) async fn what_a_router_leaves_to_others_is_told(world: World) {
    world.subscribe(APP, &[PLACED]).await;
    let worker = worker(program(&[PLACED]));
    world.store.begin_lease(&worker, HOUR).await.expect("it joins");
    world.store.accept_events(None, &[order(1)]).await.expect("accepted");
    let block = |_: &StoredEvent| {
        let (workflow, reason) = (ORDER.to_owned(), "no".to_owned());
        Routing { admissions: vec![Admission::Block { workflow, reason }], ..Routing::default() }
    };
    let mine = crate::store::Deliveries { worker: worker.id, ..deliveries(APP, 10) };
    world.store.route_deliveries(mine, &block).await.expect("it routes");
    let registration = Registration {
        subscriptions: vec![crate::store::Subscription::start(PLACED, ORDER)],
        ..program(&[])
    };
    let (_, stirred) = world.stirs(world.store.register_app(&registration)).await;
    assert_eq!(stirred, Work::DELIVERIES, "another program may know");
}

pub(super) async fn whoever_lets_a_run_go_says_what_becomes_of_it(world: World) {
    let worker = world.worker(HOUR).await;
    let flush = async |then| {
        let run = world.claimed(worker).await;
        let commit = [only(run, 0, then)];
        (run, world.stirs(world.flush(worker, &commit)).await.1)
    };
    assert_eq!(flush(Then::Park(None)).await.1, NOTHING);
    assert_eq!(flush(Then::Park(Some(Timestamp::UNIX_EPOCH))).await.1, Work::TIMERS);
    let (woken, stirred) = world.stirs(world.store.wake_due(10)).await;
    assert_eq!((woken.expect("it wakes").runs, stirred), (1, Work::READY));
    let (woken, stirred) = world.stirs(world.store.wake_due(10)).await;
    assert_eq!((woken.expect("it wakes").runs, stirred), (0, NOTHING));
    world.claim(worker, 10).await;

    assert_eq!(flush(Then::End(End::Completed(json("1")))).await.1, NOTHING);
    let (held, stirred) = flush(Then::Hold("it does not fit".to_owned())).await;
    assert_eq!(stirred, NOTHING);
    let (_, stirred) = world.stirs(world.store.register_app(&program(&[]))).await;
    assert_eq!(stirred, Work::READY, "another program may drive {held}");
    world.claim(worker, 10).await;
    assert_eq!(flush(Then::Release).await.1, Work::READY);
    let (claimed, stirred) = world.stirs(world.claim(worker, 10)).await;
    assert_eq!((claimed.len(), stirred), (1, NOTHING));
}

pub(super) async fn whoever_takes_over_says_that_there_is_more_to_look_after(world: World) {
    let looked_after = Work::TIMERS | Work::BATCHES | Work::DELIVERIES;
    let idle = world.worker(HOUR).await;
    let (_, stirred) = world.stirs(world.store.end_lease(idle)).await;
    assert_eq!(stirred, looked_after);
    let busy = world.worker(HOUR).await;
    let run = world.claimed(busy).await;
    let (disowned, stirred) = world.stirs(world.store.disown_runs(busy, &[run])).await;
    assert_eq!((disowned.expect("it lives"), stirred), (0, NOTHING));
    let (disowned, stirred) = world.stirs(world.store.disown_runs(busy, &[])).await;
    assert_eq!((disowned.expect("it lives"), stirred), (1, Work::READY));
    world.claim(busy, 1).await;
    let (_, stirred) = world.stirs(world.store.end_lease(busy)).await;
    assert_eq!(stirred, looked_after | Work::READY);

    let dead = world.worker(Duration::ZERO).await;
    let (_, stirred) = world.stirs(world.take_over()).await;
    assert_eq!(stirred, looked_after, "{dead} is gone");
    let (_, stirred) = world.stirs(world.take_over()).await;
    assert_eq!(stirred, NOTHING);
}

pub(super) async fn operators_say_what_they_did(world: World) {
    let worker = world.worker(HOUR).await;
    let store = &*world.store;
    let [driven, parked] = [world.claimed(worker).await, world.claimed(worker).await];
    world.flush(worker, &[only(parked, 0, Then::Park(None))]).await.expect("it is ours");
    let (_, stirred) = world.stirs(store.cancel_run(driven, "enough")).await;
    assert_eq!(stirred, Work::MESSAGES);
    let (_, stirred) = world.stirs(store.cancel_run(parked, "enough")).await;
    assert!(stirred.contains(Work::READY), "{stirred:?}");
    world.claim(worker, 10).await;

    let failed = world.claimed(worker).await;
    let mut error = ErrorRecord::new(ErrorKind::Error, "no");
    error.step = Some("a".into());
    let change = Change::Fail { attempt: 1, of: 1, error: error.clone(), cancelled: None };
    let entries = vec![done("first"), Entry { change, ..done("a") }];
    let end = commit(failed, 0, entries, Then::End(End::Failed(error)));
    world.flush(worker, &[end]).await.expect("it is ours");
    let replay = |source| Replay { source, id: RunId::new(), seed: Uuid::new_v4(), input: None };
    let (_, stirred) = world.stirs(store.replay_runs(&[replay(failed)], &uncancelled)).await;
    assert_eq!(stirred, Work::READY);
    let (_, stirred) = world.stirs(store.replay_runs(&[replay(driven)], &uncancelled)).await;
    assert_eq!(stirred, NOTHING, "it is not over");
    let fork = Fork { source: failed, id: RunId::new(), state: "a".to_owned() };
    let (forked, stirred) = world.stirs(store.fork_run(&fork, &uncancelled)).await;
    assert_eq!((forked.expect("it answers"), stirred), (Ok(()), Work::READY));
    let (_, stirred) = world.stirs(store.retry_runs(&[failed], &uncancelled)).await;
    assert_eq!(stirred, Work::READY);
    let (_, stirred) = world.stirs(store.retry_runs(&[failed], &uncancelled)).await;
    assert_eq!(stirred, NOTHING, "it has not failed");

    let (_, stirred) = world.stirs(store.pause_workflow(APP, ORDER)).await;
    assert_eq!(stirred, Work::PAUSES);
    let (_, stirred) = world.stirs(store.resume_workflow(APP, ORDER)).await;
    assert_eq!(stirred, Work::PAUSES | Work::READY);
}

pub(super) async fn whoever_has_runs_come_to_their_gates_says_so(world: World) {
    declare(&world, slots(9)).await;
    let worker = world.worker(HOUR).await;
    let gates = [gate(LIMIT, "1", Hold::Active)];
    let rings = async |deed: &str| {
        assert!(world.rung_in_all().contains(Work::GATES), "{deed}");
        open(&world).await;
        let claimed = ids(&world.claim(worker, 10).await);
        world.rung();
        claimed
    };
    world.rung();
    start_all(&world, 1, &gates).await;
    let run = rings("a start").await[0];
    let park = commit(run, 0, vec![done("a")], Then::Park(Some(Timestamp::UNIX_EPOCH)));
    world.flush(worker, &[park]).await.expect("it is ours");
    rings("a slot that is free").await;
    world.store.wake_due(10).await.expect("it wakes");
    assert_eq!(rings("a timer").await, [run]);
    world.flush(worker, &[only(run, 1, Then::Release)]).await.expect("it is ours");
    assert_eq!(rings("a run that is let go").await, [run]);
    world.store.disown_runs(worker, &[]).await.expect("it answers");
    assert_eq!(rings("a run that is disowned").await, [run]);
    let hold = only(run, 1, Then::Hold("it does not fit".to_owned()));
    world.flush(worker, &[hold]).await.expect("it is ours");
    world.rung();
    let registration = Registration { limits: slots(9), ..program(&[]) };
    world.store.register_app(&registration).await.expect("it registers");
    assert_eq!(rings("another program").await, [run]);
    world.flush(worker, &[only(run, 1, Then::Park(None))]).await.expect("it is ours");
    world.rung();
    world.store.cancel_run(run, "enough").await.expect("it is told");
    assert_eq!(rings("a message").await, [run]);
}

/// What a batch has stirred whose reply was lost nobody was told.
pub(super) async fn a_flush_that_has_landed_is_told_of(world: World) {
    let worker = world.worker(HOUR).await;
    let run = world.claimed(worker).await;
    let (id, batch) = (Uuid::now_v7(), [only(run, 0, Then::Release)]);
    let (landed, stirred) = world.stirs(world.store.landed_commits(id, &batch)).await;
    assert_eq!((landed.expect("it answers").is_some(), stirred), (false, NOTHING));
    world.store.flush_commits(worker, id, &batch).await.expect("it is ours");
    let (landed, stirred) = world.stirs(world.store.landed_commits(id, &batch)).await;
    assert!(landed.expect("it answers").is_some());
    assert!(stirred.contains(Work::READY), "{stirred:?}");
}

pub(super) async fn other_processes_hear_of_it(world: World) {
    world.subscribe(APP, &[PAID]).await;
    // It is there when the other process begins to listen.
    let worker = world.worker(HOUR).await;
    let other = world.another().await;
    other.listen(APP, HOUR).await;
    let hints = other.hints();
    // It begins with a look at all that there was before.
    let begun = async {
        hints.ready.notified().await;
    };
    timeout(SOON, begun).await.expect("it listens");
    hints.rung();
    let heard = async |what: &str, bell: &tokio::sync::Notify| {
        let heard = timeout(SOON, bell.notified()).await;
        heard.unwrap_or_else(|_| panic!("nothing is heard of {what}"));
    };
    world.start(1).await;
    heard("a run", &hints.ready).await;
    world.store.accept_events(None, &[event(PAID, "{}")]).await.expect("accepted");
    heard("an event", &hints.deliveries).await;
    world.store.pause_workflow(APP, ORDER).await.expect("it answers");
    heard("a pause", &hints.pauses).await;
    world.store.resume_workflow(APP, ORDER).await.expect("it answers");
    heard("an end of a pause", &hints.pauses).await;
    heard("what waited for that", &hints.ready).await;
    hints.rung();
    world.store.end_lease(worker).await.expect("it lives");
    heard("timers that nobody looks after", &hints.timers).await;
    heard("batches that nobody looks after", &hints.batches).await;
    other.close().await;
}

pub(super) async fn an_end_that_is_waited_for_is_told_to_other_processes(world: World) {
    world.store.listen(APP, HOUR).await;
    let other = world.another().await;
    other.listen(APP, HOUR).await;
    let worker = world.worker(HOUR).await;
    for _ in 0..3 {
        let run = world.claimed(worker).await;
        let first = other.hints().await_end(run);
        let second = other.hints().await_end(run);
        let end: RunCommit = only(run, 0, Then::End(End::Completed(json("1"))));
        world.flush(worker, &[end]).await.expect("it is ours");
        timeout(SOON, first.told()).await.expect("it is told");
        timeout(SOON, second.told()).await.expect("so is everybody who waits");
    }
    assert_eq!(other.hints().polled(), 0);
    other.close().await;
}

/// Nobody says so, as the process has died.
pub(super) async fn an_end_of_which_nobody_speaks_is_found_by_polling(world: World) {
    let worker = world.worker(HOUR).await;
    let run = world.claimed(worker).await;
    world.store.listen(APP, Duration::from_millis(50)).await;
    let awaited = world.store.hints().await_end(run);
    let over = format!(
        "status = 'cancelled', ended_at = accepted_at, accepted_at = accepted_at WHERE id = '{run}'"
    );
    world.database.update("runs", &over).await;
    timeout(SOON, awaited.told()).await.expect("it is found");
    // One that was over for longer than a hint takes has not been spoken of.
    let counted = async {
        while world.store.hints().polled() == 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, counted).await.expect("it is counted");
    drop(awaited);
}
