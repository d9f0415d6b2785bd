use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;

use super::World;
use super::world::{
    APP, HOUR, ORDER, PLACED, PLACED_STARTS_ORDER, deliveries, event, ids, json, program, worker,
};
use crate::event::EventId;
use crate::flow::{Admission, NewRun};
use crate::store::{
    Deliveries, Hosted, NewEvent, Registration, Routing, Store, StoredEvent, Subscription,
};

fn keyed(name: &str, key: &str) -> NewEvent {
    NewEvent { idempotency_key: Some(key.to_owned()), ..event(name, "{}") }
}

/// What a process makes of an event that knows nothing but one workflow of its.
fn starting(run: NewRun) -> Option<Hosted> {
    let parts = [PLACED, PLACED_STARTS_ORDER].map(str::to_owned);
    Some(Hosted { runs: vec![run], parts: parts.into() })
}

/// Starts one run for an event.
fn one(event: &StoredEvent) -> Routing {
    let run = NewRun::new(ORDER, Some(event.id), event.data.clone());
    Routing { admissions: vec![Admission::Start(run)], ..Routing::default() }
}

/// Routes all that waits for an app; gives the events.
async fn routed(store: &dyn Store, app: &str) -> Vec<EventId> {
    let seen = Mutex::new(Vec::new());
    let router = |event: &StoredEvent| {
        seen.lock().expect("no router panics here").push(event.id);
        one(event)
    };
    while store.route_deliveries(deliveries(app, 100), &router).await.expect("it routes") > 0 {}
    seen.into_inner().expect("no router panics here")
}

