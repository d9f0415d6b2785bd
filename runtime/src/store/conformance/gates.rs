use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;

use super::world::{
    APP, HOUR, ORDER, PLACED, commit, deliveries, done, event, ids, json, only, program, reasons,
};
use super::{StoppedClock, World};
use crate::flow::{Admission, NewRun};
use crate::id::RunId;
use crate::journal::{Change, Child, End, Entry, Then};
use crate::store::{Deliveries, Registration, Routing, RunQuery, RunStatus, StoredEvent};
use crate::workflow::{Allowance, Checks, Declared, Gate, Hold, Single, StepKind};

pub(in crate::store) const LIMIT: &str = "on-order/concurrency";
pub(super) const PACE: &str = "on-order/throttle";
pub(super) const RATE: &str = "on-order/rate-limit";

pub(in crate::store) fn gate(limit: &str, key: &str, hold: Hold) -> Gate {
    Gate { limit: limit.to_owned(), key: key.to_owned(), rule: "event.user", hold }
}

pub(in crate::store) fn slots(slots: u32) -> Vec<Declared> {
    vec![Declared { limit: LIMIT.to_owned(), allows: Allowance::Slots(slots) }]
}

pub(in crate::store) async fn declare(world: &World, limits: Vec<Declared>) {
    let registration = Registration { limits, ..program(&[]) };
    world.store.register_app(&registration).await.expect("an app can register");
}

/// Starts a run that has these gates.
async fn start(world: &World, gates: &[Gate]) -> RunId {
    let run = NewRun { gates: gates.to_vec(), ..NewRun::new(ORDER, None, json("{}")) };
    let id = run.id;
    world.store.start_runs(APP, &[run]).await.expect("a run can start");
    id
}

pub(in crate::store) async fn start_all(world: &World, count: usize, gates: &[Gate]) -> Vec<RunId> {
    let mut runs = Vec::new();
    for _ in 0..count {
        runs.push(start(world, gates).await);
    }
    runs
}

/// Opens gates until nobody passes any more; gives how many did.
pub(in crate::store) async fn open(world: &World) -> usize {
    let mut passed = 0;
    loop {
        let opened = world.store.open_gates(APP).await.expect("the store answers");
        passed += opened.runs;
        if opened.next != Some(Duration::ZERO) && opened.runs == 0 {
            return passed;
        }
    }
}

pub(in crate::store) fn ended() -> Then {
    Then::End(End::Completed(json("null")))
}

pub(super) async fn as_many_runs_are_claimed_as_their_limit_allows(world: World) {
    declare(&world, slots(2)).await;
    let worker = world.worker(HOUR).await;
    let gates = [gate(LIMIT, "1", Hold::Active)];
    let runs = start_all(&world, 5, &gates).await;
    assert_eq!(world.claim(worker, 10).await.len(), 0, "nobody has let them through");
    assert_eq!(open(&world).await, 2);
    assert_eq!(ids(&world.claim(worker, 10).await), runs[..2]);
    assert_eq!(open(&world).await, 0);

    world.flush(worker, &[only(runs[0], 1, ended())]).await.expect("it ends");
    assert_eq!(open(&world).await, 1);
    assert_eq!(ids(&world.claim(worker, 10).await), [runs[2]], "first come, first served");
    let both = [only(runs[1], 1, ended()), only(runs[2], 1, ended())];
    world.flush(worker, &both).await.expect("they end");
    assert_eq!(open(&world).await, 2);
    assert_eq!(ids(&world.claim(worker, 10).await), runs[3..]);
}

pub(super) async fn one_full_key_does_not_delay_another(world: World) {
    declare(&world, slots(1)).await;
    let worker = world.worker(HOUR).await;
    let full = start_all(&world, 300, &[gate(LIMIT, "1", Hold::Active)]).await;
    let other = start(&world, &[gate(LIMIT, "2", Hold::Active)]).await;
    let free = start(&world, &[]).await;
    open(&world).await;
    assert_eq!(ids(&world.claim(worker, 10).await), [full[0], other, free]);
}

