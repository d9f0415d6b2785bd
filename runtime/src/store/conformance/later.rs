use std::sync::Mutex;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use tokio::time::timeout;

use super::world::{APP, HOUR, PAID, PLACED, commit, deliveries, event, route, wait};
use super::{StoppedClock, World};
use crate::event::EventId;
use crate::journal::{Due, Then};
use crate::store::hints::Work;
use crate::store::{Accepted, NewEvent, Routing, Store, StoredEvent};

const NOTHING: Accepted = Accepted { events: 0, overlooked: 0, next: None };

/// How soon another process hears.
const SOON: Duration = Duration::from_secs(10);

fn at(due: Timestamp) -> NewEvent {
    NewEvent { due: Some(Due::At(due)), ..event(PLACED, "{}") }
}

fn after(wait: Duration) -> NewEvent {
    NewEvent { due: Some(Due::After(wait)), ..event(PLACED, "{}") }
}

fn keyed(event: NewEvent) -> NewEvent {
    NewEvent { idempotency_key: Some("a".to_owned()), ..event }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Sends events; gives their ids.
async fn send(store: &dyn Store, events: &[NewEvent]) -> Vec<EventId> {
    store.accept_events(Some(APP), events).await.expect("it is stored")
}

async fn accept(store: &dyn Store) -> Accepted {
    store.accept_due(100).await.expect("it answers")
}

/// The events that wait to be routed, with the times at which they were accepted.
async fn routed(store: &dyn Store) -> Vec<(EventId, Timestamp)> {
    let seen = Mutex::new(Vec::new());
    let router = |event: &StoredEvent| {
        seen.lock().expect("no router panics here").push((event.id, event.accepted_at));
        Routing::default()
    };
    while store.route_deliveries(deliveries(APP, 100), &router).await.expect("it routes") > 0 {}
    seen.into_inner().expect("no router panics here")
}

async fn routed_ids(store: &dyn Store) -> Vec<EventId> {
    routed(store).await.into_iter().map(|(id, _)| id).collect()
}

pub(super) async fn an_event_is_accepted_when_it_is_due_and_never_before(world: World) {
    let noon: Timestamp = "2026-01-01T12:00:00Z".parse().expect("it is a time");
    let mut clock = StoppedClock::of(&world.database, noon).await;
    let world = World { store: world.another().await, ..world };
    let store = &*world.store;
    world.subscribe(APP, &[PLACED]).await;
    let ids = send(store, &[at(noon + seconds(60)), after(seconds(90))]).await;
    let waits = |wait| Accepted { next: Some(wait), ..NOTHING };
    assert_eq!(accept(store).await, waits(seconds(60)));
    clock.set(noon + Duration::from_millis(59_999)).await;
    assert_eq!(accept(store).await, waits(Duration::from_millis(1)));
    assert_eq!(routed(store).await, []);

    clock.set(noon + seconds(60)).await;
    assert_eq!(accept(store).await, Accepted { events: 1, ..waits(seconds(30)) });
    assert_eq!(routed(store).await, [(ids[0], noon + seconds(60))]);
    // Nobody has looked for a while.
    clock.set(noon + seconds(3600)).await;
    assert_eq!(accept(store).await, Accepted { events: 1, overlooked: 1, next: None });
    assert_eq!(routed(store).await, [(ids[1], noon + seconds(3600))]);
    assert_eq!(accept(store).await, NOTHING);
    assert_eq!(routed(store).await, []);
    world.store.close().await;
    clock.release().await;
}

pub(super) async fn a_time_that_has_passed_is_now(world: World) {
    let store = &*world.store;
    world.subscribe(APP, &[PLACED]).await;
    let past = [at(Timestamp::MIN), at(Timestamp::UNIX_EPOCH), after(Duration::ZERO)];
    let mut ids = send(store, &past).await;
    assert_eq!(accept(store).await.events, 3);
    assert_eq!(routed_ids(store).await, ids);
    // What lies beyond the calendar is kept.
    ids = send(store, &[at(Timestamp::MAX), after(Duration::MAX)]).await;
    assert_eq!(ids.len(), 2);
    let kept = accept(store).await;
    assert_eq!(kept.events, 0);
    assert!(kept.next.is_some_and(|next| next > HOUR), "{kept:?}");
}

pub(super) async fn events_that_are_due_are_accepted_oldest_first(world: World) {
    let store = &*world.store;
    world.subscribe(APP, &[PLACED]).await;
    let now = Timestamp::now();
    let ago = |by| at(now - seconds(by));
    let ids = send(store, &[ago(10), ago(30), ago(20), ago(20), ago(40)]).await;
    let accepted = store.accept_due(3).await.expect("it answers");
    assert_eq!((accepted.events, accepted.next), (3, Some(Duration::ZERO)));
    assert_eq!(accept(store).await, Accepted { events: 2, overlooked: 2, next: None });
    assert_eq!(routed_ids(store).await, [4, 1, 2, 3, 0].map(|place| ids[place]));
}

pub(super) async fn an_event_that_is_due_starts_no_run_before(world: World) {
    // Whoever accepts an event that is due at once may start its runs with it.
    let store = &*world.store;
    world.subscribe(APP, &[PLACED]).await;
    let now = event(PLACED, "{}");
    let ids = send(store, &[after(HOUR), now]).await;
    assert_eq!(routed_ids(store).await, ids[1..]);
}

pub(super) async fn a_key_is_remembered_when_its_event_is_sent(world: World) {
    let store = &*world.store;
    world.subscribe(APP, &[PLACED]).await;
    let first = send(store, &[keyed(after(HOUR))]).await;
    assert_eq!(send(store, &[keyed(event(PLACED, "{}"))]).await, first);
    assert_eq!(send(store, &[keyed(after(Duration::ZERO))]).await, first);
    assert_eq!(accept(store).await.events, 0);
    assert_eq!(routed(store).await, []);
}

pub(super) async fn an_event_that_is_sent_again_as_it_was_is_accepted_once(world: World) {
    let store = &*world.store;
    world.subscribe(APP, &[PLACED]).await;
    let batch = [after(Duration::ZERO), keyed(after(Duration::ZERO))];
    let ids = send(store, &batch).await;
    assert_eq!(send(store, &batch).await, ids);
    assert_eq!(accept(store).await.events, 2);
    assert_eq!(send(store, &batch).await, ids);
    accept(store).await;
    assert_eq!(routed_ids(store).await, ids);
}

pub(super) async fn two_workers_accept_each_event_once_and_in_order(world: World) {
    world.subscribe(APP, &[PLACED]).await;
    let batch: Vec<_> = (0..300).map(|_| after(Duration::ZERO)).collect();
    let ids = send(&*world.store, &batch).await;
    let other = world.another().await;
    let accepting = [&world.store, &other].map(async |store| {
        let mut accepted = 0;
        loop {
            let round = store.accept_due(7).await.expect("it answers");
            accepted += round.events;
            if round.next.is_none() {
                return accepted;
            }
        }
    });
    assert_eq!(join_all(accepting).await.iter().sum::<usize>(), 300);
    assert_eq!(routed_ids(&*world.store).await, ids, "they keep their order");
    other.close().await;
}

/// It has its place when it is accepted, and not when it is sent.
pub(super) async fn an_event_that_was_kept_is_behind_the_triggers_of_its_time(world: World) {
    world.subscribe(APP, &[PLACED, PAID]).await;
    let paid = NewEvent { due: Some(Due::After(Duration::ZERO)), ..event(PAID, r#"{"no":7}"#) };
    let ids = send(&*world.store, &[paid]).await;
    let worker = world.worker(HOUR).await;
    world.send(PLACED, 1).await;
    let run = world.claim(worker, 1).await[0].origin.trigger.run;
    let waits = commit(run, 0, vec![wait("paid", 7)], Then::Continue);
    world.flush(worker, &[waits]).await.expect("it is ours");
    assert_eq!(world.inbox(worker, run).await, []);
    assert_eq!(accept(&*world.store).await.events, 1);
    route(&*world.store).await;
    let told: Vec<_> = world.inbox(worker, run).await.iter().map(|message| message.id).collect();
    assert_eq!(told, [ids[0].as_uuid().into()]);
}

pub(super) async fn whoever_keeps_an_event_says_so(world: World) {
    world.subscribe(APP, &[PLACED]).await;
    let other = world.another().await;
    other.listen(APP, HOUR).await;
    world.rung();
    send(&*world.store, &[after(Duration::ZERO)]).await;
    assert_eq!(world.rung(), Work::LATER);
    timeout(SOON, other.hints().later.notified()).await.expect("it hears of it");
    assert_eq!(accept(&*world.store).await.events, 1);
    assert_eq!(world.rung(), Work::DELIVERIES);
    other.close().await;
}
