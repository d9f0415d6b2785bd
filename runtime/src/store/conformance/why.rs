use jiff::Timestamp;

use super::World;
use super::gates::{
    LIMIT, PACE, declare, ended, gate, open, rated, send, slots, start_all, window,
};
use super::world::{
    APP, HOUR, ORDER, PAID, PLACED, claim_for, commit, deliveries, done_with, driven, event, ids,
    json, only, program, step, wait,
};
use crate::event::EventId;
use crate::flow::{Admission, Gathering, Keep, Window};
use crate::journal::{
    Change, Child, Due, End, Entry, ErrorKind, ErrorRecord, MessageId, RunCommit, RunId, Then,
};
use crate::store::{
    EventRecord, Registration, Routing, RunQuery, RunReason, RunReasons, RunStatus, StoredEvent,
    Subscription,
};
use crate::workflow::{Allowance, Declared, Hold, StepKind};

async fn why(world: &World, run: RunId) -> RunReasons {
    world.store.why(run).await.expect("the store answers").expect("there is such a run")
}

/// The only reason.
async fn reason(world: &World, run: RunId) -> RunReason {
    let RunReasons { mut reasons, more, .. } = why(world, run).await;
    assert_eq!((reasons.len(), more), (1, 0), "{reasons:?}");
    reasons.remove(0)
}

async fn did(world: &World, event: EventId) -> EventRecord {
    let found = world.store.event(event).await.expect("the store answers");
    found.expect("there is such an event").0
}

fn entry(key: &str, kind: StepKind, change: Change) -> Entry {
    Entry { key: key.into(), kind, change, started_at: None }
}

fn sleep(key: &str) -> Entry {
    entry(key, StepKind::Sleep, Change::Sleep(Due::After(HOUR)))
}

fn error() -> ErrorRecord {
    ErrorRecord::new(ErrorKind::Error, "the bank is closed")
}

pub(super) async fn a_run_that_is_ready_says_what_is_before_it(world: World) {
    world.subscribe(APP, &[]).await;
    let runs = world.start(3).await;
    let stranded = RunReason::Stranded { workers: 0, shape: None };
    assert_eq!(reason(&world, runs[2]).await, stranded);

    let worker = world.worker(HOUR).await;
    let queued = |before| RunReason::Queued { workers: 1, before, suspected: None };
    assert_eq!(reason(&world, runs[0]).await, queued(0));
    assert_eq!(reason(&world, runs[2]).await, queued(2));
    assert!(world.store.why(RunId::new()).await.expect("the store answers").is_none());

    world.claim(worker, 1).await;
    let RunReason::Running { worker: by, process, last, .. } = reason(&world, runs[0]).await else {
        panic!("nobody drives it")
    };
    assert_eq!((by, process, last), (worker.as_uuid(), Some(("here".to_owned(), 1)), None));
    assert_eq!(reason(&world, runs[2]).await, queued(1));
    world.flush(worker, &[step(runs[0], 0, "charge")]).await.expect("it commits");
    let RunReason::Running { last, .. } = reason(&world, runs[0]).await else {
        panic!("nobody drives it")
    };
    assert_eq!(last.map(|(state, _)| state.to_string()).as_deref(), Some("charge"));

    // A worker that has it in another shape only.
    world.flush(worker, &[only(runs[0], 1, Then::Release)]).await.expect("it is released");
    world.store.end_lease(worker).await.expect("it leaves");
    let other = world.worker_of(HOUR, driven(2, true)).await;
    let shape = Some(driven(1, false).shape);
    assert_eq!(reason(&world, runs[0]).await, RunReason::Stranded { workers: 1, shape });
    let claimed = claim_for(&*world.store, other, 10, driven(2, true)).await;
    assert_eq!(claimed.expect("it can claim").len(), 2);
}

pub(super) async fn a_run_says_which_runs_hold_the_slots_of_its_key(world: World) {
    declare(&world, slots(7)).await;
    let worker = world.worker(HOUR).await;
    let runs = start_all(&world, 10, &[gate(LIMIT, "1", Hold::Active)]).await;
    assert_eq!(reason(&world, runs[9]).await, RunReason::AtItsLimits);
    open(&world).await;
    start_all(&world, 1, &[gate(LIMIT, "2", Hold::Active)]).await;
    let RunReason::AwaitsSlot { limit, key, slots, holding, holders, before, .. } =
        reason(&world, runs[9]).await
    else {
        panic!("it does not wait for a slot")
    };
    assert_eq!((&*limit, &*key, slots, holding, before), (LIMIT, "1", Some(7), 7, 2));
    let holders: Vec<_> = holders.iter().map(|holder| holder.run).collect();
    assert_eq!(holders, runs[..5], "those that have held it for longest");

    world.claim(worker, 1).await;
    world.flush(worker, &[only(runs[0], 0, ended())]).await.expect("it ends");
    open(&world).await;
    let RunReason::AwaitsSlot { holding, before, .. } = reason(&world, runs[9]).await else {
        panic!("it does not wait for a slot")
    };
    assert_eq!((holding, before), (7, 1));
}