pub(super) async fn a_parked_run_holds_an_active_slot_no_longer(world: World) {
    declare(&world, slots(1)).await;
    let worker = world.worker(HOUR).await;
    let runs = start_all(&world, 2, &[gate(LIMIT, "1", Hold::Active)]).await;
    open(&world).await;
    world.claim(worker, 10).await;
    let parked = commit(runs[0], 1, vec![done("first")], Then::Park(Some(Timestamp::UNIX_EPOCH)));
    world.flush(worker, &[parked]).await.expect("it parks");
    assert_eq!(open(&world).await, 1);
    assert_eq!(ids(&world.claim(worker, 10).await), [runs[1]]);

    // It is due, and queues again.
    world.store.wake_due(10).await.expect("it wakes");
    assert_eq!(open(&world).await, 0);
    assert_eq!(world.claim(worker, 10).await.len(), 0);
    let later = start(&world, &[gate(LIMIT, "1", Hold::Active)]).await;
    open(&world).await;
    world.flush(worker, &[only(runs[1], 1, ended())]).await.expect("it ends");
    open(&world).await;
    assert_eq!(ids(&world.claim(worker, 10).await), [runs[0]], "by its rank");
    world.flush(worker, &[only(runs[0], 2, ended())]).await.expect("it ends");
    open(&world).await;
    assert_eq!(ids(&world.claim(worker, 10).await), [later]);
}

pub(super) async fn a_parked_run_keeps_a_slot_for_the_whole_run(world: World) {
    declare(&world, slots(1)).await;
    let worker = world.worker(HOUR).await;
    let runs = start_all(&world, 2, &[gate(LIMIT, "1", Hold::Run)]).await;
    open(&world).await;
    world.claim(worker, 10).await;
    let parked = commit(runs[0], 1, vec![done("first")], Then::Park(Some(Timestamp::UNIX_EPOCH)));
    world.flush(worker, &[parked]).await.expect("it parks");
    assert_eq!(open(&world).await, 0);
    world.store.wake_due(10).await.expect("it wakes");
    assert_eq!(open(&world).await, 1, "it has its slot");
    assert_eq!(ids(&world.claim(worker, 10).await), [runs[0]]);
    world.flush(worker, &[only(runs[0], 2, ended())]).await.expect("it ends");
    assert_eq!(open(&world).await, 1);
    assert_eq!(ids(&world.claim(worker, 10).await), [runs[1]]);
}

pub(super) async fn a_slot_is_kept_through_a_take_over(world: World) {
    declare(&world, slots(1)).await;
    let lost = world.worker(Duration::ZERO).await;
    let runs = start_all(&world, 2, &[gate(LIMIT, "1", Hold::Active)]).await;
    open(&world).await;
    world.claim(lost, 10).await;
    world.take_over().await.expect("it is taken over");
    open(&world).await;
    let worker = world.worker(HOUR).await;
    assert_eq!(ids(&world.claim(worker, 10).await), [runs[0]]);
    // The same for one that is given back.
    world.store.end_lease(worker).await.expect("it leaves");
    open(&world).await;
    let worker = world.worker(HOUR).await;
    assert_eq!(ids(&world.claim(worker, 10).await), [runs[0]]);
}

pub(super) async fn a_run_needs_room_at_all_its_gates_and_holds_none_before(world: World) {
    let other = "app";
    let mut limits = slots(1);
    limits.push(Declared { limit: other.to_owned(), allows: Allowance::Slots(1) });
    declare(&world, limits).await;
    let worker = world.worker(HOUR).await;
    let (mine, shared) = (gate(LIMIT, "1", Hold::Run), gate(other, "", Hold::Run));
    let holder = start(&world, std::slice::from_ref(&shared)).await;
    let both = start(&world, &[mine.clone(), shared.clone()]).await;
    let alone = start(&world, std::slice::from_ref(&mine)).await;
    open(&world).await;
    assert_eq!(ids(&world.claim(worker, 10).await), [holder, alone]);
    world.flush(worker, &[only(holder, 1, ended())]).await.expect("it ends");
    assert_eq!(open(&world).await, 0, "its own key is taken now");
    // Meanwhile the shared one is free for others.
    let last = start(&world, std::slice::from_ref(&shared)).await;
    open(&world).await;
    assert_eq!(ids(&world.claim(worker, 10).await), [last]);
    let ends = [only(last, 1, ended()), only(alone, 1, ended())];
    world.flush(worker, &ends).await.expect("they end");
    open(&world).await;
    assert_eq!(ids(&world.claim(worker, 10).await), [both]);
}

