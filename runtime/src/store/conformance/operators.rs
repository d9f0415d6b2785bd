use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::world::{
    APP, HOUR, ORDER, PAID, claim, commit, done, done_with, ids, json, only, route, seeded, step,
    uncancelled, wait, waited,
};
use super::{StoppedClock, World};
use crate::event::EventId;
use crate::flow::NewRun;
use crate::id::WorkerId;
use crate::journal::{Change, End, Entry, ErrorKind, ErrorRecord, RunCommit, RunId, Then};
use crate::store::{Fork, NewEvent, Refusal, Replay, RunQuery, RunStatus, Verb};

fn failed(key: &str) -> Entry {
    let error = ErrorRecord::new(ErrorKind::Error, "no");
    Entry { change: Change::Fail { attempt: 3, of: 3, error, cancelled: None }, ..done(key) }
}

/// The end of a wait that has taken an event, in whose data is what Postgres takes no JSON apart for.
fn received(key: &str, event: EventId) -> Entry {
    let outcome = format!(r#"{{"id":"{event}","accepted_at":"","data":"\u0000"}}"#);
    Entry { change: done_with(key, &outcome).change, ..waited(key) }
}

/// The end of a run because of a step.
fn failing(step: &str) -> Then {
    let mut error = ErrorRecord::new(ErrorKind::Error, "no");
    error.step = Some(step.into());
    Then::End(End::Failed(error))
}

fn completed() -> Then {
    Then::End(End::Completed(json("null")))
}

impl World {
    /// Starts a run, claims it, and commits this in one.
    async fn driven(&self, worker: WorkerId, entries: Vec<Entry>, then: Then) -> RunId {
        let run = self.claimed(worker).await;
        self.flush(worker, &[commit(run, 0, entries, then)]).await.expect("it is ours");
        run
    }

    async fn keys(&self, run: RunId) -> Vec<String> {
        let journal = self.store.journal(run).await.expect("the store answers");
        journal.iter().map(|row| row.key.to_string()).collect()
    }
}

fn fork(source: RunId, state: &str) -> Fork {
    Fork { source, id: RunId::new(), state: state.to_owned() }
}

fn replay(source: RunId) -> Replay {
    Replay { source, id: RunId::new(), seed: Uuid::new_v4(), input: None }
}

pub(super) async fn a_failed_run_is_retried_from_where_it_failed(world: World) {
    let worker = world.worker(HOUR).await;
    let run = world.driven(worker, vec![done("a"), failed("b")], failing("b")).await;
    assert_eq!(world.store.retry_runs(&[run], &uncancelled).await.expect("it answers"), [Ok(())]);

    let record = world.store.run(run).await.expect("it answers").expect("it is there");
    assert_eq!((record.status, record.ended_at, record.error), (RunStatus::Queued, None, None));
    let claimed = world.claim(worker, 10).await;
    assert_eq!(ids(&claimed), [run]);
    assert_eq!(claimed[0].origin.retries, 1);
    let journal: Vec<_> = claimed[0].origin.journal.iter().map(|row| row.key.as_str()).collect();
    assert_eq!(journal, ["a"]);
    // The places that were cut are taken anew.
    let last = commit(run, 1, vec![done("b")], completed());
    assert_eq!(world.flush(worker, &[last]).await.expect("it is ours").evicted, []);
    assert_eq!(world.keys(run).await, ["a", "b"]);
    assert_eq!(world.status(run).await, RunStatus::Completed);
}

pub(super) async fn a_retried_run_has_taken_what_it_had_taken(world: World) {
    world.subscribe(APP, &[PAID]).await;
    let worker = world.worker(HOUR).await;
    let run = world.claimed(worker).await;
    world
        .flush(worker, &[commit(run, 0, vec![wait("paid", 1)], Then::Continue)])
        .await
        .expect("ours");
    let first = world.send(PAID, 1).await;
    let message = world.inbox(worker, run).await.remove(0).id;
    // A loop has dropped the row that says so.
    let forgotten = commit(run, 1, vec![waited("paid"), wait("paid#1", 1)], Then::Continue);
    let forgotten = RunCommit { taken: vec![message], ..forgotten };
    world.flush(worker, &[forgotten]).await.expect("it is ours");
    let second = world.send(PAID, 1).await;
    let message = world.inbox(worker, run).await.remove(0).id;
    let last = commit(run, 3, vec![received("paid#1", second), failed("b")], failing("b"));
    world.flush(worker, &[RunCommit { taken: vec![message], ..last }]).await.expect("it is ours");

    world.store.retry_runs(&[run], &uncancelled).await.expect("it answers");
    world.claim(worker, 1).await;
    let again = commit(run, 4, vec![wait("paid#2", 1)], Then::Continue);
    world.flush(worker, &[again]).await.expect("it is ours");
    assert_eq!(world.inbox(worker, run).await, [], "{first} and {second} are not for another wait");
    world.send(PAID, 1).await;
    assert_eq!(world.inbox(worker, run).await.len(), 1);
}

pub(super) async fn a_retried_wait_finds_the_event_that_it_had_taken(world: World) {
    world.subscribe(APP, &[PAID]).await;
    let worker = world.worker(HOUR).await;
    let run = world.claimed(worker).await;
    let waits = commit(run, 0, vec![wait("paid", 1)], Then::Continue);
    world.flush(worker, &[waits]).await.expect("it is ours");
    let event = world.send(PAID, 1).await;
    let message = world.inbox(worker, run).await.remove(0).id;
    // The step failed beside the wait, and first.
    let last = commit(run, 1, vec![failed("b"), received("paid", event)], failing("b"));
    world.flush(worker, &[RunCommit { taken: vec![message], ..last }]).await.expect("it is ours");

    world.store.retry_runs(&[run], &uncancelled).await.expect("it answers");
    world.claim(worker, 1).await;
    assert_eq!(world.keys(run).await, [""; 0]);
    let again = commit(run, 0, vec![wait("paid", 1)], Then::Continue);
    world.flush(worker, &[again]).await.expect("it is ours");
    assert_eq!(world.inbox(worker, run).await.len(), 1);
}

pub(super) async fn only_a_failed_run_is_retried(world: World) {
    let worker = world.worker(HOUR).await;
    let completed = world.driven(worker, vec![done("a")], completed()).await;
    let running = world.claimed(worker).await;
    let unknown = RunId::new();
    let answers = world
        .store
        .retry_runs(&[completed, running, unknown], &uncancelled)
        .await
        .expect("it answers");
    let expected = [
        Err(Refusal::Standing(RunStatus::Completed)),
        Err(Refusal::Standing(RunStatus::Running)),
        Err(Refusal::Unknown),
    ];
    assert_eq!(answers, expected);
    assert_eq!(world.keys(completed).await, ["a"]);
    assert!(world.claim(worker, 10).await.is_empty());
}

pub(super) async fn two_retries_at_once_are_one(world: World) {
    let worker = world.worker(HOUR).await;
    let other = world.another().await;
    for _ in 0..10 {
        let run = world.driven(worker, vec![done("a"), failed("b")], failing("b")).await;
        let runs = [run];
        let (one, two) = tokio::join!(
            world.store.retry_runs(&runs, &uncancelled),
            other.retry_runs(&runs, &uncancelled)
        );
        let answers = [one.expect("it answers").remove(0), two.expect("it answers").remove(0)];
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
        assert!(answers.contains(&Err(Refusal::Standing(RunStatus::Queued))), "{answers:?}");
        assert_eq!(ids(&world.claim(worker, 10).await), [run]);
        world.flush(worker, &[only(run, 1, completed())]).await.expect("it is ours");
    }
    other.close().await;
}

/// Several operators at one failed run, each through a process of their own.
pub(super) async fn different_verbs_at_once_each_do_what_they_say(world: World) {
    let worker = world.worker(HOUR).await;
    let other = world.another().await;
    for (round, mut jitter) in seeded().take(50).enumerate() {
        let run = world.driven(worker, vec![done("a"), failed("b")], failing("b")).await;
        let (fork, replay) = (fork(run, "b"), replay(run));
        let beginning = tokio::spawn({
            let (other, fork, replay) = (other.clone(), fork.clone(), replay.clone());
            let mut jitter = jitter.split();
            async move {
                jitter.pass().await;
                let forked = other.fork_run(&fork, &uncancelled).await.expect("it answers");
                let cancelled = other.cancel_run(run, "enough").await.expect("it answers");
                let replayed =
                    other.replay_runs(&[replay], &uncancelled).await.expect("it answers");
                (forked, cancelled, replayed[0].clone())
            }
        });
        jitter.pass().await;
        let retried = world.store.retry_runs(&[run], &uncancelled).await.expect("it answers");
        let (forked, cancelled, replayed) = beginning.await.expect("it does not panic");
        assert_eq!(retried, [Ok(())], "round {round}");

        let mut claimed = Vec::new();
        for _ in 0..3 {
            claimed.extend(world.claim(worker, 10).await);
        }
        // Where the retry came first the others found a run that was no longer over.
        let mut expected = vec![run];
        // Of `b` nothing is left by then.
        match forked {
            Ok(()) => expected.push(fork.id),
            Err(refusal) => assert!(matches!(refusal, Refusal::NoSuchState(_)), "{refusal:?}"),
        }
        match replayed {
            Ok(()) => expected.push(replay.id),
            Err(refusal) => assert_eq!(refusal, Refusal::Standing(RunStatus::Queued)),
        }
        expected.sort();
        claimed.sort_by_key(|run| run.origin.trigger.run);
        assert_eq!(ids(&claimed), expected, "round {round}");
        for claimed in &claimed {
            let id = claimed.origin.trigger.run;
            let told = usize::from(cancelled && id == run);
            assert_eq!(claimed.inbox.len(), told, "round {round}: {:?}", claimed.inbox);
            let rows = if id == replay.id { 0 } else { 1 };
            assert_eq!(claimed.origin.journal.len(), rows, "round {round}");
            world.flush(worker, &[only(id, 2, completed())]).await.expect("it is ours");
        }
    }
    other.close().await;
}

pub(super) async fn a_retried_child_can_fail_again(world: World) {
    let worker = world.worker(HOUR).await;
    let parent = world.claimed(worker).await;
    let child = super::children::child(false);
    let id = child.id;
    let start = super::children::invoke(&child);
    world.flush(worker, &[commit(parent, 0, vec![start], Then::Continue)]).await.expect("ours");
    for _ in 0..2 {
        assert_eq!(ids(&world.claim(worker, 10).await), [id]);
        world.flush(worker, &[commit(id, 0, vec![failed("a")], failing("a"))]).await.expect("ours");
        assert_eq!(world.inbox(worker, parent).await.len(), 1, "the parent is told once");
        assert_eq!(
            world.store.retry_runs(&[id], &uncancelled).await.expect("it answers"),
            [Ok(())]
        );
    }
}

pub(super) async fn verbs_of_one_microsecond_are_listed_in_their_order(world: World) {
    let clock = StoppedClock::of(&world.database, Timestamp::now()).await;
    let world = World { store: world.another().await, ..world };
    let worker = world.worker(HOUR).await;
    let run = world.driven(worker, vec![failed("a")], failing("a")).await;
    let replay = replay(run);
    let id = replay.id;
    let replayed = world.store.replay_runs(&[replay], &uncancelled).await.expect("it answers");
    assert_eq!(replayed, [Ok(())]);
    for _ in 0..2 {
        assert_eq!(ids(&world.claim(worker, 10).await), [id]);
        world.flush(worker, &[commit(id, 0, vec![failed("a")], failing("a"))]).await.expect("ours");
        assert_eq!(
            world.store.retry_runs(&[id], &uncancelled).await.expect("it answers"),
            [Ok(())]
        );
    }
    let known = world.store.interventions(id).await.expect("it answers");
    assert!(known.iter().all(|intervention| intervention.at == known[0].at), "{known:?}");
    let verbs: Vec<_> = known.into_iter().map(|intervention| intervention.verb).collect();
    assert_eq!(verbs, [Verb::Replayed { source: run }, Verb::Retried, Verb::Retried]);
    world.store.close().await;
    clock.release().await;
}

pub(super) async fn a_fork_has_the_journal_before_a_state(world: World) {
    let worker = world.worker(HOUR).await;
    let entries = vec![done_with("a", "1"), done_with("b", "2"), done_with("b#1", "3"), done("c")];
    let run = world.driven(worker, entries, completed()).await;
    let source = world.store.run(run).await.expect("it answers").expect("it is there");
    for (state, expected) in
        [("a", &[][..]), ("b", &["a"]), ("b#1", &["a", "b"]), ("c", &["a", "b", "b#1"])]
    {
        let fork = fork(run, state);
        assert_eq!(world.store.fork_run(&fork, &uncancelled).await.expect("it answers"), Ok(()));
        let claimed = world.claim(worker, 10).await;
        assert_eq!(ids(&claimed), [fork.id]);
        let origin = &claimed[0].origin;
        let keys: Vec<_> = origin.journal.iter().map(|row| row.key.as_str()).collect();
        assert_eq!(keys, expected);
        assert_eq!(
            origin.trigger.accepted_at, source.accepted_at,
            "it is what `now()` begins with"
        );
        world.flush(worker, &[only(fork.id, 4, completed())]).await.expect("it is ours");
    }
    assert_eq!(world.keys(run).await, ["a", "b", "b#1", "c"]);
    assert_eq!(world.status(run).await, RunStatus::Completed);
}

pub(super) async fn a_fork_goes_back_to_where_a_loop_began(world: World) {
    let worker = world.worker(HOUR).await;
    let carry = |iteration: u32, replaces: Option<u32>| {
        let (outcome, first) = (json("null"), replaces.map(|_| 1));
        Entry { change: Change::Carry { iteration, outcome, replaces, first }, ..done("loop") }
    };
    let undoable = |key| {
        let (outcome, events) = (json("7"), Vec::new());
        let change = Change::Succeed { attempt: 1, outcome, events, undo: true };
        Entry { change, ..done(key) }
    };
    let first = vec![done("before"), carry(1, None), undoable("a"), undoable("b")];
    let entries = [first, vec![carry(2, Some(1)), undoable("a"), done("c")]].concat();
    let run = world.driven(worker, entries, completed()).await;
    assert_eq!(world.keys(run).await, ["before", "a", "b", "loop", "a", "c"]);
    let late = ["before", "a", "b", "loop", "a"];
    for (state, expected) in [("b", &["before"][..]), ("loop", &["before"]), ("c", &late)] {
        let fork = fork(run, state);
        assert_eq!(world.store.fork_run(&fork, &uncancelled).await.expect("it answers"), Ok(()));
        assert_eq!(world.keys(fork.id).await, expected, "forked at `{state}`");
    }
    let source = world.store.journal(run).await.expect("it answers");
    let fork = fork(run, "c");
    assert_eq!(world.store.fork_run(&fork, &uncancelled).await.expect("it answers"), Ok(()));
    let copied = world.store.journal(fork.id).await.expect("it answers");
    assert_eq!(copied[3].transition, source[3].transition);
}

pub(super) async fn a_fork_has_taken_what_its_part_of_the_journal_has(world: World) {
    world.subscribe(APP, &[PAID]).await;
    let worker = world.worker(HOUR).await;
    let run = world.claimed(worker).await;
    let payment = world.send(PAID, 1).await;
    let entries = vec![wait("paid", 1), received("paid", payment), done("b")];
    world.flush(worker, &[commit(run, 0, entries, completed())]).await.expect("it is ours");

    for (state, messages) in [("b", 0), ("paid", 1)] {
        let fork = fork(run, state);
        assert_eq!(world.store.fork_run(&fork, &uncancelled).await.expect("it answers"), Ok(()));
        world.claim(worker, 1).await;
        let again = commit(fork.id, 3, vec![wait("paid#1", 1)], Then::Continue);
        world.flush(worker, &[again]).await.expect("it is ours");
        assert_eq!(world.inbox(worker, fork.id).await.len(), messages, "forked at `{state}`");
    }
}

pub(super) async fn a_fork_names_the_states_that_there_are(world: World) {
    let worker = world.worker(HOUR).await;
    let run = world.driven(worker, vec![done("a"), done("b"), done("b#1")], completed()).await;
    let states = ["a", "b"].map(ToOwned::to_owned).to_vec();
    let forked = world.store.fork_run(&fork(run, "c"), &uncancelled).await.expect("it answers");
    assert_eq!(forked, Err(Refusal::NoSuchState(states)));
    let unknown =
        world.store.fork_run(&fork(RunId::new(), "a"), &uncancelled).await.expect("it answers");
    assert_eq!(unknown, Err(Refusal::Unknown));
}

pub(super) async fn a_fork_of_a_run_in_progress_leaves_it_alone(world: World) {
    let worker = world.worker(HOUR).await;
    let run = world.driven(worker, vec![done("a"), done("b")], Then::Continue).await;
    let fork = fork(run, "b");
    assert_eq!(world.store.fork_run(&fork, &uncancelled).await.expect("it answers"), Ok(()));
    let next = [step(run, 2, "c")];
    assert_eq!(world.flush(worker, &next).await.expect("it is ours").evicted, []);
    assert_eq!(world.keys(run).await, ["a", "b", "c"]);
    assert_eq!(world.keys(fork.id).await, ["a"]);
}

pub(super) async fn a_replay_begins_with_the_same_input_or_another(world: World) {
    let run = NewRun::new(ORDER, None, json(r#"{"no":1}"#));
    world.store.start_runs(APP, std::slice::from_ref(&run)).await.expect("it starts");
    let worker = world.worker(HOUR).await;
    world.claim(worker, 1).await;
    world.flush(worker, &[commit(run.id, 0, vec![done("a")], completed())]).await.expect("ours");

    let same = replay(run.id);
    let other = Replay { input: Some(json(r#"{"no":2}"#)), ..replay(run.id) };
    let answers = world
        .store
        .replay_runs(&[same.clone(), other.clone()], &uncancelled)
        .await
        .expect("it answers");
    assert_eq!(answers, [Ok(()), Ok(())]);
    let mut claimed = world.claim(worker, 10).await;
    claimed.sort_by_key(|run| run.origin.trigger.run);
    assert_eq!(ids(&claimed), [same.id, other.id]);
    assert_eq!(claimed[0].origin.trigger.data, run.input);
    assert_eq!(claimed[1].origin.trigger.data.as_str(), r#"{"no":2}"#);
    assert_eq!(claimed[0].origin.seed, same.seed);
    assert!(claimed.iter().all(|run| run.origin.journal.is_empty()));
    assert_eq!(world.keys(run.id).await, ["a"]);
}

pub(super) async fn what_is_made_of_a_run_is_found_by_the_same(world: World) {
    let worker = world.worker(HOUR).await;
    let nameless = world.driven(worker, vec![done("a")], completed()).await;
    let run = world.claimed(worker).await;
    let commit = commit(run, 0, vec![done("a")], completed());
    let attributes = vec![("customer".to_owned(), "7".to_owned())];
    world.flush(worker, &[RunCommit { attributes, ..commit }]).await.expect("it is ours");
    // As if a schedule had started it.
    let scheduled = format!("scheduled_at = accepted_at WHERE id = '{run}'");
    world.database.update("runs", &scheduled).await;
    let source = world.store.run(run).await.expect("it answers").expect("it is there");

    let (fork, replays) = (fork(run, "a"), [replay(run), replay(nameless)]);
    assert_eq!(world.store.fork_run(&fork, &uncancelled).await.expect("it answers"), Ok(()));
    let answers = world.store.replay_runs(&replays, &uncancelled).await.expect("it answers");
    assert_eq!(answers, [Ok(()), Ok(())]);
    let attribute = Some(("customer".to_owned(), "7".to_owned()));
    let named = RunQuery { attribute, ..RunQuery::default() };
    let named = world.store.runs(APP, &named).await.expect("it answers");
    let found: Vec<_> = named.iter().map(|run| run.id).collect();
    assert_eq!(found, [run, fork.id, replays[0].id]);
    let due = Some(source.accepted_at);
    assert!(named.iter().all(|run| run.scheduled_at == due), "{named:?}");
}

pub(super) async fn only_what_is_over_is_replayed(world: World) {
    let worker = world.worker(HOUR).await;
    let over = world.driven(worker, Vec::new(), completed()).await;
    let running = world.claimed(worker).await;
    let asked = [replay(running), replay(over), replay(RunId::new())];
    let answers = world.store.replay_runs(&asked, &uncancelled).await.expect("it answers");
    let expected = [Err(Refusal::Standing(RunStatus::Running)), Ok(()), Err(Refusal::Unknown)];
    assert_eq!(answers, expected);
    assert_eq!(ids(&world.claim(worker, 10).await), [asked[1].id]);
}

pub(super) async fn many_runs_are_cancelled_at_once(world: World) {
    let worker = world.worker(HOUR).await;
    let over = world.driven(worker, Vec::new(), completed()).await;
    let mut runs = world.start(3).await;
    runs.push(over);
    assert_eq!(world.store.cancel_runs(&runs, "enough").await.expect("it answers"), 3);
    let claimed = world.claim(worker, 10).await;
    assert_eq!(ids(&claimed), runs[..3]);
    assert!(claimed.iter().all(|run| run.inbox.len() == 1));
}

pub(super) async fn runs_are_found_by_what_is_known_of_them(world: World) {
    world.subscribe(APP, &[super::world::PLACED]).await;
    let worker = world.worker(Duration::from_secs(60)).await;
    let direct = world.driven(worker, Vec::new(), completed()).await;
    let other = NewRun::new("on-refund", None, json("{}"));
    world.store.start_runs(APP, std::slice::from_ref(&other)).await.expect("it starts");
    world
        .store
        .start_runs("bank", &[NewRun::new(ORDER, None, json("{}"))])
        .await
        .expect("it starts");
    let event: NewEvent = super::world::event(super::world::PLACED, r#"{"no":1}"#);
    world.store.accept_events(None, std::slice::from_ref(&event)).await.expect("it is accepted");
    route(&*world.store).await;
    let triggered = ids(&claim(&*world.store, worker, 10).await.expect("it lives"))[0];

    let found = async |query: RunQuery| {
        let runs = world.store.runs(APP, &query).await.expect("it answers");
        runs.into_iter().map(|run| run.id).collect::<Vec<_>>()
    };
    let all = || RunQuery::default();
    assert_eq!(found(all()).await, [direct, other.id, triggered]);
    assert_eq!(found(RunQuery { limit: Some(2), ..all() }).await, [direct, other.id]);
    assert_eq!(found(RunQuery { after: Some(other.id), ..all() }).await, [triggered]);
    assert_eq!(found(RunQuery { event: Some(event.id), ..all() }).await, [triggered]);
    assert_eq!(found(RunQuery { over: Some(true), ..all() }).await, [direct]);
    assert_eq!(found(RunQuery { over: Some(false), ..all() }).await, [other.id, triggered]);
    let of = |workflow: &str| RunQuery { workflow: Some(workflow.to_owned()), ..all() };
    assert_eq!(found(of(ORDER)).await, [direct, triggered]);
    assert_eq!(
        found(RunQuery { status: Some(RunStatus::Queued), ..of("on-refund") }).await,
        [other.id]
    );
    assert_eq!(found(RunQuery { over: Some(true), ..of("on-refund") }).await, []);

    let record = world.store.run(other.id).await.expect("it answers").expect("it is there");
    let (since, next) = (record.accepted_at, record.accepted_at + SignedDuration::from_micros(1));
    assert_eq!(
        found(RunQuery { since: Some(since), before: Some(next), ..all() }).await,
        [other.id]
    );
    assert_eq!(found(RunQuery { before: Some(since), ..all() }).await, [direct]);
    assert_eq!(found(RunQuery { since: Some(next), ..of(ORDER) }).await, [triggered]);

    let child = super::children::child(false);
    let invoked = commit(triggered, 0, vec![super::children::invoke(&child)], Then::Continue);
    world.flush(worker, &[invoked]).await.expect("it is ours");
    let record = world.store.run(child.id).await.expect("it answers").expect("it is there");
    let lately = || RunQuery { since: Some(record.accepted_at), ..all() };
    assert_eq!(found(lately()).await, [child.id]);
    assert_eq!(found(RunQuery { parent: Some(triggered), ..lately() }).await, [child.id]);
}
