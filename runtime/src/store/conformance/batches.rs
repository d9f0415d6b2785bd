use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;

use super::world::{APP, HOUR, ORDER, PLACED, deliveries, event};
use super::{StoppedClock, World};
use crate::flow::{Admission, Gathering, Keep, Window};
use crate::store::{Deliveries, Readied, Routing, Store, StoredEvent};

/// Gathers events by their `key`, three at a time, as lists of up to 100 bytes.
fn gather(timeout: Duration) -> impl Fn(&StoredEvent) -> Routing {
    move |event| {
        let data: serde_json::Value = event.data.decode().expect("it is JSON");
        let (workflow, key) = (ORDER.to_owned(), data["key"].to_string());
        let (window, keep) = (Window::Fixed(timeout), Keep::All);
        let batch = Gathering { workflow, key, max: 3, limit: 100, window, keep };
        Routing { admissions: vec![Admission::Gather(batch)], ..Routing::default() }
    }
}

async fn send(store: &dyn Store, key: &str, numbers: impl IntoIterator<Item = u32>) {
    let data = |no| format!(r#"{{"key":"{key}","no":{no}}}"#);
    let events: Vec<_> = numbers.into_iter().map(|no| event(PLACED, &data(no))).collect();
    store.accept_events(None, &events).await.expect("they are accepted");
}

fn in_turn(limit: usize) -> Deliveries<'static> {
    Deliveries { in_turn: true, ..deliveries(APP, limit) }
}

async fn route(store: &dyn Store, timeout: Duration) {
    while store.route_deliveries(in_turn(2), &gather(timeout)).await.expect("it routes") > 0 {}
}

async fn complete(world: &World) -> Readied {
    world.store.complete_batches(deliveries(APP, 100), &gather(HOUR)).await.expect("it completes")
}

/// The batches that were started, as the numbers of their events, in order of their runs.
async fn started(world: &World) -> Vec<(String, Vec<u64>)> {
    let worker = world.worker(HOUR).await;
    let runs = world.claim(worker, 1000).await;
    let batches = runs.iter().map(|run| {
        let events: Vec<serde_json::Value> =
            run.origin.trigger.data.decode().expect("it is a list");
        let key = events[0]["key"].as_str().unwrap_or_default().to_owned();
        (key, events.iter().filter_map(|event| event["no"].as_u64()).collect())
    });
    batches.collect()
}

pub(super) async fn a_full_batch_starts_one_run(world: World) {
    world.subscribe(APP, &[PLACED]).await;
    send(&*world.store, "a", 1..=2).await;
    route(&*world.store, HOUR).await;
    assert_eq!(started(&world).await, []);
    send(&*world.store, "a", 3..=7).await;
    route(&*world.store, HOUR).await;
    let batches = [("a".to_owned(), vec![1, 2, 3]), ("a".to_owned(), vec![4, 5, 6])];
    assert_eq!(started(&world).await, batches);
    let left = complete(&world).await;
    assert_eq!(left.runs, 0, "the seventh has time");
    assert!(left.next.is_some_and(|next| next > Duration::from_secs(3500)), "{left:?}");
}