pub(super) async fn starts_are_spread_over_time(world: World) {
    let noon: Timestamp = "2026-01-01T12:00:00Z".parse().expect("it is a time");
    let mut clock = StoppedClock::of(&world.database, noon).await;
    let world = World { store: world.another().await, ..world };
    let allows = Allowance::Pace { limit: 6, per: Duration::from_secs(60), burst: 2 };
    declare(&world, vec![Declared { limit: PACE.to_owned(), allows }]).await;
    let worker = world.worker(HOUR).await;
    let runs = start_all(&world, 6, &[gate(PACE, "1", Hold::Pass)]).await;
    let other = start(&world, &[gate(PACE, "2", Hold::Pass)]).await;
    let opened = world.store.open_gates(APP).await.expect("the store answers");
    assert_eq!((opened.runs, opened.next), (4, Some(Duration::from_secs(10))));
    let claimed = world.claim(worker, 10).await;
    assert_eq!(ids(&claimed), [runs[0], runs[1], runs[2], other]);
    for (seconds, passed) in [(9, 0), (10, 1), (19, 0), (25, 1), (30, 1), (600, 0)] {
        let later = noon + Duration::from_secs(seconds);
        clock.set(later).await;
        assert_eq!(open(&world).await, passed, "after {seconds} seconds");
    }
    assert_eq!(ids(&world.claim(worker, 10).await), runs[3..]);
    world.store.close().await;
}

pub(super) async fn a_changed_limit_counts_at_once(world: World) {
    declare(&world, slots(1)).await;
    let worker = world.worker(HOUR).await;
    let runs = start_all(&world, 6, &[gate(LIMIT, "1", Hold::Active)]).await;
    assert_eq!(open(&world).await, 1);
    declare(&world, slots(3)).await;
    assert_eq!(open(&world).await, 2);
    declare(&world, slots(1)).await;
    assert_eq!(ids(&world.claim(worker, 10).await), runs[..3], "those that were let through stay");
    let two = [only(runs[0], 1, ended()), only(runs[1], 1, ended())];
    world.flush(worker, &two).await.expect("they end");
    assert_eq!(open(&world).await, 0, "one is left, and one is allowed");
    declare(&world, slots(0)).await;
    world.flush(worker, &[only(runs[2], 1, ended())]).await.expect("it ends");
    assert_eq!(open(&world).await, 0, "nobody passes");
    world.store.end_lease(worker).await.expect("it leaves");
    declare(&world, Vec::new()).await;
    assert_eq!(open(&world).await, 3, "there is no limit any more");
}

/// A run that another one invokes.
fn child(gates: &[Gate]) -> Child {
    Child {
        id: RunId::new(),
        workflow: ORDER,
        input: json("{}"),
        seed: uuid::Uuid::new_v4(),
        detached: false,
        cancels: Vec::new(),
        gates: gates.to_vec(),
        ahead: 0,
    }
}

fn invoke(child: Child, key: &str) -> Entry {
    let (key, kind) = (key.into(), StepKind::Invoke);
    Entry { key, kind, change: Change::Invoke { child, timeout: None }, started_at: None }
}

