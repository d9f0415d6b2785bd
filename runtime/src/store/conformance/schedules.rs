use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};

use super::World;
use super::world::{APP, HOUR, ORDER, json, program};
use crate::flow::{Firing, NewRun};
use crate::store::{DueSchedule, Readied, Registration, Schedule, Store};

fn hourly(rule: &str) -> [Schedule; 1] {
    [Schedule { workflow: ORDER.to_owned(), rule: rule.to_owned() }]
}

fn having(schedules: &[Schedule]) -> Registration {
    Registration { schedules: schedules.to_vec(), ..program(&[]) }
}

async fn register(world: &World, schedules: &[Schedule]) {
    world.store.register_app(&having(schedules)).await.expect("it registers");
}

fn hours(n: i64) -> SignedDuration {
    SignedDuration::from_hours(n)
}

/// One run for what is due; the first time it is due an hour ago.
fn timetable(due: &DueSchedule) -> Firing {
    let Some(at) = due.due else {
        return Firing { runs: Vec::new(), next: due.now - hours(1) };
    };
    let run = NewRun { scheduled_at: Some(at), ..NewRun::new(ORDER, None, json("{}")) };
    Firing { runs: vec![run], next: due.now + hours(1) }
}

async fn fire(store: &dyn Store, schedules: &[Schedule]) -> Readied {
    store.fire_schedules(APP, schedules, &timetable).await.expect("it fires")
}

pub(super) async fn a_schedule_fires_when_it_is_due_and_never_early(world: World) {
    let schedules = hourly("0 * * * *");
    register(&world, &schedules).await;
    let first = fire(&*world.store, &schedules).await;
    assert_eq!(first.runs, 0, "it was never looked at");
    assert_eq!(first.next.map(|next| next.as_secs()), Some(0));

    let before = Timestamp::now() - hours(1);
    let fired = fire(&*world.store, &schedules).await;
    assert_eq!(fired.runs, 1);
    let next = fired.next.expect("it goes on");
    assert!(next.as_secs() > 3500 && next.as_secs() <= 3600, "{next:?}");
    assert_eq!(fire(&*world.store, &schedules).await.runs, 0);

    let worker = world.worker(HOUR).await;
    let claimed = world.claim(worker, 10).await;
    assert_eq!(claimed.len(), 1);
    let id = claimed[0].origin.trigger.run;
    let run = world.store.run(id).await.expect("it answers").expect("it is there");
    let scheduled = run.scheduled_at.expect("it is linked to its schedule");
    let distance = scheduled.duration_since(before).abs();
    assert!(distance < SignedDuration::from_secs(60), "{scheduled}");
}

pub(super) async fn a_schedule_is_kept_until_its_rule_changes(world: World) {
    let schedules = hourly("0 * * * *");
    register(&world, &schedules).await;
    fire(&*world.store, &schedules).await;
    register(&world, &schedules).await;
    assert_eq!(fire(&*world.store, &schedules).await.runs, 1, "it was due before");

    let others = hourly("30 * * * *");
    register(&world, &others).await;
    assert_eq!(fire(&*world.store, &schedules).await.runs, 0, "that is another version's");
    assert_eq!(fire(&*world.store, &others).await.runs, 0, "it begins anew");
    assert_eq!(fire(&*world.store, &others).await.runs, 1);

    register(&world, &[]).await;
    let none = fire(&*world.store, &others).await;
    assert_eq!(none, Readied { runs: 0, next: None, late: None });
}

