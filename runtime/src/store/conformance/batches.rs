use std::time::Duration;

use futures_util::future::join_all;

use super::World;
use super::world::{APP, HOUR, ORDER, PLACED, deliveries, event};
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
    world.store.complete_batches(APP, 100).await.expect("it completes")
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
            store.complete_batches(APP, 1).await.expect("it completes");
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