pub(super) async fn a_child_runs_under_its_parents_slot(world: World) {
    declare(&world, slots(1)).await;
    let worker = world.worker(HOUR).await;
    let gates = [gate(LIMIT, "1", Hold::Run)];
    let parent = start(&world, &gates).await;
    open(&world).await;
    world.claim(worker, 10).await;
    let child = child(&gates);
    let id = child.id;
    let detached = Child { id: RunId::new(), detached: true, ..child.clone() };
    let apart = detached.id;
    let entries = vec![invoke(child, "invoke"), invoke(detached, "apart")];
    let park = commit(parent, 1, entries, Then::Park(None));
    world.flush(worker, &[park]).await.expect("it parks");
    assert_eq!(open(&world).await, 1);
    assert_eq!(ids(&world.claim(worker, 10).await), [id]);

    // The parent is over before its child: the slot is not free yet.
    world.store.cancel_run(parent, "enough").await.expect("the store answers");
    open(&world).await;
    assert_eq!(ids(&world.claim(worker, 10).await), [parent]);
    let cancelled = Then::End(End::Cancelled("enough".to_owned()));
    world.flush(worker, &[only(parent, 3, cancelled)]).await.expect("it ends");
    assert_eq!(open(&world).await, 0);
    world.flush(worker, &[only(id, 1, ended())]).await.expect("it ends");
    assert_eq!(open(&world).await, 1);
    assert_eq!(ids(&world.claim(worker, 10).await), [apart]);
}

pub(super) async fn a_child_that_waits_elsewhere_takes_no_slot_of_its_own(world: World) {
    let mut limits = slots(2);
    limits.push(Declared { limit: "app".to_owned(), allows: Allowance::Slots(1) });
    declare(&world, limits).await;
    let worker = world.worker(HOUR).await;
    let (lent, elsewhere) = (gate(LIMIT, "1", Hold::Run), gate("app", "", Hold::Run));
    let parent = start(&world, std::slice::from_ref(&lent)).await;
    let holder = start(&world, std::slice::from_ref(&elsewhere)).await;
    open(&world).await;
    world.claim(worker, 10).await;
    let child = child(&[lent.clone(), elsewhere]);
    let id = child.id;
    let park = commit(parent, 1, vec![invoke(child, "invoke")], Then::Park(None));
    world.flush(worker, &[park]).await.expect("it parks");
    assert_eq!(open(&world).await, 0, "it waits");
    world.flush(worker, &[only(holder, 1, ended())]).await.expect("it ends");
    assert_eq!(open(&world).await, 1);
    assert_eq!(ids(&world.claim(worker, 10).await), [id]);
    start(&world, &[lent]).await;
    assert_eq!(open(&world).await, 1, "the two hold one slot");
}

pub(super) async fn a_child_under_its_parents_slot_is_not_replaced(world: World) {
    let program = Registration { limits: slots(1), ..program(&[PLACED]) };
    world.store.register_app(&program).await.expect("an app can register");
    let worker = world.worker(HOUR).await;
    let single = gate(LIMIT, "1", Hold::Run);
    let gates = [single.clone()];
    let checks = Checks { single: Some((single, Single::Latest)), ..Checks::default() };
    let parent = send(&world, 1, &checks, &gates).await[0];
    open(&world).await;
    world.claim(worker, 10).await;
    let child = child(&gates);
    let id = child.id;
    let park = commit(parent, 1, vec![invoke(child, "invoke")], Then::Park(None));
    world.flush(worker, &[park]).await.expect("it parks");

    // It does not wait for its turn, so nobody takes its place.
    let newest = send(&world, 1, &checks, &gates).await[0];
    open(&world).await;
    let claimed = world.claim(worker, 10).await;
    assert_eq!(ids(&claimed), [id]);
    assert_eq!(reasons(&claimed[0].inbox), [""; 0]);
    assert_eq!(world.inbox(worker, id).await.len(), 0);
    assert_eq!(world.status(newest).await, RunStatus::Queued);
}

