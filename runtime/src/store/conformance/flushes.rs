use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::World;
use super::world::{
    APP, HOUR, ORDER, commit, counted, deliveries, done, done_with, ids, json, numbered, only,
    step, wait_for,
};
use crate::event::EventId;
use crate::journal::{
    Change, Child, Content, Due, End, Entry, ErrorKind, ErrorRecord, OutgoingEvent, RunCommit,
    RunId, Then, Transition,
};
use crate::store::hints::Work;
use crate::store::{Routing, RunCount, RunQuery, RunStatus, StoreError, StoredEvent};
use crate::workflow::StepKind;

fn entry(key: &str, change: Change) -> Entry {
    Entry { key: key.into(), kind: StepKind::Run, change, started_at: None }
}

fn error(message: &str) -> ErrorRecord {
    let mut error = ErrorRecord::new(ErrorKind::Timeout, message);
    error.causes = vec!["no route".to_owned(), "cable\0cut".to_owned()];
    error.step = Some("ship#2".into());
    error.location = Some("src/main.rs:1:2".to_owned());
    error
}

pub(super) async fn a_flush_reads_back_as_the_machine_saw_it(world: World) {
    let worker = world.worker(HOUR).await;
    let run = world.claimed(worker).await;
    let wait = Duration::from_nanos(1_234_567_891_011);
    let awaited = numbered("order/paid", 8);
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
    let mut entries = vec![
        entry("a", Change::Sleep(Due::After(wait))),
        entry("b", Change::Sleep(Due::After(Duration::MAX))),
        entry(
            "c",
            Change::Sleep(Due::At("2031-02-03T04:05:06.123456789Z".parse().expect("a time"))),
        ),
        entry("d", Change::Sleep(Due::At(Timestamp::MAX))),
        entry("e", Change::Sleep(Due::At(Timestamp::MIN))),
        entry("f", Change::Retry { attempt: 3, of: 4, after: wait, error: error("no") }),
        entry("g", Change::Fail { attempt: 4, of: 4, error: error("never"), cancelled: None }),
        done_with("h", r#"{"a": [1, 2.50]}"#),
        wait_for("i", numbered("order/paid", 7), true),
        entry(
            "j",
            Change::Wait {
                awaited,
                described: String::new(),
                from_trigger: false,
                timeout: Some(wait),
            },
        ),
        entry("k", Change::Invoke { child, timeout: Some(Duration::MAX) }),
        entry("l", Change::Abandon { cancelled: None }),
        entry(
            "m",
            Change::Carry {
                iteration: 4,
                outcome: json("[1,  2]"),
                replaces: None,
                first: Some(70_000),
            },
        ),
    ];
    let undoable =
        Change::Succeed { attempt: 2, outcome: json("1"), events: Vec::new(), undo: true };
    entries.push(entry("n", undoable));
    entries.push(entry("o", Change::Undo { error: error("why"), cancelled: Vec::new() }));
    let batch = [commit(run, 0, entries.clone(), Then::Continue)];
    let flushed = world.flush(worker, &batch).await.expect("it is ours");

    let journal = world.store.journal(run).await.expect("it answers");
    assert_eq!(journal.len(), entries.len());
    for ((row, entry), seq) in journal.into_iter().zip(entries).zip(0..) {
        assert_eq!((row.seq, &row.key, row.kind), (seq, &entry.key, entry.kind));
        assert_eq!(row.at, flushed.at);
        assert_eq!(row.transition, entry.change.committed(flushed.at));
    }
}

pub(super) async fn a_flush_is_landed_exactly_if_its_rows_are(world: World) {
    let worker = world.worker(HOUR).await;
    let [mine, also_mine] = [world.claimed(worker).await, world.claimed(worker).await];
    let theirs = world.start(1).await[0];
    let batch = [step(mine, 0, "a"), step(theirs, 0, "a"), step(also_mine, 0, "a")];
    let (sent, never_sent) = (Uuid::now_v7(), Uuid::now_v7());

    let before = world.store.landed_commits(sent, &batch).await.expect("it answers");
    assert!(before.is_none(), "{before:?}");
    let flushed = world.store.flush_commits(worker, sent, &batch).await.expect("two are ours");
    let landed =
        world.store.landed_commits(sent, &batch).await.expect("it answers").expect("it landed");
    assert_eq!(landed.at, flushed.at);
    assert_eq!(landed.evicted, [theirs]);
    assert_eq!(flushed.evicted, [theirs]);
    let other = world.store.landed_commits(never_sent, &batch).await.expect("it answers");
    assert!(other.is_none(), "{other:?}");
}

pub(super) async fn a_flush_without_lines_is_landed_too(world: World) {
    let worker = world.worker(HOUR).await;
    let run = world.claimed(worker).await;
    let batch = [only(run, 0, Then::Release)];
    let commit = Uuid::now_v7();
    let before = world.store.landed_commits(commit, &batch).await.expect("it answers");
    assert!(before.is_none(), "{before:?}");
    let flushed = world.store.flush_commits(worker, commit, &batch).await.expect("it is ours");
    // Whoever has the run by now.
    world.claim(worker, 1).await;
    let landed =
        world.store.landed_commits(commit, &batch).await.expect("it answers").expect("it landed");
    assert_eq!(landed.at, flushed.at);
    assert_eq!(landed.evicted, []);
}

pub(super) async fn a_batch_that_is_sent_twice_is_committed_once(world: World) {
    let worker = world.worker(HOUR).await;
    let run = world.claimed(worker).await;
    let batch = [step(run, 0, "a")];
    let commit = Uuid::now_v7();
    let first = world.store.flush_commits(worker, commit, &batch).await.expect("it is ours");
    let second = world.store.flush_commits(worker, commit, &batch).await.expect("it has landed");
    assert_eq!(second.at, first.at);
    assert_eq!(second.evicted, []);
    assert_eq!(world.rows(run).await, 1);
}

pub(super) async fn an_outcome_is_committed_at_most_once(world: World) {
    let worker = world.worker(HOUR).await;
    let [run, other] = [world.claimed(worker).await, world.claimed(worker).await];
    world.flush(worker, &[step(run, 0, "a")]).await.expect("it is ours");
    let again = world.flush(worker, &[step(other, 0, "a"), step(run, 0, "a")]).await;
    assert!(matches!(again, Err(StoreError::Refused(_))), "{again:?}");
    assert_eq!((world.rows(run).await, world.rows(other).await), (1, 0));
}

pub(super) async fn a_run_is_found_by_its_last_attributes(world: World) {
    let worker = world.worker(HOUR).await;
    let [run, other] = [world.claimed(worker).await, world.claimed(worker).await];
    let attributes = |named: &[(&str, &str)]| -> Vec<_> {
        named.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    let found = async |key: &str, value: &str| -> Vec<RunId> {
        let attribute = Some((key.to_owned(), value.to_owned()));
        let query = RunQuery { attribute, ..RunQuery::default() };
        let runs = world.store.runs(APP, &query).await.expect("it answers");
        runs.iter().map(|run| run.id).collect()
    };
    let first = RunCommit {
        attributes: attributes(&[("order", "7"), ("customer", "anna")]),
        ..step(run, 0, "a")
    };
    let another = RunCommit { attributes: attributes(&[("order", "7")]), ..step(other, 0, "a") };
    world.flush(worker, &[first, another]).await.expect("both are ours");
    assert_eq!(found("order", "7").await, [run, other]);
    // Without rows, too, and again: nobody can tell whether a reply was lost.
    let moved =
        RunCommit { attributes: attributes(&[("order", "8")]), ..only(run, 1, Then::Continue) };
    for _ in 0..2 {
        world.flush(worker, std::slice::from_ref(&moved)).await.expect("it is ours");
    }
    assert_eq!(found("order", "7").await, [other]);
    assert_eq!(found("order", "8").await, [run]);
    assert_eq!(found("customer", "anna").await, [run]);
    // Nobody else gives it one.
    let late =
        RunCommit { attributes: attributes(&[("order", "9")]), ..only(run, 1, Then::Continue) };
    let nobody = world.worker(HOUR).await;
    world.store.flush_commits(nobody, Uuid::now_v7(), &[late]).await.expect("it answers");
    assert_eq!(found("order", "9").await, []);
}

pub(super) async fn a_carried_loop_keeps_the_lines_of_its_last_iteration(world: World) {
    let worker = world.worker(HOUR).await;
    let [run, other] = [world.claimed(worker).await, world.claimed(worker).await];
    let carry = |iteration: u32, replaces: Option<u32>| {
        let outcome = json(&iteration.to_string());
        let first = replaces.map(|_| 1);
        entry("loop", Change::Carry { iteration, outcome, replaces, first })
    };
    let first = vec![done("before"), carry(1, None), done("a"), done("b")];
    let untouched = commit(other, 0, first.clone(), Then::Continue);
    let batch = [commit(run, 0, first, Then::Continue), untouched];
    world.flush(worker, &batch).await.expect("both are ours");
    // Whatever stands before the loop's row in the same commit goes too.
    let second = vec![done("c"), carry(2, Some(1)), done("a#1")];
    let (batch, id) = ([commit(run, 4, second, Then::Continue)], Uuid::now_v7());
    let flushed = world.store.flush_commits(worker, id, &batch).await.expect("it is ours");
    let places = async |run| {
        let journal = world.store.journal(run).await.expect("it answers");
        journal.iter().map(|row| row.seq).collect::<Vec<_>>()
    };
    assert_eq!(places(run).await, [0, 5, 6]);
    assert_eq!(places(other).await, [0, 1, 2, 3]);
    let landed =
        world.store.landed_commits(id, &batch).await.expect("it answers").expect("it landed");
    assert_eq!((landed.at, landed.evicted), (flushed.at, vec![]));
    let again = world.store.flush_commits(worker, id, &batch).await.expect("it has landed");
    assert_eq!(again.at, flushed.at);
}

pub(super) async fn a_carried_loop_keeps_outcomes_that_may_be_undone(world: World) {
    let worker = world.worker(HOUR).await;
    let run = world.claimed(worker).await;
    let carry = |iteration: u32, replaces: Option<u32>| {
        let first = replaces.map(|_| 0);
        entry("loop", Change::Carry { iteration, outcome: json("null"), replaces, first })
    };
    let undoable = || {
        let (outcome, events) = (json("7"), Vec::new());
        entry("reserve", Change::Succeed { attempt: 1, outcome, events, undo: true })
    };
    let first = vec![carry(1, None), done("a"), undoable(), carry(2, Some(0)), undoable()];
    world.flush(worker, &[commit(run, 0, first, Then::Continue)]).await.expect("it is ours");
    let second = vec![done("a"), carry(3, Some(3))];
    world.flush(worker, &[commit(run, 5, second, Then::Continue)]).await.expect("it is ours");
    let journal = world.store.journal(run).await.expect("it answers");
    let rows: Vec<_> = journal.iter().map(|row| (row.seq, row.key.as_str())).collect();
    assert_eq!(rows, [(2, "reserve"), (4, "reserve"), (6, "loop")]);
    let Transition::Succeeded { outcome, undo: true, .. } = &journal[1].transition else {
        panic!("{journal:?}")
    };
    assert_eq!(outcome.as_str(), "7");
}

pub(super) async fn children_of_a_run_that_is_undone_are_asked_to_cancel(world: World) {
    let worker = world.worker(HOUR).await;
    let parent = world.claimed(worker).await;
    let child = Child {
        id: RunId::new(),
        workflow: ORDER,
        input: json("{}"),
        seed: Uuid::new_v4(),
        detached: false,
        cancels: Vec::new(),
        gates: Vec::new(),
        ahead: 0,
    };
    let id = child.id;
    let invoked = entry("ship", Change::Invoke { child, timeout: None });
    world.flush(worker, &[commit(parent, 0, vec![invoked], Then::Continue)]).await.expect("ours");
    let claimed = world.claim(worker, 10).await;
    assert_eq!(claimed.len(), 1);
    let undo = entry("(undo)", Change::Undo { error: error("why"), cancelled: vec![id] });
    world.flush(worker, &[commit(parent, 1, vec![undo], Then::Continue)]).await.expect("ours");
    let inbox = world.inbox(worker, id).await;
    assert!(matches!(&inbox[0].content, Content::Cancel { .. }), "{inbox:?}");
}

pub(super) async fn evicted_runs_leave_the_rest_of_the_batch_committed(world: World) {
    let worker = world.worker(HOUR).await;
    let other = world.worker(HOUR).await;
    let mine = world.claimed(worker).await;
    let theirs = world.claimed(other).await;
    let ended = world.claimed(worker).await;
    world
        .flush(worker, &[only(ended, 0, Then::End(End::Completed(json("1"))))])
        .await
        .expect("it is ours");

    let batch = [
        step(theirs, 0, "a"),
        step(mine, 0, "a"),
        only(ended, 0, Then::Release),
        step(RunId::new(), 0, "a"),
    ];
    let flushed = world.flush(worker, &batch).await.expect("one is ours");
    assert_eq!(flushed.evicted, [theirs, ended, batch[3].run]);
    assert_eq!((world.rows(theirs).await, world.rows(mine).await), (0, 1));
    assert_eq!(world.status(ended).await, RunStatus::Completed);
    assert!(world.claim(worker, 10).await.is_empty());
}

pub(super) async fn events_are_accepted_with_their_checkpoint(world: World) {
    world.subscribe(APP, &["order/paid", "order/sent"]).await;
    let worker = world.worker(HOUR).await;
    let theirs = world.start(1).await[0];
    let other = world.worker(HOUR).await;
    world.claim(other, 1).await;
    let run = world.claimed(worker).await;
    let sending = |names: &[&'static str]| {
        let events = names.iter().map(|name| OutgoingEvent {
            id: EventId::new(),
            name,
            data: json(r#"{"no": 1}"#),
        });
        let events = events.collect();
        entry("send", Change::Succeed { attempt: 1, outcome: json("null"), events, undo: false })
    };
    let batch = [
        commit(
            run,
            0,
            vec![sending(&["order/sent", "nobody/cares"]), sending(&["order/paid"])],
            Then::Continue,
        ),
        commit(theirs, 0, vec![sending(&["order/paid"])], Then::Continue),
    ];
    let flushed = world.flush(worker, &batch).await.expect("one is ours");
    assert_eq!(flushed.evicted, [theirs]);

    let seen = Mutex::new(Vec::new());
    let router = |event: &StoredEvent| {
        assert_eq!(event.accepted_at, flushed.at);
        assert_eq!(event.data, json(r#"{"no": 1}"#));
        seen.lock().expect("no router panics here").push(event.name.clone());
        Routing::default()
    };
    world.store.route_deliveries(deliveries(APP, 10), &router).await.expect("it routes");
    assert_eq!(seen.into_inner().expect("no router panics here"), ["order/sent", "order/paid"]);
}

pub(super) async fn a_run_that_has_ended_is_over(world: World) {
    let worker = world.worker(HOUR).await;
    let [well, badly] = [world.claimed(worker).await, world.claimed(worker).await];
    let batch = [
        commit(well, 0, vec![done("a")], Then::End(End::Completed(json(r#"{"b": 1,  "a":2}"#)))),
        only(badly, 0, Then::End(End::Failed(error("no")))),
    ];
    let flushed = world.flush(worker, &batch).await.expect("both are ours");

    let record = world.store.run(well).await.expect("it answers").expect("it is there");
    assert_eq!(record.status, RunStatus::Completed);
    assert_eq!(record.output, Some(json(r#"{"b": 1,  "a":2}"#)));
    assert_eq!(record.ended_at, Some(flushed.at));
    assert!(record.started_at.expect("it was claimed") >= record.accepted_at);
    let record = world.store.run(badly).await.expect("it answers").expect("it is there");
    assert_eq!(record.status, RunStatus::Failed);
    assert_eq!(record.error, Some(error("no")));
    assert_eq!(record.output, None);

    world.store.end_lease(worker).await.expect("it leaves");
    let next = world.worker(HOUR).await;
    assert!(world.claim(next, 10).await.is_empty());
}

pub(super) async fn a_held_run_keeps_its_reason(world: World) {
    let worker = world.worker(HOUR).await;
    let run = world.claimed(worker).await;
    world.flush(worker, &[only(run, 0, Then::Hold("a\0b".to_owned()))]).await.expect("ours");
    let record = world.store.run(run).await.expect("it answers").expect("it is there");
    assert_eq!(record.status, RunStatus::Held);
    assert_eq!(record.held.as_deref(), Some("a\u{fffd}b"));
    assert_eq!(record.ended_at, None);
    assert!(world.claim(worker, 10).await.is_empty());
}

pub(super) async fn a_held_run_is_tried_again_by_the_next_program(world: World) {
    let worker = world.worker(HOUR).await;
    let run = world.claimed(worker).await;
    world.flush(worker, &[only(run, 0, Then::Hold("no".to_owned()))]).await.expect("ours");
    world.subscribe(APP, &[]).await;
    assert_eq!(ids(&world.claim(worker, 10).await), [run]);
}

pub(super) async fn a_held_run_is_tried_again_when_its_holder_leaves(world: World) {
    let [older, newer, other] =
        [world.worker(HOUR).await, world.worker(HOUR).await, world.worker(HOUR).await];
    let run = world.claimed(older).await;
    world.flush(older, &[only(run, 0, Then::Hold("no".to_owned()))]).await.expect("ours");
    world.rung();
    world.store.end_lease(other).await.expect("it leaves");
    assert_eq!(ids(&world.claim(newer, 10).await), [], "another of the older version may be there");
    assert!(!world.rung().contains(Work::READY));
    world.store.end_lease(older).await.expect("it leaves");
    assert!(world.rung().contains(Work::READY));
    assert_eq!(ids(&world.claim(newer, 10).await), [run]);

    // It was only tried, and is not tried twice.
    world.flush(newer, &[only(run, 0, Then::Hold("no".to_owned()))]).await.expect("ours");
    world.subscribe(APP, &[]).await;
    let newest = world.worker(HOUR).await;
    world.store.forfeit_lease(newer, &counted).await.expect("it has lost its lease");
    assert_eq!(ids(&world.claim(newest, 10).await), [run]);
    let end = only(run, 0, Then::End(End::Completed(json("null"))));
    world.flush(newest, &[end]).await.expect("it is ours");
    world.store.end_lease(newest).await.expect("it leaves");
    let last = world.worker(HOUR).await;
    assert_eq!(ids(&world.claim(last, 10).await), []);
}

pub(super) async fn a_held_run_is_cancelled_before_it_is_tried_again(world: World) {
    let worker = world.worker(HOUR).await;
    let run = world.claimed(worker).await;
    world.flush(worker, &[only(run, 0, Then::Hold("no".to_owned()))]).await.expect("ours");
    world.subscribe(APP, &[]).await;
    assert!(world.store.cancel_run(run, "enough").await.expect("it is not over"));
    let claimed = world.claim(worker, 10).await;
    assert_eq!(ids(&claimed), [run]);
    assert_eq!(claimed[0].inbox.len(), 1);
}

pub(super) async fn what_leaves_no_trace_is_not_taken_for_evicted(world: World) {
    let worker = world.worker(HOUR).await;
    let [told, stepping] = [world.claimed(worker).await, world.claimed(worker).await];
    let batch = [only(told, 0, Then::Continue), step(stepping, 0, "a")];
    let commit = Uuid::now_v7();
    world.store.flush_commits(worker, commit, &batch).await.expect("both are ours");
    let landed =
        world.store.landed_commits(commit, &batch).await.expect("it answers").expect("it landed");
    assert_eq!(landed.evicted, []);
}

pub(super) async fn runs_are_listed_and_counted(world: World) {
    let started = world.start(5).await;
    let worker = world.worker(HOUR).await;
    let claimed = ids(&world.claim(worker, 2).await);
    world
        .flush(worker, &[only(claimed[0], 0, Then::End(End::Completed(json("1"))))])
        .await
        .expect("it is ours");

    let count = |status, runs| RunCount { workflow: ORDER.to_owned(), status, runs };
    let mut counts = world.store.run_counts(APP).await.expect("it answers");
    counts.sort_by_key(|count| count.status);
    let expected =
        [count(RunStatus::Queued, 3), count(RunStatus::Running, 1), count(RunStatus::Completed, 1)];
    assert_eq!(counts, expected);
    assert_eq!(world.store.run_counts("bank").await.expect("it answers"), []);

    let list = async |query: RunQuery| {
        let runs = world.store.runs(APP, &query).await.expect("it answers");
        runs.into_iter().map(|run| run.id).collect::<Vec<_>>()
    };
    assert_eq!(list(RunQuery::default()).await, started);
    let page = RunQuery { after: Some(started[1]), limit: Some(2), ..RunQuery::default() };
    assert_eq!(list(page).await, started[2..4]);
    let running = RunQuery { status: Some(RunStatus::Running), ..RunQuery::default() };
    assert_eq!(list(running).await, [claimed[1]]);
    let other = RunQuery { workflow: Some("on-refund".to_owned()), ..RunQuery::default() };
    assert_eq!(list(other).await, []);
    assert!(world.store.run(RunId::new()).await.expect("it answers").is_none());
}