pub(super) async fn a_batch_is_complete_before_it_is_too_long(world: World) {
    world.subscribe(APP, &[PLACED]).await;
    // An event of this number takes so many bytes.
    let send = async |no: u64, bytes: usize| {
        let rest = r#"{"key":"a","no":,"x":""}"#.len() + no.to_string().len();
        let data = format!(r#"{{"key":"a","no":{no},"x":"{}"}}"#, "x".repeat(bytes - rest));
        assert_eq!(data.len(), bytes);
        world.store.accept_events(None, &[event(PLACED, &data)]).await.expect("it is accepted");
    };
    let no = |batch: &[u64]| ("a".to_owned(), batch.to_vec());
    // With the brackets and the comma two of them are as long as may be, and one byte longer.
    for (no, bytes) in [(1, 48), (2, 49), (3, 49)] {
        send(no, bytes).await;
        route(&*world.store, HOUR).await;
    }
    assert_eq!(started(&world).await, [no(&[1, 2])]);
    for (no, bytes) in [(4, 49), (5, 49)] {
        send(no, bytes).await;
    }
    route(&*world.store, HOUR).await;
    assert_eq!(started(&world).await, [no(&[3]), no(&[4])]);
    // One that is too long by itself waits for no other, and no other waits for it.
    send(6, 150).await;
    route(&*world.store, HOUR).await;
    assert_eq!(started(&world).await, [no(&[5]), no(&[6])]);
    assert_eq!(complete(&world).await, Readied { runs: 0, next: None, late: None });

    for number in 7..=9 {
        send(number, 30).await;
    }
    route(&*world.store, HOUR).await;
    assert_eq!(started(&world).await, [no(&[7, 8, 9])], "what went counts no more");
}

pub(super) async fn a_batch_starts_when_its_first_event_has_waited(world: World) {
    world.subscribe(APP, &[PLACED]).await;
    send(&*world.store, "a", 1..=2).await;
    route(&*world.store, Duration::ZERO).await;
    assert_eq!(complete(&world).await, Readied { runs: 1, next: None, late: None });
    assert_eq!(complete(&world).await.runs, 0);
    assert_eq!(started(&world).await, [("a".to_owned(), vec![1, 2])]);

    send(&*world.store, "a", 3..=5).await;
    route(&*world.store, HOUR).await;
    assert_eq!(started(&world).await, [("a".to_owned(), vec![3, 4, 5])], "it begins anew");
}

pub(super) async fn events_of_different_keys_are_not_mixed(world: World) {
    world.subscribe(APP, &[PLACED]).await;
    for no in 1..=3 {
        send(&*world.store, "a", [no]).await;
        send(&*world.store, "b", [no * 10]).await;
    }
    route(&*world.store, HOUR).await;
    let batches = [("a".to_owned(), vec![1, 2, 3]), ("b".to_owned(), vec![10, 20, 30])];
    let mut found = started(&world).await;
    found.sort();
    assert_eq!(found, batches);
}

pub(super) async fn each_event_is_in_one_batch_whoever_routes_it(world: World) {
    world.subscribe(APP, &[PLACED]).await;
    let other = world.another().await;
    let numbers: Vec<u32> = (0..100).collect();
    for chunk in numbers.chunks(10) {
        send(&*world.store, "a", chunk.iter().copied()).await;
        send(&*other, "b", chunk.iter().copied()).await;
    }
    let routing = [&world.store, &other].map(async |store| {
        for _ in 0..60 {
            store.route_deliveries(in_turn(5), &gather(Duration::ZERO)).await.expect("it routes");
            store.complete_batches(deliveries(APP, 1), &gather(HOUR)).await.expect("it completes");
        }
    });
    join_all(routing).await;
    complete(&world).await;
    let mut found = started(&world).await;
    assert!(found.iter().all(|(_, events)| events.len() <= 3), "{found:?}");
    for key in ["a", "b"] {
        let of_key = found.iter_mut().filter(|(of, _)| of == key);
        let mut batches: Vec<_> = of_key.map(|(_, events)| std::mem::take(events)).collect();
        assert!(batches.iter().all(|events| events.is_sorted()), "{batches:?}");
        batches.sort();
        assert_eq!(batches.concat(), (0..100).collect::<Vec<u64>>(), "in order, and each once");
    }
    other.close().await;
}

/// Gathers events by their `key` until nothing has come for 30 seconds, at most for 60.
fn settle(keep: Keep) -> impl Fn(&StoredEvent) -> Routing {
    settle_within(30, Some(60), keep)
}

/// The same with other times.
fn settle_within(period: u64, max: Option<u64>, keep: Keep) -> impl Fn(&StoredEvent) -> Routing {
    move |event| {
        let data: serde_json::Value = event.data.decode().expect("it is JSON");
        let (workflow, key) = (ORDER.to_owned(), data["key"].to_string());
        let seconds = Duration::from_secs;
        let window = Window::Sliding { period: seconds(period), max: max.map(seconds) };
        let batch = Gathering { workflow, key, max: 3, limit: 100, window, keep };
        Routing { admissions: vec![Admission::Gather(batch)], ..Routing::default() }
    }
}

pub(super) async fn events_in_quick_succession_start_one_run(world: World) {
    let noon: Timestamp = "2026-01-01T12:00:00Z".parse().expect("it is a time");
    let mut clock = StoppedClock::of(&world.database, noon).await;
    let world = World { store: world.another().await, ..world };
    world.subscribe(APP, &[PLACED]).await;
    let router = settle(Keep::All);
    let complete = async || {
        let completed = world.store.complete_batches(deliveries(APP, 100), &router).await;
        completed.expect("it completes").runs
    };
    let route = async || {
        while world.store.route_deliveries(in_turn(2), &router).await.expect("it routes") > 0 {}
    };
    // Each one lets its window wait longer.
    for (second, key, no) in [(0, "a", 1), (10, "b", 2), (29, "a", 3)] {
        clock.set(noon + Duration::from_secs(second)).await;
        assert_eq!(complete().await, 0, "at {second}");
        send(&*world.store, key, [no]).await;
        route().await;
    }
    clock.set(noon + Duration::from_secs(39)).await;
    assert_eq!(complete().await, 0);
    clock.set(noon + Duration::from_secs(40)).await;
    assert_eq!(complete().await, 1, "it was quiet around b for 30 seconds");
    assert_eq!(started(&world).await, [("b".to_owned(), vec![2])]);
    // A list has a bound, and does not wait once it is there.
    send(&*world.store, "a", [4, 5]).await;
    route().await;
    assert_eq!(started(&world).await, [("a".to_owned(), vec![1, 3, 4])]);
    clock.set(noon + Duration::from_secs(69)).await;
    assert_eq!(complete().await, 0);
    clock.set(noon + Duration::from_secs(70)).await;
    assert_eq!(complete().await, 1);
    assert_eq!(started(&world).await, [("a".to_owned(), vec![5])]);
    world.store.close().await;
}

pub(super) async fn a_window_waits_for_what_came_before_its_end(world: World) {
    let noon: Timestamp = "2026-01-01T12:00:00Z".parse().expect("it is a time");
    let mut clock = StoppedClock::of(&world.database, noon).await;
    let world = World { store: world.another().await, ..world };
    world.subscribe(APP, &[PLACED]).await;
    let router = settle(Keep::All);
    let complete = async || {
        let completed = world.store.complete_batches(deliveries(APP, 100), &router).await;
        completed.expect("it completes").runs
    };
    let route = async || {
        while world.store.route_deliveries(in_turn(2), &router).await.expect("it routes") > 0 {}
    };
    send(&*world.store, "a", [1]).await;
    route().await;
    clock.set(noon + Duration::from_secs(29)).await;
    send(&*world.store, "a", [2]).await;
    clock.set(noon + Duration::from_secs(31)).await;
    assert_eq!(complete().await, 0, "the second one is still to be routed");
    route().await;
    assert_eq!(complete().await, 0);
    clock.set(noon + Duration::from_secs(58)).await;
    assert_eq!(complete().await, 0);
    clock.set(noon + Duration::from_secs(59)).await;
    assert_eq!(complete().await, 1);
    assert_eq!(started(&world).await, [("a".to_owned(), vec![1, 2])]);

    // One each 20 seconds: at the latest a minute after the first.
    let later = noon + Duration::from_secs(1000);
    for (second, no) in [(0, 3), (20, 4)] {
        clock.set(later + Duration::from_secs(second)).await;
        send(&*world.store, "c", [no]).await;
        route().await;
    }
    clock.set(later + Duration::from_secs(49)).await;
    assert_eq!(complete().await, 0);
    clock.set(later + Duration::from_secs(50)).await;
    assert_eq!(complete().await, 1);
    world.store.close().await;
}

/// A deploy with a shorter period does not make an open window shorter, but its `max` bounds it.
pub(super) async fn an_open_window_outlasts_a_shorter_period(world: World) {
    let noon: Timestamp = "2026-01-01T12:00:00Z".parse().expect("it is a time");
    let mut clock = StoppedClock::of(&world.database, noon).await;
    let world = World { store: world.another().await, ..world };
    world.subscribe(APP, &[PLACED]).await;
    let cases =
        [(None, None, 30), (None, Some(15), 20), (Some(60), None, 30), (Some(60), Some(15), 20)];
    for (place, (before, after, ends)) in (0..).zip(cases) {
        let begin = noon + Duration::from_secs(place * 1000);
        for (second, period, max) in [(0, 30, before), (5, 10, after)] {
            clock.set(begin + Duration::from_secs(second)).await;
            send(&*world.store, "a", [u32::try_from(second).unwrap_or_default()]).await;
            let router = settle_within(period, max, Keep::All);
            while world.store.route_deliveries(in_turn(2), &router).await.expect("it routes") > 0 {}
        }
        for (second, runs) in [(ends - 1, 0), (ends, 1)] {
            clock.set(begin + Duration::from_secs(second)).await;
            assert_eq!(
                complete(&world).await.runs,
                runs,
                "{before:?}, then {after:?}, at {second}"
            );
        }
    }
    world.store.close().await;
}

pub(super) async fn the_last_event_of_a_window_starts_its_run_alone(world: World) {
    let noon: Timestamp = "2026-01-01T12:00:00Z".parse().expect("it is a time");
    let mut clock = StoppedClock::of(&world.database, noon).await;
    let world = World { store: world.another().await, ..world };
    world.subscribe(APP, &[PLACED]).await;
    let router = settle(Keep::Last);
    // In one transaction and in several: there are more than a list would have, and they are longer.
    send(&*world.store, "a", 1..=6).await;
    while world.store.route_deliveries(in_turn(4), &router).await.expect("it routes") > 0 {}
    for second in [29, 59] {
        clock.set(noon + Duration::from_secs(second)).await;
        send(&*world.store, "a", [u32::try_from(second).unwrap_or_default()]).await;
        while world.store.route_deliveries(in_turn(4), &router).await.expect("it routes") > 0 {}
    }
    let complete = async || {
        let completed = world.store.complete_batches(deliveries(APP, 100), &router).await;
        completed.expect("it completes").runs
    };
    assert_eq!(complete().await, 0);
    clock.set(noon + Duration::from_secs(60)).await;
    assert_eq!(complete().await, 1, "a minute after the first");
    assert_eq!(started(&world).await, [("a".to_owned(), vec![59])]);
    world.store.close().await;
}
