//! The trace of a sender: it is kept with what is sent, and what that starts goes on with it.

use std::collections::HashMap;
use std::time::Duration;

use uuid::Uuid;

use super::World;
use super::children::{child, invoke};
use super::within::User;
use super::world::{
    APP, HOUR, ORDER, PAID, PLACED, PLACED_STARTS_ORDER, commit, deliveries, done, event, json,
    only, route, step, uncancelled,
};
use crate::event::EventId;
use crate::flow::{Admission, Gathering, Keep, NewRun, Window};
use crate::id::WorkerId;
use crate::journal::{Change, Due, End, Entry, ErrorKind, ErrorRecord, OutgoingEvent, RunId, Then};
use crate::store::{Deliveries, Fork, Hosted, NewEvent, Replay, Resent, Routing, StoredEvent};
use crate::trace::TraceContext;

/// The trace of this number; zero is none.
fn trace(no: u32) -> Option<TraceContext> {
    let parent = TraceContext::new(&format!("00-{no:032x}-{no:016x}-01")).ok()?;
    Some(parent.with_state(&format!("no={no},other=\"'")))
}

/// An order that is placed in the trace of this number.
fn placed(no: u32) -> NewEvent {
    NewEvent { trace: trace(no), ..event(PLACED, r#"{"no":7}"#) }
}

fn run(no: u32) -> NewRun {
    NewRun { trace: trace(no), ..NewRun::new(ORDER, None, json("{}")) }
}

fn sent(name: &'static str) -> OutgoingEvent {
    OutgoingEvent { id: EventId::new(), name, data: json("{}") }
}

impl World {
    async fn trace_of(&self, run: RunId) -> Option<TraceContext> {
        let record = self.store.run(run).await.expect("it answers");
        record.expect("the run is there").trace_context
    }

    async fn trace_of_event(&self, event: EventId) -> Option<TraceContext> {
        let record = self.store.event(event).await.expect("it answers");
        record.expect("the event is there").0.trace_context
    }

    /// Starts a run in the trace of this number and claims it.
    async fn traced(&self, worker: WorkerId, no: u32) -> RunId {
        let run = run(no);
        self.store.start_runs(APP, std::slice::from_ref(&run)).await.expect("it starts");
        assert_eq!(self.claimed_traces(worker).await, [(run.id, trace(no))]);
        run.id
    }

    /// The runs that a worker is given now, with their traces.
    async fn claimed_traces(&self, worker: WorkerId) -> Vec<(RunId, Option<TraceContext>)> {
        let claimed = self.claim(worker, 100).await.into_iter();
        claimed.map(|it| (it.origin.trigger.run, it.origin.trigger.trace)).collect()
    }
}

pub(super) async fn the_run_of_an_event_goes_on_with_its_trace(world: World) {
    world.subscribe(APP, &[PLACED]).await;
    let due = Some(Due::After(Duration::ZERO));
    let later = NewEvent { due, ..placed(2) };
    let untraced = [placed(0), NewEvent { due, ..placed(0) }];
    let within = placed(3);
    let sent = [placed(1), later, untraced[0].clone(), untraced[1].clone()];
    world.store.accept_events(None, &sent).await.expect("they are accepted");
    let user = User::of(&world.database).await;
    let mut tx = user.begin().await;
    tx.send(&world, &within).await;
    tx.commit().await;
    world.store.accept_due(10).await.expect("it answers");
    route(&*world.store).await;

    let worker = world.worker(HOUR).await;
    let claimed = world.claim(worker, 10).await.into_iter();
    let mut claimed: HashMap<_, _> =
        claimed.map(|it| (it.origin.trigger.event, it.origin.trigger)).collect();
    for event in sent.iter().chain([&within]) {
        assert_eq!(world.trace_of_event(event.id).await, event.trace);
        let trigger = claimed.remove(&Some(event.id)).expect("it has started a run");
        assert_eq!(trigger.trace, event.trace);
        assert_eq!(world.trace_of(trigger.run).await, event.trace);
    }
}

pub(super) async fn a_run_is_started_in_a_trace(world: World) {
    world.subscribe(APP, &[PLACED]).await;
    let event = placed(1);
    let hosted = NewRun { event: Some(event.id), ..run(1) };
    let parts = [PLACED, PLACED_STARTS_ORDER].map(str::to_owned).into();
    let with_its_run = Hosted { runs: vec![hosted.clone()], parts };
    let event = NewEvent { hosted: Some(with_its_run), ..event };
    world.store.accept_events(Some(APP), &[event]).await.expect("it is accepted");
    let runs = [run(2), run(0)];
    world.store.start_runs(APP, &runs).await.expect("they start");
    for run in runs.iter().chain([&hosted]) {
        assert_eq!(world.trace_of(run.id).await, run.trace);
    }
}

pub(super) async fn a_run_of_several_events_goes_on_with_the_trace_of_the_last(world: World) {
    world.subscribe(APP, &[PLACED]).await;
    let worker = world.worker(HOUR).await;
    for (timeout, max) in [(HOUR, 2), (Duration::ZERO, 100)] {
        let router = |_: &StoredEvent| {
            let (workflow, window) = (ORDER.to_owned(), Window::Fixed(timeout));
            let batch = Gathering {
                workflow,
                key: String::new(),
                max,
                limit: 1_000,
                window,
                keep: Keep::All,
            };
            Routing { admissions: vec![Admission::Gather(batch)], ..Routing::default() }
        };
        world.store.accept_events(None, &[placed(1), placed(2)]).await.expect("accepted");
        let deliveries = Deliveries { in_turn: true, ..deliveries(APP, 10) };
        world.store.route_deliveries(deliveries, &router).await.expect("it routes");
        world.store.complete_batches(deliveries, &router).await.expect("it completes");
        let traces: Vec<_> =
            world.claimed_traces(worker).await.into_iter().map(|(_, trace)| trace).collect();
        assert_eq!(traces, [trace(2)]);
    }
}

pub(super) async fn what_a_run_starts_and_sends_belongs_to_its_trace(world: World) {
    world.subscribe(APP, &[PAID]).await;
    let worker = world.worker(HOUR).await;
    let (traced, untraced) = (world.traced(worker, 1).await, world.traced(worker, 0).await);
    for (run, trace) in [(traced, trace(1)), (untraced, None)] {
        let (child, handler) = (child(true), child(true));
        let (paid, told) = (sent(PAID), sent("indelible/run.completed"));
        let change = Change::Succeed {
            attempt: 1,
            outcome: json("null"),
            events: vec![paid.clone()],
            undo: false,
        };
        let sends = Entry { change, ..done("send") };
        let first = commit(run, 0, vec![invoke(&child), sends], Then::Continue);
        world.flush(worker, &[first]).await.expect("it is ours");
        let mut end = only(run, 2, Then::End(End::Completed(json("null"))));
        end.events.push(told.clone());
        end.handlers.push(handler.clone());
        world.flush(worker, &[end]).await.expect("it is ours");
        for started in [child.id, handler.id] {
            assert_eq!(world.trace_of(started).await, trace);
        }
        for sent in [paid.id, told.id] {
            assert_eq!(world.trace_of_event(sent).await, trace);
        }
    }
}

pub(super) async fn a_run_keeps_its_trace(world: World) {
    let (dead, worker) = (world.worker(Duration::ZERO).await, world.worker(HOUR).await);
    let run = world.traced(dead, 1).await;
    world.take_over().await.expect("it can be taken over");
    assert_eq!(world.claimed_traces(worker).await, [(run, trace(1))]);

    let restart = Then::Restart { input: json("{}"), cancels: Vec::new(), generation: 0 };
    world.flush(worker, &[only(run, 0, restart)]).await.expect("it is ours");
    assert_eq!(world.claimed_traces(worker).await, [(run, trace(1))]);

    world.flush(worker, &[step(run, 0, "a")]).await.expect("it is ours");
    let failed = Then::End(End::Failed(ErrorRecord::new(ErrorKind::Error, "no")));
    world.flush(worker, &[only(run, 1, failed)]).await.expect("it is ours");
    let (id, seed) = (RunId::new(), Uuid::new_v4());
    let replay = Replay { source: run, id, seed, input: None };
    let replayed = world.store.replay_runs(&[replay], &uncancelled).await.expect("it answers");
    assert_eq!(replayed, [Ok(())]);
    assert_eq!(world.claimed_traces(worker).await, [(id, trace(1))]);
    let fork = Fork { source: run, id: RunId::new(), state: "a".to_owned() };
    world.store.fork_run(&fork, &uncancelled).await.expect("it answers").expect("it is forked");
    assert_eq!(world.claimed_traces(worker).await, [(fork.id, trace(1))]);
    let retried = world.store.retry_runs(&[run], &uncancelled).await.expect("it answers");
    assert_eq!(retried, [Ok(())]);
    assert_eq!(world.claimed_traces(worker).await, [(run, trace(1))]);
}

pub(super) async fn a_blocked_event_keeps_its_trace(world: World) {
    world.subscribe(APP, &[PLACED]).await;
    let blocked = placed(1);
    world.store.accept_events(None, std::slice::from_ref(&blocked)).await.expect("accepted");
    let told = NewEvent { trace: trace(1), ..event("indelible/event.blocked", "{}") };
    let router = |event: &StoredEvent| {
        assert_eq!(event.trace, trace(1));
        let block =
            Admission::Block { workflow: ORDER.to_owned(), reason: "it panicked".to_owned() };
        Routing { admissions: vec![block], keys: Vec::new(), reports: vec![told.clone()] }
    };
    world.store.route_deliveries(deliveries(APP, 10), &router).await.expect("it routes");
    assert_eq!(world.trace_of_event(told.id).await, trace(1));

    let new = Resent { id: EventId::new(), data: json("{}") };
    assert!(world.store.resend_event(APP, blocked.id, &new).await.expect("it answers"));
    assert_eq!(world.trace_of_event(new.id).await, trace(1));
}

pub(super) async fn what_is_no_trace_holds_nothing_up(world: World) {
    world.subscribe(APP, &[PLACED]).await;
    let event = placed(1);
    world.store.accept_events(None, std::slice::from_ref(&event)).await.expect("accepted");
    world.database.update("events", "trace_context = 'by hand'").await;
    route(&*world.store).await;
    world.database.update("runs", "trace_context = 'by hand'").await;
    let worker = world.worker(HOUR).await;
    let claimed = world.claimed_traces(worker).await;
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].1, None);
    assert_eq!(world.trace_of_event(event.id).await, None);
}
