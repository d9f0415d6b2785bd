use std::time::Duration;

use jiff::Timestamp;

use super::gates::{
    LIMIT, PACE, RATE, declare, ended, gate, open, rated, send, slots, start_all, window,
};
use super::world::{APP, HOUR, PLACED, ids, only, program};
use super::{StoppedClock, World};
use crate::store::limits::LimitRefusal;
use crate::store::{LimitRecord, Registration};
use crate::workflow::{Allowance, Declared, Hold};

async fn limit(world: &World, name: &str) -> LimitRecord {
    let limits = world.store.limits(APP).await.expect("the store answers");
    limits.into_iter().find(|limit| limit.name == name).expect("there is such a limit")
}

async fn set(world: &World, name: &str, allows: impl Into<Option<Allowance>>) {
    let set = world.store.set_limit(APP, name, allows.into().as_ref(), "ada").await;
    assert_eq!(set.expect("the store answers"), Ok(()));
}

pub(super) async fn limits_are_listed_with_their_busiest_keys(world: World) {
    let shared = Declared { limit: "app".to_owned(), allows: Allowance::Slots(100) };
    declare(&world, slots(6).into_iter().chain([shared]).collect()).await;
    for key in 0..21 {
        start_all(&world, 1, &[gate(LIMIT, &key.to_string(), Hold::Active)]).await;
    }
    let busy = start_all(&world, 8, &[gate(LIMIT, "\"busy\"", Hold::Active)]).await;
    open(&world).await;

    let limits = world.store.limits(APP).await.expect("the store answers");
    let names: Vec<_> = limits.iter().map(|limit| (&*limit.name, limit.keys.len())).collect();
    assert_eq!(names, [("app", 0), (LIMIT, 20)], "by name, and so many keys");
    let LimitRecord { declared, set, changed_by, keys, .. } = &limits[1];
    assert_eq!((declared, set, changed_by), (&Allowance::Slots(6), &None, &None));
    let first = &keys[0];
    assert_eq!((&*first.key, first.holding, first.waiting), ("\"busy\"", 6, 2));
    let holders: Vec<_> = first.holders.iter().map(|holder| holder.run).collect();
    assert_eq!(holders, busy[..5], "those that have held it for longest");
    assert!(keys[1..].iter().all(|key| (key.holding, key.waiting) == (1, 0)));
}

pub(super) async fn what_an_operator_sets_holds_at_once_and_is_kept(world: World) {
    declare(&world, slots(2)).await;
    let worker = world.worker(HOUR).await;
    let runs = start_all(&world, 6, &[gate(LIMIT, "1", Hold::Active)]).await;
    assert_eq!(open(&world).await, 2);
    set(&world, LIMIT, Allowance::Slots(4)).await;
    assert_eq!(open(&world).await, 2);
    set(&world, LIMIT, Allowance::Slots(0)).await;
    assert_eq!(ids(&world.claim(worker, 10).await), runs[..4], "those that were let through stay");
    world.flush(worker, &[only(runs[0], 1, ended())]).await.expect("it ends");
    assert_eq!(open(&world).await, 0, "nobody passes");

    // A program that starts finds what was set.
    declare(&world, slots(3)).await;
    assert_eq!(open(&world).await, 0);
    let paused = limit(&world, LIMIT).await;
    assert_eq!(paused.allows(), Allowance::Slots(0));
    assert_eq!((paused.declared, paused.set), (Allowance::Slots(3), Some(Allowance::Slots(0))));
    assert_eq!(paused.changed_by.as_deref(), Some("ada"));
    assert!(paused.changed_at.is_some());

    world.flush(worker, &[only(runs[1], 1, ended())]).await.expect("it ends");
    assert_eq!(open(&world).await, 0);
    let reset = world.store.set_limit(APP, LIMIT, None, "bob").await;
    assert_eq!(reset.expect("the store answers"), Ok(()));
    assert_eq!(open(&world).await, 1, "the code allows three");
    let reset = limit(&world, LIMIT).await;
    assert_eq!((reset.set, reset.changed_by.as_deref()), (None, Some("bob")));
}

