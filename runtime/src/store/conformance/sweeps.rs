use std::time::Duration;

use jiff::Timestamp;

use super::gates::{rated, send, window};
use super::world::{APP, HOUR, PLACED, event, program};
use super::{StoppedClock, World};
use crate::store::{NewEvent, Registration};

pub(super) async fn what_says_nothing_any_more_is_removed(world: World) {
    let noon: Timestamp = "2026-01-01T12:00:00Z".parse().expect("it is a time");
    let mut clock = StoppedClock::of(&world.database, noon).await;
    let world = World { store: world.another().await, ..world };
    let program = Registration { limits: window(1, 60), ..program(&[PLACED]) };
    world.store.register_app(&program).await.expect("an app can register");
    let keyed = NewEvent { idempotency_key: Some("7".to_owned()), ..event("order/lost", "{}") };
    world.store.accept_events(None, &[keyed]).await.expect("it is accepted");
    assert_eq!(send(&world, 3, &rated("1"), &[]).await.len(), 1);

    let left = async || {
        assert!(!world.store.sweep(APP).await.expect("the store answers"), "there is no more");
        let mut rows = Vec::new();
        for table in ["counters", "skipped", "dedupe"] {
            rows.push(world.database.rows(table).await);
        }
        rows
    };
    assert_eq!(left().await, [1, 2, 1]);
    clock.set(noon + Duration::from_secs(60)).await;
    assert_eq!(left().await, [1, 2, 1], "clocks may differ a little");
    clock.set(noon + Duration::from_secs(200)).await;
    assert_eq!(left().await, [0, 2, 1]);
    clock.set(noon + 25 * HOUR).await;
    assert_eq!(left().await, [0, 2, 0]);
    clock.set(noon + 29 * 24 * HOUR).await;
    assert_eq!(left().await, [0, 2, 0]);
    clock.set(noon + 31 * 24 * HOUR).await;
    assert_eq!(left().await, [0, 0, 0]);
    world.store.close().await;
}

pub(super) async fn what_is_removed_at_once_is_bounded(world: World) {
    let noon: Timestamp = "2026-01-01T12:00:00Z".parse().expect("it is a time");
    let mut clock = StoppedClock::of(&world.database, noon).await;
    let world = World { store: world.another().await, ..world };
    let keyed =
        |no: u32| NewEvent { idempotency_key: Some(no.to_string()), ..event("order/lost", "{}") };
    let events: Vec<_> = (0..1_200).map(keyed).collect();
    world.store.accept_events(None, &events).await.expect("they are accepted");
    clock.set(noon + 25 * HOUR).await;
    assert!(world.store.sweep(APP).await.expect("the store answers"), "there is more");
    assert_eq!(world.database.rows("dedupe").await, 200);
    assert!(!world.store.sweep(APP).await.expect("the store answers"));
    assert_eq!(world.database.rows("dedupe").await, 0);
    world.store.close().await;
}
