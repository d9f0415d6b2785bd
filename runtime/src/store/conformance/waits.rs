use std::future::Future;

use uuid::Uuid;

use super::World;
use super::world::{
    APP, HOUR, ORDER, PAID, PLACED, commit, done, event, ids, json, numbered, only, route, wait,
    wait_for, waited,
};
use crate::event::EventId;
use crate::id::WorkerId;
use crate::journal::{
    Change, Child, Content, End, Entry, Message, MessageId, OutgoingEvent, RunCommit, RunId,
    StateKey, Then,
};
use crate::store::{NewEvent, RunStatus};
use crate::workflow::StepKind;

const SUBSCRIPTIONS: [&str; 2] = [PLACED, PAID];

/// The ids of the events in an inbox.
fn events(inbox: &[Message]) -> Vec<EventId> {
    let event = |message: &Message| match &message.content {
        Content::Event { id, .. } => *id,
        other => panic!("no event: {other:?}"),
    };
    inbox.iter().map(event).collect()
}

fn message(event: EventId) -> MessageId {
    event.as_uuid().into()
}

impl World {
    /// A worker, and an order that it holds.
    async fn order(&self) -> (WorkerId, RunId) {
        self.subscribe(APP, &SUBSCRIPTIONS).await;
        let worker = self.worker(HOUR).await;
        (worker, self.claimed(worker).await)
    }

    async fn commit(&self, worker: WorkerId, commit: RunCommit) {
        let flushed = self.flush(worker, &[commit]).await.expect("the worker lives");
        assert_eq!(flushed.evicted, []);
    }

    async fn wait(&self, worker: WorkerId, run: RunId, seq: u32, entry: Entry) {
        self.commit(worker, commit(run, seq, vec![entry], Then::Continue)).await;
    }
}