pub(super) async fn a_pace_or_a_window_that_is_set_holds_at_once(world: World) {
    let noon: Timestamp = "2026-01-01T12:00:00Z".parse().expect("it is a time");
    let mut clock = StoppedClock::of(&world.database, noon).await;
    let world = World { store: world.another().await, ..world };
    let pace =
        |limit, seconds| Allowance::Pace { limit, per: Duration::from_secs(seconds), burst: 0 };
    let limits =
        [Declared { limit: PACE.to_owned(), allows: pace(1, 3_600) }, window(1, 60).remove(0)];
    let program = Registration { limits: limits.to_vec(), ..program(&[PLACED]) };
    world.store.register_app(&program).await.expect("an app can register");
    start_all(&world, 3, &[gate(PACE, "1", Hold::Pass)]).await;
    assert_eq!(open(&world).await, 1);
    let standing = limit(&world, PACE).await.keys.remove(0);
    assert_eq!((standing.waiting, standing.until), (2, Some(noon + Duration::from_secs(3_600))));

    set(&world, PACE, pace(6, 60)).await;
    assert_eq!(open(&world).await, 0);
    clock.set(noon + Duration::from_secs(10)).await;
    assert_eq!(open(&world).await, 1, "not only in an hour");
    set(&world, PACE, pace(0, 60)).await;
    clock.set(noon + Duration::from_secs(7_200)).await;
    assert_eq!(open(&world).await, 0);
    set(&world, PACE, None).await;
    assert_eq!(open(&world).await, 1);

    assert_eq!(send(&world, 3, &rated("1"), &[]).await.len(), 1);
    let standing = limit(&world, RATE).await.keys.remove(0);
    assert_eq!((standing.counted, standing.skipped), (1, 2));
    set(&world, RATE, Allowance::Window { limit: 3, per: Duration::from_secs(60) }).await;
    assert_eq!(send(&world, 3, &rated("1"), &[]).await.len(), 2);
    world.store.close().await;
}

pub(super) async fn what_the_clock_has_counted_changes_with_its_limit(world: World) {
    let noon: Timestamp = "2026-01-01T12:00:00Z".parse().expect("it is a time");
    let mut clock = StoppedClock::of(&world.database, noon).await;
    let world = World { store: world.another().await, ..world };
    let pace =
        |limit, seconds| Allowance::Pace { limit, per: Duration::from_secs(seconds), burst: 0 };
    let limits = |pace, window: Vec<Declared>| {
        let pace = Declared { limit: PACE.to_owned(), allows: pace };
        Registration { limits: window.into_iter().chain([pace]).collect(), ..program(&[PLACED]) }
    };
    let deploy = async |registration: Registration| {
        world.store.register_app(&registration).await.expect("an app can register");
    };
    deploy(limits(pace(1, 3_600), window(1, 3_600))).await;
    start_all(&world, 1, &[gate(PACE, "1", Hold::Pass)]).await;
    start_all(&world, 1, &[gate(PACE, "2", Hold::Pass)]).await;
    assert_eq!(open(&world).await, 2);
    assert_eq!(send(&world, 2, &rated("1"), &[]).await.len(), 1);

    // A faster pace and a shorter window count from then on, also where nobody waited.
    deploy(limits(pace(6, 60), window(1, 60))).await;
    clock.set(noon + Duration::from_secs(59)).await;
    start_all(&world, 1, &[gate(PACE, "1", Hold::Pass)]).await;
    assert_eq!(open(&world).await, 1, "more than ten seconds have passed");
    assert_eq!(send(&world, 1, &rated("1"), &[]).await.len(), 0);
    clock.set(noon + Duration::from_secs(60)).await;
    assert_eq!(send(&world, 2, &rated("1"), &[]).await.len(), 1);

    // So does a longer window that an operator sets, and the one of the code after that.
    set(&world, RATE, Allowance::Window { limit: 1, per: Duration::from_secs(600) }).await;
    clock.set(noon + Duration::from_secs(659)).await;
    assert_eq!(send(&world, 1, &rated("1"), &[]).await.len(), 0);
    set(&world, RATE, None).await;
    assert_eq!(send(&world, 1, &rated("1"), &[]).await.len(), 1);
    world.store.close().await;
}

pub(super) async fn only_a_limit_of_its_kind_is_set(world: World) {
    declare(&world, slots(2)).await;
    let set = async |app, name, allows: Option<Allowance>| {
        let set = world.store.set_limit(app, name, allows.as_ref(), "ada").await;
        set.expect("the store answers")
    };
    let unknown = |names: &[&str]| {
        Err(LimitRefusal::Unknown(names.iter().map(|name| (*name).to_owned()).collect()))
    };
    let three = Some(Allowance::Slots(3));
    assert_eq!(set(APP, PACE, three).await, unknown(&[LIMIT]));
    assert_eq!(set(APP, PACE, None).await, unknown(&[LIMIT]));
    assert_eq!(set("bank", LIMIT, three).await, unknown(&[]), "another app's");
    let window = Allowance::Window { limit: 3, per: HOUR };
    let other = Err(LimitRefusal::OtherKind(Allowance::Slots(2)));
    assert_eq!(set(APP, LIMIT, Some(window)).await, other);
    assert_eq!(limit(&world, LIMIT).await.changed_by, None);
}