pub(super) async fn a_throttled_run_says_when_the_next_may_start(world: World) {
    let allows = Allowance::Pace { limit: 1, per: HOUR, burst: 0 };
    declare(&world, vec![Declared { limit: PACE.to_owned(), allows }]).await;
    world.worker(HOUR).await;
    let runs = start_all(&world, 3, &[gate(PACE, "", Hold::Pass)]).await;
    open(&world).await;
    let RunReason::Throttled { limit, key, allows: allowed, next, before, since } =
        reason(&world, runs[2]).await
    else {
        panic!("it is not throttled")
    };
    assert_eq!((&*limit, &*key, allowed, before), (PACE, "", allows, 1));
    let next = next.expect("it is known").duration_since(since);
    assert!(next.as_secs() > 3_500 && next.as_secs() <= 3_600, "{next}");
}

pub(super) async fn a_parked_run_says_what_it_waits_for(world: World) {
    world.subscribe(APP, &[PAID]).await;
    let worker = world.worker(HOUR).await;
    let run = world.claimed(worker).await;
    let child = Child {
        id: RunId::new(),
        workflow: ORDER,
        input: json("{}"),
        seed: RunId::new().as_uuid(),
        detached: false,
        cancels: Vec::new(),
        gates: Vec::new(),
        ahead: 0,
    };
    let of = child.id;
    let retry = Change::Retry { attempt: 2, of: 3, after: HOUR, error: error() };
    let entries = vec![
        sleep("nap"),
        wait("paid", 7),
        entry("packed", StepKind::Invoke, Change::Invoke { child, timeout: Some(HOUR) }),
        entry("charge", StepKind::Run, retry),
        sleep("over"),
        entry("over", StepKind::Sleep, Change::Abandon { cancelled: None }),
    ];
    let parked = commit(run, 0, entries, Then::Park(None));
    world.flush(worker, &[parked]).await.expect("it parks");

    let RunReasons { status, reasons, at, .. } = why(&world, run).await;
    assert_eq!(status, RunStatus::Waiting);
    let in_an_hour = |time: Timestamp| {
        let after = time.duration_since(at);
        after.as_secs() > 3_500 && after.as_secs() <= 3_600
    };
    let [
        RunReason::Sleeps { state: nap, until },
        RunReason::AwaitsEvent { state: paid, event, until: None, .. },
        RunReason::AwaitsRun { state: packed, run: awaited, standing, until: Some(latest) },
        RunReason::Retries { state: charge, attempt: 2, error: failed, due },
    ] = &*reasons
    else {
        panic!("{reasons:?}")
    };
    let states = [nap, paid, packed, charge].map(ToString::to_string);
    assert_eq!(states, ["nap", "paid", "packed", "charge"]);
    assert!([until, latest, due].into_iter().all(|time| in_an_hour(*time)), "{reasons:?}");
    let event = event.as_ref().expect("it was kept");
    assert_eq!(event.to_string(), "`order/paid` with no = 7");
    assert_eq!((awaited, failed), (&of, &error()));
    assert_eq!(standing.as_ref(), Some(&(ORDER.to_owned(), RunStatus::Queued)));

    world.store.end_lease(worker).await.expect("it leaves");
    let RunReasons { reasons, .. } = why(&world, run).await;
    assert_eq!(
        (reasons.len(), &reasons[0]),
        (5, &RunReason::Stranded { workers: 0, shape: Some(driven(1, false).shape) })
    );
}