pub(super) async fn each_version_that_lives_keeps_its_schedule(world: World) {
    let [old, new] = [hourly("0 * * * *"), hourly("30 * * * *")];
    register(&world, &old).await;
    let worker = world.worker_with(having(&old)).await;
    fire(&*world.store, &old).await;

    register(&world, &new).await;
    let canary = world.worker_with(having(&new)).await;
    assert_eq!(fire(&*world.store, &new).await.runs, 0, "it was never looked at");
    assert_eq!(fire(&*world.store, &new).await.runs, 1);
    let next = fire(&*world.store, &new).await.next.expect("it goes on");
    assert!(next.as_secs() > 3500, "the other's schedule is nothing to it: {next:?}");
    world.store.end_lease(canary).await.expect("it can leave");
    assert_eq!(fire(&*world.store, &old).await.runs, 1, "it is still due");
    assert_eq!(fire(&*world.store, &old).await.runs, 0);

    register(&world, &old).await;
    let none = Readied { runs: 0, next: None, late: None };
    assert_eq!(fire(&*world.store, &new).await, none, "nobody has it any more");
    world.store.end_lease(worker).await.expect("it can leave");
    register(&world, &new).await;
    assert_eq!(fire(&*world.store, &old).await, none);
}

pub(super) async fn what_was_due_while_other_versions_lived_is_not_caught_up_with(world: World) {
    let [old, new] = [hourly("0 * * * *"), hourly("30 * * * *")];
    register(&world, &old).await;
    let worker = world.worker_with(having(&old)).await;
    fire(&*world.store, &old).await;
    register(&world, &new).await;
    world.worker_with(having(&new)).await;
    world.store.end_lease(worker).await.expect("it can leave");

    register(&world, &old).await;
    assert_eq!(fire(&*world.store, &old).await.runs, 0, "it begins anew");
    assert_eq!(fire(&*world.store, &old).await.runs, 1);
}

pub(super) async fn a_worker_that_joins_finds_its_schedules(world: World) {
    let [old, new] = [hourly("0 * * * *"), hourly("30 * * * *")];
    register(&world, &old).await;
    register(&world, &new).await;
    world.worker_with(having(&old)).await;
    assert_eq!(fire(&*world.store, &old).await.runs, 0, "it begins anew");
    assert_eq!(fire(&*world.store, &old).await.runs, 1);
    assert_eq!(fire(&*world.store, &new).await.runs, 0);
}

pub(super) async fn the_last_tick_is_known_to_the_next(world: World) {
    let schedules = hourly("0 * * * *");
    register(&world, &schedules).await;
    let seen = std::sync::Mutex::new(Vec::new());
    let always_due = |due: &DueSchedule| {
        seen.lock().expect("no test panics here").push((due.due, due.last));
        Firing { next: due.now - hours(1), ..timetable(due) }
    };
    for _ in 0..3 {
        world.store.fire_schedules(APP, &schedules, &always_due).await.expect("it fires");
    }
    let seen = seen.into_inner().expect("no test panics here");
    assert_eq!(seen.len(), 3);
    assert_eq!((seen[0], seen[1].1), ((None, None), None));
    assert_eq!(seen[2].1, seen[1].0);
}

pub(super) async fn two_workers_start_one_run_a_tick(world: World) {
    let schedules = hourly("0 * * * *");
    register(&world, &schedules).await;
    fire(&*world.store, &schedules).await;
    let other = world.another().await;
    let left = AtomicUsize::new(50);
    // Always due, until it has fired fifty times.
    let busy = |due: &DueSchedule| {
        let at = due.due.unwrap_or(due.now);
        let more = left.fetch_sub(1, Ordering::Relaxed) > 1;
        let next = if more { at + SignedDuration::from_secs(1) } else { due.now + hours(1) };
        Firing { next, ..timetable(due) }
    };
    let firing = [&world.store, &other].map(async |store| {
        let mut started = 0;
        while left.load(Ordering::Relaxed) > 0 {
            started += store.fire_schedules(APP, &schedules, &busy).await.expect("it fires").runs;
        }
        started
    });
    assert_eq!(join_all(firing).await.iter().sum::<usize>(), 50);
    let worker = world.worker(HOUR).await;
    let runs = world.claim(worker, 1000).await;
    let mut ticks = Vec::new();
    for run in &runs {
        let run = world.store.run(run.origin.trigger.run).await.expect("it answers");
        ticks.push(run.and_then(|run| run.scheduled_at).expect("it is linked"));
    }
    ticks.sort();
    ticks.dedup();
    assert_eq!((runs.len(), ticks.len()), (50, 50));
    other.close().await;
}
