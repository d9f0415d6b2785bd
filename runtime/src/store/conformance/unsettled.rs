use super::World;
use super::gates::{LIMIT, declare, ended, gate, open, slots};
use super::world::{APP, HOUR, ORDER, PAID, commit, ids, json, numbered, only, program, reasons};
use crate::flow::NewRun;
use crate::journal::{CancelKey, End, ErrorKind, ErrorRecord, RunId, Then};
use crate::payload::Payload;
use crate::store::hints::Work;
use crate::store::{Fork, Replay, Store, Terms};
use crate::workflow::{Checks, Gate, Hold, Passage, Single};

const REASON: &str = "the event `order/paid` cancels it";

/// A program that has [`ORDER`]: payments cancel its runs, and one of a key works at a time.
struct Known {
    single: bool,
}

impl Known {
    const ORDERS: Self = Self { single: false };

    fn gate() -> Gate {
        gate(LIMIT, "1", Hold::Run)
    }
}

impl Terms for Known {
    fn cancels(&self, _workflow: &str, input: &Payload) -> Vec<CancelKey> {
        let no = input.decode::<u32>().expect("it is a number");
        vec![CancelKey { event: PAID, awaited: numbered(PAID, no) }]
    }

    fn passage(&self, _workflow: &str, _input: &Payload) -> Passage {
        let single = self.single.then(|| (Self::gate(), Single::Cancel));
        let checks = Checks { single, ..Checks::default() };
        Passage { gates: vec![Self::gate()], checks, ..Passage::default() }
    }
}

/// A program that does not have [`ORDER`].
struct Unknown;

impl Terms for Unknown {
    fn know(&self, _workflow: &str) -> bool {
        false
    }

    fn cancels(&self, _workflow: &str, _input: &Payload) -> Vec<CancelKey> {
        unreachable!("it does not know")
    }
}

async fn start(world: &World, no: u32) -> RunId {
    let run = NewRun { unsettled: true, ..NewRun::new(ORDER, None, json(&no.to_string())) };
    // The second time as if the reply to the first was lost.
    for _ in 0..2 {
        world.store.start_runs(APP, std::slice::from_ref(&run)).await.expect("it starts");
    }
    run.id
}

async fn settle(store: &dyn Store, workflow: &str, terms: &dyn Terms) -> usize {
    let workflows = ["other".to_owned(), workflow.to_owned()];
    store.settle_runs(APP, &workflows, terms).await.expect("the store answers")
}

async fn settle_orders(world: &World) -> usize {
    settle(&*world.store, ORDER, &Known::ORDERS).await
}

pub(super) async fn a_run_is_claimed_once_its_limits_are_known(world: World) {
    declare(&world, slots(1)).await;
    let worker = world.worker(HOUR).await;
    world.rung();
    let runs = [start(&world, 1).await, start(&world, 2).await];
    assert!(world.rung().contains(Work::UNSETTLED));
    assert_eq!(open(&world).await, 0);
    assert_eq!(world.claim(worker, 10).await.len(), 0, "nobody knows its limits");
    assert_eq!(settle(&*world.store, "another", &Known::ORDERS).await, 0, "it knows others");
    assert_eq!(settle_orders(&world).await, 2);
    assert!(world.rung().contains(Work::READY));
    assert_eq!(settle_orders(&world).await, 0);
    assert_eq!(open(&world).await, 1);
    assert_eq!(ids(&world.claim(worker, 10).await), runs[..1]);
    world.flush(worker, &[only(runs[0], 1, ended())]).await.expect("it ends");
    assert_eq!(open(&world).await, 1);
    assert_eq!(ids(&world.claim(worker, 10).await), runs[1..]);
}

pub(super) async fn an_event_cancels_a_run_that_is_settled_later(world: World) {
    world.subscribe(APP, &[PAID]).await;
    world.send(PAID, 7).await;
    let spared = start(&world, 7).await;
    assert_eq!(settle_orders(&world).await, 1);
    world.send(PAID, 8).await;
    let cancelled = [start(&world, 9).await, start(&world, 10).await];
    world.send(PAID, 9).await;
    assert_eq!(settle_orders(&world).await, 2);
    world.send(PAID, 10).await;
    // Each waits for the slot, but for those that are cancelled.
    let worker = world.worker(HOUR).await;
    declare(&world, slots(0)).await;
    open(&world).await;
    let claimed = world.claim(worker, 10).await;
    assert_eq!(ids(&claimed), cancelled);
    claimed.iter().for_each(|run| assert_eq!(reasons(&run.inbox), [REASON]));
    declare(&world, slots(1)).await;
    open(&world).await;
    let claimed = world.claim(worker, 10).await;
    assert_eq!(ids(&claimed), [spared]);
    assert_eq!(claimed[0].inbox, []);
}