pub(super) async fn a_run_that_is_undone_is_the_next_wherever_it_stood(world: World) {
    let other = "app";
    let mut limits = slots(1);
    limits.push(Declared { limit: other.to_owned(), allows: Allowance::Slots(1) });
    declare(&world, limits).await;
    let worker = world.worker(HOUR).await;
    let (mine, shared) = (gate(LIMIT, "1", Hold::Active), gate(other, "", Hold::Active));
    let both = start(&world, &[mine.clone(), shared.clone()]).await;
    open(&world).await;
    world.claim(worker, 10).await;
    let parked = commit(both, 1, vec![done("first")], Then::Park(None));
    world.flush(worker, &[parked]).await.expect("it parks");
    let holders = [
        start(&world, std::slice::from_ref(&mine)).await,
        start(&world, std::slice::from_ref(&shared)).await,
    ];
    open(&world).await;
    assert_eq!(ids(&world.claim(worker, 10).await), holders);
    let urgent = |gate: &Gate| NewRun {
        ahead: 3_600,
        gates: vec![gate.clone()],
        ..NewRun::new(ORDER, None, json("{}"))
    };
    let urgent = [urgent(&mine), urgent(&shared)];
    world.store.start_runs(APP, &urgent).await.expect("they start");

    // It is parked when it is to be cancelled, and then waits first at the one gate, then at the other.
    assert!(world.store.cancel_run(both, "enough").await.expect("the store answers"));
    assert_eq!(open(&world).await, 0);
    world.flush(worker, &[only(holders[0], 1, ended())]).await.expect("it ends");
    assert_eq!(open(&world).await, 1, "the other gate keeps it out of this one");
    assert_eq!(ids(&world.claim(worker, 10).await), [urgent[0].id]);
    let ends = [only(holders[1], 1, ended()), only(urgent[0].id, 1, ended())];
    world.flush(worker, &ends).await.expect("they end");
    assert_eq!(open(&world).await, 1);
    assert_eq!(ids(&world.claim(worker, 10).await), [both]);
}

pub(super) async fn a_run_that_waits_again_is_the_next_once_it_is_undone(world: World) {
    declare(&world, slots(1)).await;
    let worker = world.worker(HOUR).await;
    let gates = [gate(LIMIT, "1", Hold::Active)];
    let first = start(&world, &gates).await;
    open(&world).await;
    world.claim(worker, 10).await;
    let due = Then::Park(Some(Timestamp::UNIX_EPOCH));
    world.flush(worker, &[commit(first, 1, vec![done("first")], due)]).await.expect("it parks");
    let second = start(&world, &gates).await;
    open(&world).await;
    assert_eq!(ids(&world.claim(worker, 10).await), [second]);
    world.store.wake_due(10).await.expect("the store answers");
    let urgent =
        NewRun { ahead: 3_600, gates: gates.to_vec(), ..NewRun::new(ORDER, None, json("{}")) };
    world.store.start_runs(APP, &[urgent]).await.expect("it starts");
    assert_eq!(open(&world).await, 0, "both wait");

    assert!(world.store.cancel_run(first, "enough").await.expect("the store answers"));
    world.flush(worker, &[only(second, 1, ended())]).await.expect("it ends");
    assert_eq!(open(&world).await, 1);
    assert_eq!(ids(&world.claim(worker, 10).await), [first]);
}

pub(super) async fn a_run_that_waits_can_be_cancelled(world: World) {
    declare(&world, slots(1)).await;
    let worker = world.worker(HOUR).await;
    let runs = start_all(&world, 3, &[gate(LIMIT, "1", Hold::Active)]).await;
    open(&world).await;
    world.claim(worker, 10).await;
    assert!(world.store.cancel_run(runs[1], "enough").await.expect("the store answers"));
    open(&world).await;
    assert_eq!(ids(&world.claim(worker, 10).await), [runs[1]], "it does not have to wait for that");
    let cancelled = Then::End(End::Cancelled("enough".to_owned()));
    world.flush(worker, &[only(runs[1], 1, cancelled)]).await.expect("it ends");
    assert_eq!(open(&world).await, 0, "it held no slot");
    assert_eq!(world.status(runs[2]).await, RunStatus::Queued);
    world.flush(worker, &[only(runs[0], 1, ended())]).await.expect("it ends");
    assert_eq!(open(&world).await, 1);

    // That one has its slot, and a worker may be about to begin it: the slot is not free before it ends.
    let last = start(&world, &[gate(LIMIT, "1", Hold::Active)]).await;
    assert!(world.store.cancel_run(runs[2], "enough").await.expect("the store answers"));
    assert_eq!(open(&world).await, 0);
    let claimed = world.claim(worker, 10).await;
    assert_eq!(ids(&claimed), [runs[2]]);
    assert_eq!(reasons(&claimed[0].inbox), ["enough"]);
    let cancelled = Then::End(End::Cancelled("enough".to_owned()));
    world.flush(worker, &[only(runs[2], 1, cancelled)]).await.expect("it ends");
    assert_eq!(open(&world).await, 1);
    assert_eq!(ids(&world.claim(worker, 10).await), [last]);
}