pub(super) async fn a_run_says_what_operators_and_programs_did(world: World) {
    let worker = world.worker(HOUR).await;
    let [first, second] = [world.claimed(worker).await, world.claimed(worker).await];
    world.store.pause_workflow(APP, ORDER).await.expect("it is paused");
    assert!(matches!(
        &*why(&world, first).await.reasons,
        [RunReason::Paused { .. }, RunReason::Running { .. }]
    ));
    world.store.resume_workflow(APP, ORDER).await.expect("it is resumed");

    assert!(world.store.cancel_run(first, "by mistake").await.expect("the store answers"));
    let asked = |reasons: &[RunReason]| match reasons {
        [RunReason::CancelAsked { reason, .. }, RunReason::Running { .. }, ..] => reason.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(asked(&why(&world, first).await.reasons), "by mistake");
    let undo = Change::Undo { error: error(), cancelled: Vec::new() };
    let entries = vec![sleep("nap"), entry("(undo)", StepKind::Undo, undo)];
    let taken = vec![MessageId::from(first.as_uuid())];
    let undoing = RunCommit { taken, ..commit(first, 0, entries, Then::Continue) };
    world.flush(worker, &[undoing]).await.expect("it commits");
    let RunReasons { reasons, .. } = why(&world, first).await;
    let undoes = |reason: &RunReason| matches!(reason, RunReason::Undoing { error: why, .. } if *why == error());
    assert!(undoes(reasons.last().expect("there are some")), "{reasons:?}");
    assert!(!reasons.iter().any(|reason| matches!(reason, RunReason::Sleeps { .. })));

    let held = only(second, 0, Then::Hold("the journal contradicts the code".to_owned()));
    world.flush(worker, &[held]).await.expect("it is held");
    let reason = reason(&world, second).await;
    assert_eq!(reason, RunReason::Held { reason: "the journal contradicts the code".to_owned() });
}

pub(super) async fn an_end_says_how_and_when(world: World) {
    let worker = world.worker(HOUR).await;
    let ends = [
        (End::Completed(json("1")), None),
        (End::Failed(error()), Some("the bank is closed")),
        (End::Cancelled("by mistake".to_owned()), Some("by mistake")),
    ];
    for (end, expected) in ends {
        let run = world.claimed(worker).await;
        let ends = commit(run, 0, vec![sleep("nap")], Then::End(end));
        let flushed = world.flush(worker, &[ends]).await.expect("it ends");
        let over = RunReason::Over { at: flushed.at, reason: expected.map(ToOwned::to_owned) };
        assert_eq!(reason(&world, run).await, over);
    }
}

pub(super) async fn a_long_list_of_states_is_cut(world: World) {
    let worker = world.worker(HOUR).await;
    let run = world.claimed(worker).await;
    let entries = (0..105).map(|no| sleep(&format!("nap[{no}]"))).collect();
    let parked = commit(run, 0, entries, Then::Park(None));
    world.flush(worker, &[parked]).await.expect("it parks");
    let RunReasons { reasons, more, .. } = why(&world, run).await;
    assert_eq!((reasons.len(), more), (10, 95));
}

pub(super) async fn an_event_says_which_runs_it_started_and_which_waits_took_it(world: World) {
    world.subscribe(APP, &[PLACED, PAID]).await;
    let worker = world.worker(HOUR).await;
    let placed = world.send(PLACED, 7).await;
    let claimed = ids(&world.claim(worker, 10).await);
    assert_eq!(claimed.len(), 1);
    let run = claimed[0];
    let started = did(&world, placed).await;
    assert_eq!(started.started.len(), 1);
    let first = &started.started[0];
    assert_eq!((first.run, first.status, first.together), (run, RunStatus::Running, false));
    assert_eq!(started.subscribers, [APP]);

    world
        .flush(worker, &[commit(run, 0, vec![wait("paid", 7)], Then::Continue)])
        .await
        .expect("ok");
    let paid = world.send(PAID, 7).await;
    assert!(did(&world, paid).await.woke.is_empty(), "nobody has taken it");
    let outcome = format!(r#"{{"id":"{paid}","accepted_at":"2026-01-01T00:00:00Z","data":{{}}}}"#);
    let took = Entry { kind: StepKind::WaitForEvent, ..done_with("paid", &outcome) };
    let taken = vec![MessageId::from(paid.as_uuid())];
    let takes = RunCommit { taken, ..commit(run, 1, vec![took], Then::Continue) };
    world.flush(worker, &[takes]).await.expect("it commits");
    world.flush(worker, &[only(run, 2, ended())]).await.expect("it ends");
    let woke = did(&world, paid).await.woke;
    assert_eq!(woke.len(), 1);
    assert_eq!((woke[0].run, woke[0].state.as_str()), (run, "paid"), "also when the run is over");
    assert!(world.store.event(EventId::new()).await.expect("the store answers").is_none());
}

pub(super) async fn an_event_says_into_which_batch_it_went(world: World) {
    let starts = Subscription::start(PLACED, ORDER);
    let program =
        Registration { subscriptions: vec![Subscription::whole(PLACED), starts], ..program(&[]) };
    world.store.register_app(&program).await.expect("an app can register");
    let gather = |_: &StoredEvent| {
        let (workflow, key) = (ORDER.to_owned(), "7".to_owned());
        let (window, keep) = (Window::Fixed(HOUR), Keep::All);
        let batch = Gathering { workflow, key, max: 3, limit: 1_000, window, keep };
        Routing { admissions: vec![Admission::Gather(batch)], ..Routing::default() }
    };
    let send = async || {
        let event = event(PLACED, "{}");
        world.store.accept_events(None, std::slice::from_ref(&event)).await.expect("accepted");
        let routed = world.store.route_deliveries(deliveries(APP, 10), &gather).await;
        assert_eq!(routed.expect("it routes"), 1);
        event.id
    };
    let events = [send().await, send().await];
    let gathered = did(&world, events[0]).await.gathered;
    assert_eq!(gathered.len(), 1);
    assert_eq!((&*gathered[0].workflow, &*gathered[0].key, gathered[0].events), (ORDER, "7", 2));

    let last = send().await;
    let [first, started] = [did(&world, events[0]).await, did(&world, last).await];
    assert!(first.gathered.is_empty());
    assert_eq!(first.started, started.started, "they began one run");
    assert_eq!((first.started.len(), first.started[0].together), (1, true));
    let run = first.started[0].run;
    let of = world.store.events_of(run).await.expect("the store answers");
    assert_eq!(of, [events[0], events[1], last]);
    let query = RunQuery { event: Some(last), ..RunQuery::default() };
    let runs = world.store.runs(APP, &query).await.expect("the store answers");
    assert_eq!(runs.iter().map(|run| run.id).collect::<Vec<_>>(), [run]);
}

pub(super) async fn an_event_says_what_kept_it_from_starting_runs(world: World) {
    let starts = Subscription::start(PLACED, ORDER);
    let program = Registration {
        subscriptions: vec![Subscription::whole(PLACED), starts],
        limits: window(1, 3_600),
        ..program(&[])
    };
    world.store.register_app(&program).await.expect("an app can register");
    let unheard = event("order/lost", "{}");
    let [skipped, blocked] = [event(PLACED, "{}"), event(PLACED, "{}")];
    let events = [unheard.clone(), skipped.clone()];
    world.store.accept_events(None, &events).await.expect("they are accepted");
    assert!(did(&world, unheard.id).await.subscribers.is_empty());

    let waits = did(&world, skipped.id).await;
    let unrouted: Vec<_> =
        waits.unrouted.iter().map(|unrouted| (&*unrouted.part, unrouted.workers)).collect();
    assert_eq!(unrouted, [(PLACED, 0)], "no worker lives");
    world.worker_with(program).await;
    assert_eq!(did(&world, skipped.id).await.unrouted[0].workers, 1);

    // One starts a run before, and one comes behind it.
    send(&world, 0, &rated("1"), &[]).await;
    send(&world, 1, &rated("1"), &[]).await;
    world.store.accept_events(None, std::slice::from_ref(&blocked)).await.expect("accepted");
    let blocks = |_: &StoredEvent| {
        let (workflow, reason) = (ORDER.to_owned(), "the key panicked".to_owned());
        Routing { admissions: vec![Admission::Block { workflow, reason }], ..Routing::default() }
    };
    world.store.route_deliveries(deliveries(APP, 10), &blocks).await.expect("it routes");
    let kept = did(&world, blocked.id).await.blocked;
    assert_eq!((kept.len(), &*kept[0].workflow, &*kept[0].reason), (1, ORDER, "the key panicked"));

    let second = event(PLACED, "{}");
    world.store.accept_events(None, std::slice::from_ref(&second)).await.expect("accepted");
    assert_eq!(send(&world, 0, &rated("1"), &[]).await.len(), 0);
    let left_out = did(&world, second.id).await;
    assert_eq!(left_out.skipped.len(), 1);
    assert_eq!(left_out.skipped[0].workflow, ORDER);
    assert!(left_out.skipped[0].reason.contains("lets no more events"), "{left_out:?}");
    assert!(left_out.unrouted.is_empty() && left_out.started.is_empty());
}