pub(super) async fn an_event_is_routed_once_for_each_app(world: World) {
    world.subscribe(APP, &[PLACED]).await;
    world.subscribe("bank", &[PLACED, "bank/opened"]).await;
    let id =
        world.store.accept_events(None, &[event(PLACED, r#"{"no":1}"#)]).await.expect("accepted");

    assert_eq!(routed(&*world.store, APP).await, id);
    assert_eq!(routed(&*world.store, APP).await, []);
    assert_eq!(routed(&*world.store, "bank").await, id);

    let worker = world.worker(HOUR).await;
    let runs = world.claim(worker, 10).await;
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].origin.trigger.event, Some(id[0]));
    assert_eq!(runs[0].origin.trigger.data, json(r#"{"no":1}"#));
}

pub(super) async fn an_event_without_subscribers_is_accepted(world: World) {
    let id = world.store.accept_events(None, &[event(PLACED, "{}")]).await.expect("accepted");
    assert_eq!(id.len(), 1);
    assert_eq!(world.store.accept_events(None, &[]).await.expect("accepted"), []);
    world.subscribe(APP, &[PLACED]).await;
    assert_eq!(routed(&*world.store, APP).await, []);
}

pub(super) async fn an_event_with_a_known_key_is_accepted_once(world: World) {
    world.subscribe(APP, &[PLACED, "order/paid"]).await;
    let first = [keyed(PLACED, "a"), keyed(PLACED, "a"), keyed(PLACED, "b"), event(PLACED, "{}")];
    let ids = world.store.accept_events(None, &first).await.expect("accepted");
    assert_eq!(ids, [first[0].id, first[0].id, first[2].id, first[3].id]);

    let second = [keyed(PLACED, "b"), keyed("order/paid", "b"), event(PLACED, "{}")];
    let again = world.store.accept_events(None, &second).await.expect("accepted");
    assert_eq!(again, [first[2].id, second[1].id, second[2].id]);

    let expected = [first[0].id, first[2].id, first[3].id, second[1].id, second[2].id];
    assert_eq!(routed(&*world.store, APP).await, expected);
}

pub(super) async fn a_key_is_one_event_whoever_sends_it_first(world: World) {
    world.subscribe(APP, &[PLACED]).await;
    let other = world.another().await;
    let sends = (0..20).map(|number| {
        let store = if number % 2 == 0 { &world.store } else { &other };
        // Each batch names the keys in another order.
        let mut batch = vec![keyed(PLACED, "a"), keyed(PLACED, "b"), keyed(PLACED, "c")];
        batch.rotate_left(number % 3);
        async move {
            let ids = store.accept_events(None, &batch).await.expect("accepted");
            let mut named: Vec<_> =
                batch.into_iter().map(|event| event.idempotency_key).zip(ids).collect();
            named.sort();
            named
        }
    });
    let named = join_all(sends).await;
    assert!(named.iter().all(|keys| *keys == named[0]), "{named:?}");
    assert_eq!(routed(&*world.store, APP).await.len(), 3);
    other.close().await;
}

pub(super) async fn a_resent_event_is_accepted_once(world: World) {
    world.subscribe(APP, &[PLACED]).await;
    let mut hosted = event(PLACED, "{}");
    hosted.hosted = starting(NewRun::new(ORDER, Some(hosted.id), hosted.data.clone()));
    let batch = [hosted, event(PLACED, "{}"), keyed(PLACED, "a")];
    for _ in 0..3 {
        let ids = world.store.accept_events(Some(APP), &batch).await.expect("accepted");
        assert_eq!(ids, [batch[0].id, batch[1].id, batch[2].id]);
    }
    assert_eq!(routed(&*world.store, APP).await, [batch[1].id, batch[2].id]);
    let worker = world.worker(HOUR).await;
    assert_eq!(world.claim(worker, 10).await.len(), 3);
}

pub(super) async fn hosted_runs_start_with_their_event(world: World) {
    world.subscribe(APP, &[PLACED]).await;
    world.subscribe("bank", &[PLACED]).await;
    let mut placed = event(PLACED, r#"{"no":7}"#);
    let run = NewRun::new(ORDER, Some(placed.id), placed.data.clone());
    placed.hosted = starting(run.clone());
    let id = world.store.accept_events(Some(APP), &[placed]).await.expect("accepted");

    let worker = world.worker(HOUR).await;
    let claimed = world.claim(worker, 10).await;
    assert_eq!(ids(&claimed), [run.id]);
    assert_eq!(claimed[0].origin.seed, run.seed);
    assert_eq!(routed(&*world.store, APP).await, []);
    assert_eq!(routed(&*world.store, "bank").await, id);
}

pub(super) async fn events_are_routed_in_order_of_acceptance(world: World) {
    world.subscribe(APP, &[PLACED, "order/paid"]).await;
    let mut expected = Vec::new();
    for round in 0..5 {
        let mut batch: Vec<_> = (0..7)
            .map(|place| event(if place % 2 == 0 { PLACED } else { "order/paid" }, "{}"))
            .collect();
        // The order of the batch counts, not that of the ids.
        batch.rotate_left(round);
        expected.extend(world.store.accept_events(None, &batch).await.expect("accepted"));
    }
    let seen = Mutex::new(Vec::new());
    let router = |event: &StoredEvent| {
        seen.lock().expect("no router panics here").push(event.id);
        Routing::default()
    };
    while world.store.route_deliveries(deliveries(APP, 4), &router).await.expect("it routes") > 0 {}
    assert_eq!(seen.into_inner().expect("no router panics here"), expected);
}

pub(super) async fn a_panicking_router_leaves_its_deliveries(world: World) {
    world.subscribe(APP, &[PLACED]).await;
    let batch = [event(PLACED, "{}"), event(PLACED, "{}")];
    let mut accepted = world.store.accept_events(None, &batch).await.expect("accepted");
    let store = world.store.clone();
    let routing = tokio::spawn(async move {
        let seen = AtomicUsize::new(0);
        let router = |event: &StoredEvent| match seen.fetch_add(1, Ordering::Relaxed) {
            0 => one(event),
            _ => panic!("a filter of the user's"),
        };
        store.route_deliveries(deliveries(APP, 10), &router).await.map(drop)
    });
    assert!(routing.await.expect_err("the router panicked").is_panic());
    // What it had taken comes back when its transaction has been rolled back: while that is under way, one
    // before the other, in any order.
    let mut again = Vec::new();
    while again.len() < accepted.len() {
        again.extend(routed(&*world.store, APP).await);
    }
    again.sort();
    accepted.sort();
    assert_eq!(again, accepted);
    let worker = world.worker(HOUR).await;
    assert_eq!(world.claim(worker, 10).await.len(), 2);
}

pub(super) async fn two_routers_share_the_deliveries(world: World) {
    world.subscribe(APP, &[PLACED]).await;
    let batch: Vec<_> = (0..300).map(|_| event(PLACED, "{}")).collect();
    let mut accepted = world.store.accept_events(None, &batch).await.expect("accepted");
    let other = world.another().await;
    let routing = [&world.store, &other].map(async |store| {
        let seen = Mutex::new(Vec::new());
        let router = |event: &StoredEvent| {
            seen.lock().expect("no router panics here").push(event.id);
            one(event)
        };
        while store.route_deliveries(deliveries(APP, 7), &router).await.expect("it routes") > 0 {}
        seen.into_inner().expect("no router panics here")
    });
    let mut seen = join_all(routing).await.concat();
    seen.sort();
    accepted.sort();
    assert_eq!(seen, accepted);
    let worker = world.worker(HOUR).await;
    assert_eq!(world.claim(worker, 1000).await.len(), 300);
    other.close().await;
}

pub(super) async fn a_condition_that_fails_blocks_only_its_workflow(world: World) {
    world.store.register_app(&placed_starts_order()).await.expect("it registers");
    let id = world.store.accept_events(None, &[event(PLACED, "{}")]).await.expect("accepted")[0];
    let failing = |event: &StoredEvent| {
        assert_eq!(event.part, PLACED);
        let run = NewRun::new("another", Some(event.id), event.data.clone());
        let (workflow, reason) = (ORDER.to_owned(), "it panicked\0".to_owned());
        let admissions = vec![Admission::Start(run), Admission::Block { workflow, reason }];
        Routing { admissions, ..Routing::default() }
    };
    assert_eq!(
        world.store.route_deliveries(deliveries(APP, 10), &failing).await.expect("it routes"),
        1
    );
    assert_eq!(
        world.store.route_deliveries(deliveries(APP, 10), &failing).await.expect("it routes"),
        0
    );
    let worker = world.worker(HOUR).await;
    assert_eq!(world.claim(worker, 10).await.len(), 0, "the other workflow is not claimed for");

    // The next program can tell.
    world.store.register_app(&placed_starts_order()).await.expect("it registers");
    let fixed = |event: &StoredEvent| {
        assert_eq!((event.id, &*event.part), (id, PLACED_STARTS_ORDER));
        one(event)
    };
    assert_eq!(
        world.store.route_deliveries(deliveries(APP, 10), &fixed).await.expect("it routes"),
        1
    );
    let claimed = world.claim(worker, 10).await;
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].origin.trigger.event, Some(id));
    world.store.register_app(&placed_starts_order()).await.expect("it registers");
    assert_eq!(
        world.store.route_deliveries(deliveries(APP, 10), &fixed).await.expect("it routes"),
        0
    );
    let runs = world.store.runs(APP, &crate::store::RunQuery::default()).await;
    assert_eq!(runs.expect("it answers").len(), 2);

    // Another version may, once the worker is gone that cannot.
    let id = world.store.accept_events(None, &[event(PLACED, "{}")]).await.expect("accepted")[0];
    let worker = world.worker(HOUR).await;
    let its = Deliveries { worker, ..deliveries(APP, 10) };
    assert_eq!(world.store.route_deliveries(its, &failing).await.expect("it routes"), 1);
    assert_eq!(
        world.store.route_deliveries(deliveries(APP, 10), &failing).await.expect("it routes"),
        0
    );
    world.store.end_lease(worker).await.expect("it can leave");
    let fixed = |event: &StoredEvent| {
        assert_eq!((event.id, &*event.part), (id, PLACED_STARTS_ORDER));
        one(event)
    };
    assert_eq!(
        world.store.route_deliveries(deliveries(APP, 10), &fixed).await.expect("it routes"),
        1
    );
}

const BILL: &str = "order/placed starts bill";

fn placed_starts_order() -> Registration {
    let mut program = program(&[PLACED]);
    program.subscriptions.push(Subscription::start(PLACED, ORDER));
    program
}

/// A program that has a workflow more.
fn newer() -> Registration {
    let mut program = placed_starts_order();
    program.subscriptions.push(Subscription::start(PLACED, "bill"));
    program
}

/// The parts that a program is asked about.
async fn asked(world: &World, program: &Registration) -> Vec<String> {
    let seen = Mutex::new(Vec::new());
    let router = |event: &StoredEvent| {
        seen.lock().expect("no router panics here").push(event.part.clone());
        Routing::default()
    };
    let parts = program.parts();
    let deliveries = Deliveries { parts: &parts, ..deliveries(APP, 10) };
    while world.store.route_deliveries(deliveries, &router).await.expect("it routes") > 0 {}
    seen.into_inner().expect("no router panics here")
}

pub(super) async fn a_part_that_the_accepting_process_does_not_know_is_left_to_another(
    world: World,
) {
    world.store.register_app(&newer()).await.expect("it registers");
    let mut placed = event(PLACED, "{}");
    placed.hosted = starting(NewRun::new(ORDER, Some(placed.id), placed.data.clone()));
    world.store.accept_events(Some(APP), &[placed, event(PLACED, "{}")]).await.expect("accepted");
    assert_eq!(asked(&world, &newer()).await, [BILL, PLACED]);
    assert_eq!(asked(&world, &newer()).await, [""; 0]);
}

pub(super) async fn a_part_that_a_router_does_not_know_is_left_to_another(world: World) {
    world.store.register_app(&newer()).await.expect("it registers");
    let older = placed_starts_order();
    world.store.accept_events(None, &[event(PLACED, "{}")]).await.expect("accepted");
    assert_eq!(asked(&world, &older).await, [PLACED]);
    assert_eq!(asked(&world, &older).await, [""; 0]);
    assert_eq!(asked(&world, &newer()).await, [BILL]);
    assert_eq!(asked(&world, &newer()).await, [""; 0]);
}

pub(super) async fn a_part_is_forgotten_when_no_program_has_it(world: World) {
    world.store.register_app(&newer()).await.expect("it registers");
    let worker = worker(newer());
    world.store.begin_lease(&worker, HOUR).await.expect("it joins");
    let send = async || {
        world.store.accept_events(None, &[event(PLACED, "{}")]).await.expect("accepted");
        assert_eq!(asked(&world, &program(&[PLACED])).await, [PLACED]);
    };
    send().await;
    world.subscribe(APP, &[PLACED]).await;
    assert_eq!(asked(&world, &newer()).await, [BILL, PLACED_STARTS_ORDER], "its worker lives");

    send().await;
    world.store.end_lease(worker.id).await.expect("it can leave");
    world.subscribe(APP, &[PLACED]).await;
    send().await;
    assert_eq!(asked(&world, &newer()).await, [""; 0]);
}