pub(super) async fn a_run_with_priority_goes_ahead(world: World) {
    declare(&world, slots(1)).await;
    let worker = world.worker(HOUR).await;
    let gates = vec![gate(LIMIT, "1", Hold::Active)];
    let ordinary = [start(&world, &gates).await, start(&world, &gates).await];
    let run = |ahead, gates| NewRun { ahead, gates, ..NewRun::new(ORDER, None, json("{}")) };
    let (ahead, behind) = (run(60, gates.clone()), run(-60, Vec::new()));
    let free = run(0, Vec::new());
    let (first, last, other) = (ahead.id, behind.id, free.id);
    world.store.start_runs(APP, &[behind, ahead, free]).await.expect("they start");
    open(&world).await;
    assert_eq!(ids(&world.claim(worker, 10).await), [first, other, last]);
    world.flush(worker, &[only(first, 1, ended())]).await.expect("it ends");
    open(&world).await;
    assert_eq!(ids(&world.claim(worker, 10).await), [ordinary[0]]);
}

pub(super) async fn two_openers_let_no_more_through_than_one(world: World) {
    declare(&world, slots(3)).await;
    let other = World { store: world.another().await, ..world.clone() };
    let worker = world.worker(HOUR).await;
    let mut all = HashSet::new();
    for key in ["1", "2"] {
        all.extend(start_all(&world, 30, &[gate(LIMIT, key, Hold::Active)]).await);
    }
    let mut over = HashSet::new();
    while over.len() < all.len() {
        join_all([&world, &other].map(open)).await;
        let claimed = ids(&world.claim(worker, 100).await);
        assert!(!claimed.is_empty() && claimed.len() <= 6, "{claimed:?}");
        let ends: Vec<_> = claimed.iter().map(|run| only(*run, 1, ended())).collect();
        // Two commits free slots while both open gates.
        let (some, rest) = ends.split_at(ends.len() / 2);
        let flush = async |ends: &[_]| world.flush(worker, ends).await.expect("they end");
        let opening = join_all([&world, &other].map(open));
        tokio::join!(flush(some), opening);
        let more = ids(&world.claim(worker, 100).await);
        assert!(more.len() <= some.len(), "{more:?}");
        flush(rest).await;
        let ends: Vec<_> = more.iter().map(|run| only(*run, 1, ended())).collect();
        flush(&ends).await;
        over.extend(claimed.into_iter().chain(more));
    }
    assert_eq!(over, all);
    other.store.close().await;
}