pub(super) async fn an_event_before_its_wait_is_found(world: World) {
    let (worker, run) = world.order().await;
    let paid = world.send(PAID, 7).await;
    assert_eq!(world.inbox(worker, run).await, []);
    world.wait(worker, run, 0, wait("paid", 7)).await;

    let inbox = world.inbox(worker, run).await;
    let [Message { id, content: Content::Event { name, id: event, accepted_at, data } }] =
        inbox.as_slice()
    else {
        panic!("one event: {inbox:?}")
    };
    assert_eq!((*id, *event), (message(paid), paid));
    assert_eq!(name, PAID);
    assert_eq!(data.as_str(), r#"{"no":7}"#);
    let started = world.store.run(run).await.expect("it answers").expect("it is there");
    assert!(*accepted_at > started.accepted_at, "{accepted_at} {}", started.accepted_at);
}

pub(super) async fn an_event_after_its_wait_is_found(world: World) {
    let (worker, run) = world.order().await;
    world.wait(worker, run, 0, wait("paid", 7)).await;
    assert_eq!(world.inbox(worker, run).await, []);
    let paid = world.send(PAID, 7).await;
    assert_eq!(events(&world.inbox(worker, run).await), [paid]);
}

/// Each side does something else for a moment first, another in each round.
pub(super) async fn an_event_at_the_same_time_as_its_wait_is_found(world: World) {
    let (worker, run) = world.order().await;
    let other = world.another().await;
    for (round, mut jitter) in super::world::seeded().take(200).enumerate() {
        let no = round as u32;
        let paid = event(PAID, &format!(r#"{{"no":{no}}}"#));
        let id = paid.id;
        let begun = commit(run, no, vec![wait(&format!("paid#{no}"), no)], Then::Continue);
        let sending = tokio::spawn({
            let (other, mut jitter) = (other.clone(), jitter.split());
            async move {
                jitter.pass().await;
                other.accept_events(None, &[paid]).await.expect("accepted");
                jitter.pass().await;
                route(&*other).await;
            }
        });
        jitter.pass().await;
        world.commit(worker, begun).await;
        sending.await.expect("it does not panic");
        let inbox = events(&world.inbox(worker, run).await);
        assert!(inbox.contains(&id), "round {round}: {inbox:?}");
    }
    other.close().await;
}

/// The run gives up while the event is on its way to it. What it was told and did not want is there for
/// another wait, and so is what it was not told.
pub(super) async fn an_event_at_the_same_time_as_a_time_out_is_found_by_the_next_wait(
    world: World,
) {
    let (worker, run) = world.order().await;
    let other = world.another().await;
    for (round, mut jitter) in super::world::seeded().take(100).enumerate() {
        let (no, seq) = (round as u32, round as u32 * 4);
        let first = format!("paid#{}", no * 2);
        world.wait(worker, run, seq, wait(&first, no)).await;
        let paid = event(PAID, &format!(r#"{{"no":{no}}}"#));
        let id = paid.id;
        other.accept_events(None, &[paid]).await.expect("accepted");
        let sending = tokio::spawn({
            let (other, mut jitter) = (other.clone(), jitter.split());
            async move {
                jitter.pass().await;
                route(&*other).await;
            }
        });
        for _ in 0..3 {
            jitter.pass().await;
        }
        world.commit(worker, commit(run, seq + 1, vec![waited(&first)], Then::Continue)).await;
        sending.await.expect("it does not panic");
        let inbox = world.inbox(worker, run).await;
        assert!(events(&inbox).iter().all(|event| *event == id), "round {round}: {inbox:?}");
        let discarded = inbox.iter().map(|message| message.id).collect();
        let settled = RunCommit { discarded, ..only(run, seq + 2, Then::Continue) };
        world.commit(worker, settled).await;

        let next = format!("paid#{}", no * 2 + 1);
        world.wait(worker, run, seq + 2, wait(&next, no)).await;
        assert_eq!(events(&world.inbox(worker, run).await), [id], "round {round}");
        let taken = vec![message(id)];
        let over = commit(run, seq + 3, vec![waited(&next)], Then::Continue);
        world.commit(worker, RunCommit { taken, ..over }).await;
    }
    other.close().await;
}

pub(super) async fn an_event_of_another_order_is_not_found(world: World) {
    let (worker, run) = world.order().await;
    world.send(PAID, 6).await;
    world.wait(worker, run, 0, wait("paid", 7)).await;
    world.send(PAID, 8).await;
    world.send(PLACED, 7).await;
    assert_eq!(world.inbox(worker, run).await, []);
}

pub(super) async fn the_trigger_itself_is_not_found(world: World) {
    world.subscribe(APP, &SUBSCRIPTIONS).await;
    world.send(PLACED, 7).await;
    let worker = world.worker(HOUR).await;
    let run = ids(&world.claim(worker, 1).await)[0];
    world.wait(worker, run, 0, wait_for("again", numbered(PLACED, 7), true)).await;
    assert_eq!(world.inbox(worker, run).await, []);
    let again = world.send(PLACED, 7).await;
    assert_eq!(events(&world.inbox(worker, run).await), [again]);
}

pub(super) async fn an_event_before_the_trigger_is_not_found(world: World) {
    world.subscribe(APP, &SUBSCRIPTIONS).await;
    let before = event(PAID, r#"{"no":7}"#);
    let placed = event(PLACED, r#"{"no":7}"#);
    let after = event(PAID, r#"{"no":7}"#);
    for event in [&before, &placed, &after] {
        world.store.accept_events(None, std::slice::from_ref(event)).await.expect("accepted");
    }
    // Whatever is routed when: what counts is the acceptance.
    route(&*world.store).await;
    let worker = world.worker(HOUR).await;
    let run = ids(&world.claim(worker, 1).await)[0];
    world.wait(worker, run, 0, wait("paid", 7)).await;
    assert_eq!(events(&world.inbox(worker, run).await), [after.id]);
}

pub(super) async fn an_event_that_came_with_the_trigger_is_found(world: World) {
    world.subscribe(APP, &SUBSCRIPTIONS).await;
    let batch = [event(PLACED, r#"{"no":7}"#), event(PAID, r#"{"no":7}"#)];
    world.store.accept_events(None, &batch).await.expect("accepted");
    route(&*world.store).await;
    let worker = world.worker(HOUR).await;
    let run = ids(&world.claim(worker, 1).await)[0];
    world.wait(worker, run, 0, wait("paid", 7)).await;
    assert_eq!(events(&world.inbox(worker, run).await), [batch[1].id]);
}

pub(super) async fn a_wait_from_now_finds_only_what_comes_later(world: World) {
    let (worker, run) = world.order().await;
    world.send(PAID, 7).await;
    // Accepted before the wait, and routed after it.
    let unrouted: NewEvent = event(PAID, r#"{"no":7}"#);
    world.store.accept_events(None, &[unrouted]).await.expect("accepted");
    world.wait(worker, run, 0, wait_for("paid", numbered(PAID, 7), false)).await;
    route(&*world.store).await;
    assert_eq!(world.inbox(worker, run).await, []);
    let later = world.send(PAID, 7).await;
    assert_eq!(events(&world.inbox(worker, run).await), [later]);
}

/// A step that sends the payment of an order.
fn sending(no: u32) -> (EventId, Entry) {
    let id = EventId::new();
    let events = vec![OutgoingEvent { id, name: PAID, data: json(&format!(r#"{{"no":{no}}}"#)) }];
    let change = Change::Succeed { attempt: 1, outcome: json("null"), events, undo: false };
    (id, Entry { key: "send".into(), kind: StepKind::SendEvent, change, started_at: None })
}

/// Others accept events all the time, in commits before, within and after those of the test.
async fn amid_other_events(world: &World, test: impl Future<Output = ()>) {
    let other = world.another().await;
    let bustle = async {
        loop {
            let event = event("nobody/cares", "{}");
            other.accept_events(None, &[event]).await.expect("accepted");
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = test => {}
        () = bustle => {}
    }
    other.close().await;
}

pub(super) async fn a_wait_finds_the_events_of_its_own_commit(world: World) {
    let (worker, run) = world.order().await;
    let other = world.claimed(worker).await;
    amid_other_events(&world, async {
        for no in 0..50 {
            // What it sends itself, and what another run sends that shares its commit.
            let [(own, first), (others, second)] = [sending(no), sending(no)];
            let wait = wait_for(&format!("paid#{no}"), numbered(PAID, no), false);
            let batch = [
                commit(run, no * 2, vec![wait, first], Then::Continue),
                commit(other, no, vec![second], Then::Continue),
            ];
            world.flush(worker, &batch).await.expect("both are ours");
            route(&*world.store).await;
            let found = events(&world.inbox(worker, run).await);
            assert!(found.contains(&own) && found.contains(&others), "order {no}: {found:?}");
        }
    })
    .await;
}

pub(super) async fn a_new_run_finds_the_events_of_the_commit_that_starts_it(world: World) {
    let (worker, run) = world.order().await;
    let other = world.claimed(worker).await;
    amid_other_events(&world, async {
        for no in 0..50 {
            let child = Child {
                id: RunId::new(),
                workflow: ORDER,
                input: json("{}"),
                seed: Uuid::new_v4(),
                detached: true,
                cancels: Vec::new(),
                gates: Vec::new(),
                ahead: 0,
            };
            let id = child.id;
            let change = Change::Invoke { child, timeout: None };
            let key = StateKey::from(&*format!("ship#{no}"));
            let invoked = Entry { key, kind: StepKind::Invoke, change, started_at: None };
            let (sent, sending) = sending(no);
            let batch = [
                commit(other, no, vec![sending], Then::Continue),
                commit(run, no, vec![invoked], Then::Continue),
            ];
            world.flush(worker, &batch).await.expect("both are ours");
            route(&*world.store).await;
            assert_eq!(ids(&world.claim(worker, 10).await), [id]);
            world.wait(worker, id, 0, wait("paid", no)).await;
            assert_eq!(events(&world.inbox(worker, id).await), [sent], "order {no}");
        }
    })
    .await;
}

pub(super) async fn one_event_reaches_every_run_that_waits_for_it_once(world: World) {
    world.subscribe(APP, &SUBSCRIPTIONS).await;
    let worker = world.worker(HOUR).await;
    let mut runs = Vec::new();
    for _ in 0..10 {
        runs.push(world.claimed(worker).await);
    }
    // Half of them are parked.
    let then = |place| if place % 2 == 0 { Then::Park(None) } else { Then::Continue };
    let batch = runs.iter().enumerate();
    let batch: Vec<_> =
        batch.map(|(n, run)| commit(*run, 0, vec![wait("paid", 7)], then(n))).collect();
    world.flush(worker, &batch).await.expect("all are ours");

    let paid = world.send(PAID, 7).await;
    route(&*world.store).await;
    let claimed = world.claim(worker, 100).await;
    assert_eq!(claimed.len(), 5);
    for run in &claimed {
        assert_eq!(events(&run.inbox), [paid]);
    }
    for run in runs {
        assert_eq!(events(&world.inbox(worker, run).await), [paid]);
    }
}

pub(super) async fn an_event_reaches_a_run_with_two_waits_for_it_once(world: World) {
    let (worker, run) = world.order().await;
    world.wait(worker, run, 0, wait("paid", 7)).await;
    world.wait(worker, run, 1, wait("paid#1", 7)).await;
    let paid = world.send(PAID, 7).await;
    world.wait(worker, run, 2, wait("paid#2", 7)).await;
    assert_eq!(events(&world.inbox(worker, run).await), [paid]);
}

pub(super) async fn a_taken_event_is_not_found_by_another_wait_of_the_run(world: World) {
    let (worker, run) = world.order().await;
    world.wait(worker, run, 0, wait("paid", 7)).await;
    let paid = world.send(PAID, 7).await;
    let then = Then::Continue;
    let taken = commit(run, 1, vec![waited("paid"), wait("paid#1", 7)], then);
    world.commit(worker, RunCommit { taken: vec![message(paid)], ..taken }).await;
    world.wait(worker, run, 3, wait("paid#2", 7)).await;
    assert_eq!(world.inbox(worker, run).await, []);
    let next = world.send(PAID, 7).await;
    assert_eq!(events(&world.inbox(worker, run).await), [next]);
}

pub(super) async fn a_discarded_event_is_found_by_another_wait_of_the_run(world: World) {
    let (worker, run) = world.order().await;
    world.wait(worker, run, 0, wait("paid", 7)).await;
    let paid = world.send(PAID, 7).await;
    let discarded = only(run, 1, Then::Continue);
    world.commit(worker, RunCommit { discarded: vec![message(paid)], ..discarded }).await;
    // It has been refused; the wait that refused it does not find it again.
    assert_eq!(world.inbox(worker, run).await, []);
    world.wait(worker, run, 1, wait("paid#1", 7)).await;
    assert_eq!(events(&world.inbox(worker, run).await), [paid]);
}

pub(super) async fn a_wait_that_is_over_finds_nothing(world: World) {
    let (worker, run) = world.order().await;
    world.wait(worker, run, 0, wait("paid", 7)).await;
    world.wait(worker, run, 1, wait("again", 7)).await;
    let abandoned = Entry { change: Change::Abandon { cancelled: None }, ..waited("again") };
    let over = commit(run, 2, vec![waited("paid"), abandoned, done("other")], Then::Continue);
    world.commit(worker, over).await;
    world.send(PAID, 7).await;
    assert_eq!(world.inbox(worker, run).await, []);
    assert_eq!(world.database.rows("waits").await, 0);
}

pub(super) async fn only_what_the_app_has_routed_is_found(world: World) {
    world.subscribe("bank", &[PAID]).await;
    let (worker, run) = world.order().await;
    let paid = event(PAID, r#"{"no":7}"#);
    world.store.accept_events(None, std::slice::from_ref(&paid)).await.expect("accepted");
    let router = |event: &crate::store::StoredEvent| {
        let data = event.data.decode().expect("it is JSON");
        let keys = vec![crate::journal::MatchKey::of(&event.name, &data, &["no"])];
        crate::store::Routing { keys, ..Default::default() }
    };
    world
        .store
        .route_deliveries(super::world::deliveries("bank", 10), &router)
        .await
        .expect("it routes");
    world.wait(worker, run, 0, wait("paid", 7)).await;
    assert_eq!(world.inbox(worker, run).await, []);
    route(&*world.store).await;
    assert_eq!(events(&world.inbox(worker, run).await), [paid.id]);
}

pub(super) async fn the_end_of_a_run_clears_its_waits_and_inbox(world: World) {
    let (worker, run) = world.order().await;
    world.wait(worker, run, 0, wait("paid", 7)).await;
    world.wait(worker, run, 1, wait("paid#1", 8)).await;
    let paid = world.send(PAID, 7).await;
    world.send(PAID, 8).await;
    let taken = commit(run, 2, vec![waited("paid")], Then::Continue);
    world.commit(worker, RunCommit { taken: vec![message(paid)], ..taken }).await;
    assert_eq!(world.database.rows("inbox").await, 2);

    let last = vec![wait("last", 9)];
    world.commit(worker, commit(run, 3, last, Then::End(End::Completed(json("1"))))).await;
    assert_eq!(world.status(run).await, RunStatus::Completed);
    for table in ["waits", "inbox", "timers"] {
        assert_eq!(world.database.rows(table).await, 0, "{table}");
    }
}