pub(super) async fn a_run_is_cancelled_before_it_is_settled(world: World) {
    let run = start(&world, 1).await;
    world.store.cancel_run(run, "no longer needed").await.expect("the store answers");
    let worker = world.worker(HOUR).await;
    open(&world).await;
    let claimed = world.claim(worker, 10).await;
    assert_eq!(ids(&claimed), [run]);
    assert_eq!(reasons(&claimed[0].inbox), ["no longer needed"]);
    assert_eq!(settle_orders(&world).await, 0, "it has begun");
    let end = Then::End(End::Cancelled("no longer needed".to_owned()));
    world.flush(worker, &[only(run, 1, end)]).await.expect("it is ours");
    assert_eq!(settle_orders(&world).await, 0);
    assert_eq!(world.claim(worker, 10).await.len(), 0);
}

/// Whichever is first: the run is claimed, and knows that it is to be cancelled.
pub(super) async fn a_cancellation_at_the_same_time_as_the_settling_is_not_lost(world: World) {
    declare(&world, slots(0)).await;
    let worker = world.worker(HOUR).await;
    let other = world.another().await;
    for (mut jitter, no) in super::world::seeded().zip(0..40) {
        let run = start(&world, no).await;
        let mut second = jitter.split();
        let cancel = async {
            jitter.pass().await;
            other.cancel_run(run, "no longer needed").await.expect("the store answers");
        };
        let settle = async {
            second.pass().await;
            settle_orders(&world).await;
        };
        tokio::join!(cancel, settle);
        open(&world).await;
        let claimed = world.claim(worker, 10).await;
        assert_eq!(ids(&claimed), [run]);
        assert_eq!(reasons(&claimed[0].inbox), ["no longer needed"]);
    }
    other.close().await;
}

pub(super) async fn two_programs_settle_each_run_once(world: World) {
    declare(&world, slots(100)).await;
    let other = world.another().await;
    let mut runs = Vec::new();
    for no in 0..50 {
        runs.push(start(&world, no).await);
    }
    let (here, there) = tokio::join!(settle_orders(&world), settle(&*other, ORDER, &Known::ORDERS));
    let rest = settle_orders(&world).await;
    assert_eq!(here + there + rest, 50);
    open(&world).await;
    let worker = world.worker(HOUR).await;
    assert_eq!(ids(&world.claim(worker, 100).await), runs);
    other.close().await;
}

pub(super) async fn a_single_run_takes_the_place_of_another_as_it_is_settled(world: World) {
    declare(&world, slots(1)).await;
    let single = Known { single: true };
    let worker = world.worker(HOUR).await;
    let first = start(&world, 1).await;
    settle(&*world.store, ORDER, &single).await;
    open(&world).await;
    assert_eq!(ids(&world.claim(worker, 10).await), [first]);
    let second = start(&world, 1).await;
    assert_eq!(world.inbox(worker, first).await, []);
    settle(&*world.store, ORDER, &single).await;
    let told = world.inbox(worker, first).await;
    assert_eq!(reasons(&told), [format!("the run {second} of the same key takes its place")]);
}

/// An operator who has not the program begins runs, too.
pub(super) async fn what_an_operator_begins_is_settled_as_well(world: World) {
    let program = crate::store::Registration { limits: slots(10), ..program(&[PAID]) };
    world.store.register_app(&program).await.expect("an app can register");
    let worker = world.worker(HOUR).await;
    let run = start(&world, 7).await;
    settle_orders(&world).await;
    open(&world).await;
    world.claim(worker, 1).await;
    let error = ErrorRecord::new(ErrorKind::Error, "in vain");
    let failed = commit(run, 0, vec![super::world::done("a")], Then::End(End::Failed(error)));
    world.flush(worker, &[failed]).await.expect("it is ours");
    world.send(PAID, 7).await;
    world.rung();
    let (fork, replay) = (RunId::new(), RunId::new());
    let seed = uuid::Uuid::new_v4();
    let replays = [Replay { source: run, id: replay, seed, input: None }];
    let replayed = world.store.replay_runs(&replays, &Unknown).await;
    assert_eq!(replayed.expect("the store answers"), [Ok(())]);
    let forked = Fork { source: run, id: fork, state: "a".to_owned() };
    let forked = world.store.fork_run(&forked, &Unknown).await;
    assert_eq!(forked.expect("the store answers"), Ok(()));
    let retried = world.store.retry_runs(&[run], &Unknown).await;
    assert_eq!(retried.expect("the store answers"), [Ok(())]);
    assert!(world.rung().contains(Work::UNSETTLED));
    open(&world).await;
    assert_eq!(world.claim(worker, 10).await.len(), 0, "nobody knows their limits");
    assert_eq!(settle_orders(&world).await, 3);
    open(&world).await;
    let claimed = world.claim(worker, 10).await;
    assert_eq!(claimed.len(), 3);
    // What would have cancelled the first one was there before the operator.
    claimed.iter().for_each(|run| assert_eq!(run.inbox, []));
    world.send(PAID, 7).await;
    for run in [run, fork, replay] {
        assert_eq!(reasons(&world.inbox(worker, run).await), [REASON]);
    }
}