/// Sends so many events and routes them; gives the runs that they start.
pub(super) async fn send(
    world: &World,
    count: usize,
    checks: &Checks,
    gates: &[Gate],
) -> Vec<RunId> {
    let before = all_runs(world).await;
    for no in 0..count {
        let data = format!(r#"{{"no":{no}}}"#);
        world.store.accept_events(None, &[event(PLACED, &data)]).await.expect("it is accepted");
    }
    let router = |event: &StoredEvent| {
        let run = NewRun {
            checks: checks.clone(),
            gates: gates.to_vec(),
            ..NewRun::new(ORDER, Some(event.id), event.data.clone())
        };
        Routing { admissions: vec![Admission::Start(run)], ..Routing::default() }
    };
    let deliveries = || Deliveries { in_turn: true, ..deliveries(APP, 2) };
    while world.store.route_deliveries(deliveries(), &router).await.expect("it routes") > 0 {}
    all_runs(world).await.into_iter().filter(|run| !before.contains(run)).collect()
}

async fn all_runs(world: &World) -> Vec<RunId> {
    let query = RunQuery { limit: Some(1000), ..RunQuery::default() };
    let runs = world.store.runs(APP, &query).await.expect("the store answers");
    runs.iter().map(|run| run.id).collect()
}

pub(super) fn window(limit: u32, seconds: u64) -> Vec<Declared> {
    let allows = Allowance::Window { limit, per: Duration::from_secs(seconds) };
    vec![Declared { limit: RATE.to_owned(), allows }]
}

pub(super) fn rated(key: &str) -> Checks {
    Checks { rate: Some(gate(RATE, key, Hold::Pass)), ..Checks::default() }
}

pub(super) async fn what_exceeds_a_rate_starts_nothing(world: World) {
    let noon: Timestamp = "2026-01-01T12:00:00Z".parse().expect("it is a time");
    let mut clock = StoppedClock::of(&world.database, noon).await;
    let world = World { store: world.another().await, ..world };
    let program = Registration { limits: window(3, 60), ..program(&[PLACED]) };
    world.store.register_app(&program).await.expect("an app can register");
    assert_eq!(send(&world, 5, &rated("1"), &[]).await.len(), 3);
    assert_eq!(send(&world, 1, &rated("2"), &[]).await.len(), 1, "another key");
    clock.set(noon + Duration::from_secs(59)).await;
    assert_eq!(send(&world, 1, &rated("1"), &[]).await.len(), 0);
    clock.set(noon + Duration::from_secs(60)).await;
    assert_eq!(send(&world, 5, &rated("1"), &[]).await.len(), 3, "the next window");
    // One who has set it lower is heard at once.
    let program = Registration { limits: window(1, 60), ..program };
    world.store.register_app(&program).await.expect("an app can register");
    assert_eq!(send(&world, 2, &rated("2"), &[]).await.len(), 1);
    world.store.close().await;
}

pub(super) async fn one_run_of_a_key_is_replaced_as_its_mode_says(world: World) {
    let program = Registration { limits: slots(1), ..program(&[PLACED]) };
    world.store.register_app(&program).await.expect("an app can register");
    let worker = world.worker(HOUR).await;
    let single = gate(LIMIT, "1", Hold::Run);
    let gates = [single.clone()];
    let checks = |mode| Checks { single: Some((single.clone(), mode)), ..Checks::default() };
    let first = send(&world, 1, &checks(Single::Skip), &gates).await[0];
    open(&world).await;
    world.claim(worker, 10).await;
    assert_eq!(send(&world, 2, &checks(Single::Skip), &gates).await.len(), 0);

    // One is driven, and of those that wait the last one stays.
    let latest = send(&world, 3, &checks(Single::Latest), &gates).await;
    open(&world).await;
    assert_eq!(ids(&world.claim(worker, 10).await), latest[..2], "they are cancelled");
    let cancelled = || Then::End(End::Cancelled("replaced".to_owned()));
    let ends: Vec<_> = latest[..2].iter().map(|run| only(*run, 1, cancelled())).collect();
    world.flush(worker, &ends).await.expect("they end");
    assert_eq!(world.inbox(worker, first).await.len(), 0, "nobody disturbs it");

    let newest = send(&world, 1, &checks(Single::Cancel), &gates).await[0];
    let inbox = world.inbox(worker, first).await;
    assert_eq!(reasons(&inbox), [format!("the run {newest} of the same key takes its place")]);
    open(&world).await;
    assert_eq!(ids(&world.claim(worker, 10).await), [latest[2]]);
    let ends = [only(first, 1, cancelled()), only(latest[2], 1, cancelled())];
    world.flush(worker, &ends).await.expect("they end");
    open(&world).await;
    assert_eq!(ids(&world.claim(worker, 10).await), [newest]);

    // A run that is started directly is there, and ends before it begins.
    let checks = checks(Single::Skip);
    let direct = NewRun { checks, gates: gates.to_vec(), ..NewRun::new(ORDER, None, json("{}")) };
    let id = direct.id;
    for _ in 0..2 {
        world.store.start_runs(APP, std::slice::from_ref(&direct)).await.expect("it starts");
    }
    open(&world).await;
    let claimed = world.claim(worker, 10).await;
    assert_eq!(ids(&claimed), [id]);
    assert_eq!(reasons(&claimed[0].inbox).len(), 1);
}
