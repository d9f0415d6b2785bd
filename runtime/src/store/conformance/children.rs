use std::time::Duration;

use uuid::Uuid;

use super::World;
use super::inboxes::assert_swept;
use super::world::{APP, HOUR, ORDER, commit, ids, json, only, reasons, seeded};
use crate::id::WorkerId;
use crate::journal::{
    Change, Child, Content, End, Entry, ErrorKind, ErrorRecord, Message, RunId, Then, Transition,
};
use crate::store::hints::Work;
use crate::store::{RunQuery, RunStatus};
use crate::workflow::StepKind;

pub(super) fn child(detached: bool) -> Child {
    let (id, seed) = (RunId::new(), Uuid::new_v4());
    Child {
        id,
        workflow: ORDER,
        input: json(r#"{"no": 1}"#),
        seed,
        detached,
        cancels: Vec::new(),
        gates: Vec::new(),
        ahead: 0,
    }
}

fn entry(key: &str, change: Change) -> Entry {
    Entry { key: key.into(), kind: StepKind::Invoke, change, started_at: None }
}

pub(super) fn invoke(child: &Child) -> Entry {
    entry(&child.id.to_string(), Change::Invoke { child: child.clone(), timeout: None })
}

impl World {
    /// A run that has invoked children, all of them claimed too.
    async fn family(&self, worker: WorkerId, children: &[Child]) -> RunId {
        let parent = self.claimed(worker).await;
        let invoked = children.iter().map(invoke).collect();
        self.flush(worker, &[commit(parent, 0, invoked, Then::Continue)]).await.expect("ours");
        let mut claimed = ids(&self.claim(worker, children.len()).await);
        claimed.sort();
        let mut expected: Vec<_> = children.iter().map(|child| child.id).collect();
        expected.sort();
        assert_eq!(claimed, expected);
        parent
    }
}

pub(super) async fn a_child_starts_with_its_parents_commit(world: World) {
    let worker = world.worker(HOUR).await;
    let parent = world.claimed(worker).await;
    let child = child(false);
    let timeout = Some(Duration::from_secs(60));
    let invoked = entry("ship", Change::Invoke { child: child.clone(), timeout });
    world.rung();
    let flushed = world
        .flush(worker, &[commit(parent, 0, vec![invoked.clone()], Then::Continue)])
        .await
        .expect("it is ours");
    assert_eq!(world.rung(), Work::READY);

    let journal = world.store.journal(parent).await.expect("it answers");
    let due = Some(flushed.at + Duration::from_secs(60));
    assert_eq!(journal[0].transition, Transition::Invoked { child: child.id, due });
    let record = world.store.run(child.id).await.expect("it answers").expect("it has started");
    assert_eq!((record.status, record.parent), (RunStatus::Queued, Some(parent)));
    assert_eq!((record.accepted_at, record.event), (flushed.at, None));
    let claimed = world.claim(worker, 10).await;
    assert_eq!(ids(&claimed), [child.id]);
    assert_eq!(claimed[0].origin.seed, child.seed);
    assert_eq!(claimed[0].origin.trigger.data, child.input);
}

pub(super) async fn a_parent_that_is_not_ours_starts_no_child(world: World) {
    let [worker, other] = [world.worker(HOUR).await, world.worker(HOUR).await];
    let theirs = world.claimed(other).await;
    let child = child(false);
    let batch = [commit(theirs, 0, vec![invoke(&child)], Then::Continue)];
    world.rung();
    let flushed = world.flush(worker, &batch).await.expect("the worker lives");
    assert_eq!((flushed.evicted, world.rung()), (vec![theirs], Work::empty()));
    assert!(world.store.run(child.id).await.expect("it answers").is_none());
}

pub(super) async fn a_childs_end_reaches_its_parent(world: World) {
    let worker = world.worker(HOUR).await;
    let children = [child(false), child(true), child(false)];
    let parent = world.family(worker, &children).await;
    let failure = ErrorRecord::new(ErrorKind::Panic, "no");
    let ends = [
        End::Completed(json(r#"{"a":  1}"#)),
        End::Failed(failure.clone()),
        End::Cancelled("enough".to_owned()),
    ];
    for (child, end) in children.iter().zip(ends) {
        world.rung();
        let flushed = world.flush(worker, &[only(child.id, 0, Then::End(end))]).await;
        flushed.expect("it is ours");
        assert_eq!(world.rung(), Work::MESSAGES);
    }
    let inbox = world.inbox(worker, parent).await;
    let results: Vec<_> = inbox
        .into_iter()
        .map(|message| match message.content {
            Content::ChildEnded { child, result } => {
                assert_eq!(message.id.as_uuid(), child.as_uuid());
                (child, result)
            }
            other => panic!("no end: {other:?}"),
        })
        .collect();
    let cancelled = ErrorRecord::new(ErrorKind::Cancelled, "the run was cancelled: enough");
    let expected = [Ok(json(r#"{"a":  1}"#)), Err(failure), Err(cancelled)];
    assert_eq!(
        results,
        children.map(|child| child.id).into_iter().zip(expected).collect::<Vec<_>>()
    );
}

pub(super) async fn a_childs_end_rouses_its_parked_parent(world: World) {
    let worker = world.worker(HOUR).await;
    let child = child(false);
    let parent = world.family(worker, std::slice::from_ref(&child)).await;
    world.flush(worker, &[only(parent, 1, Then::Park(None))]).await.expect("it is ours");
    assert_eq!(world.status(parent).await, RunStatus::Waiting);
    let end = only(child.id, 0, Then::End(End::Completed(json("1"))));
    world.flush(worker, &[end]).await.expect("it is ours");
    assert_eq!(world.status(parent).await, RunStatus::Queued);
    let claimed = world.claim(worker, 10).await;
    assert_eq!(ids(&claimed), [parent]);
    assert!(matches!(claimed[0].inbox[0].content, Content::ChildEnded { .. }));
}

pub(super) async fn a_parents_end_cancels_its_attached_children_only(world: World) {
    let worker = world.worker(HOUR).await;
    let [running, parked, detached, over] = [child(false), child(false), child(true), child(false)];
    let children = [running.clone(), parked.clone(), detached.clone(), over.clone()];
    let parent = world.family(worker, &children).await;
    let batch = [
        only(parked.id, 0, Then::Park(None)),
        only(over.id, 0, Then::End(End::Completed(json("1")))),
    ];
    world.flush(worker, &batch).await.expect("both are ours");
    let end = only(parent, 1, Then::End(End::Failed(ErrorRecord::new(ErrorKind::Error, "no"))));
    world.rung();
    world.flush(worker, &[end]).await.expect("it is ours");
    assert_eq!(world.rung(), Work::READY | Work::MESSAGES);

    let reason = format!("its parent run {parent} has ended");
    assert_eq!(reasons(&world.inbox(worker, running.id).await), [reason.as_str()]);
    let claimed = world.claim(worker, 10).await;
    assert_eq!(ids(&claimed), [parked.id]);
    assert_eq!(reasons(&claimed[0].inbox), [reason.as_str()]);
    assert_eq!(world.inbox(worker, detached.id).await, []);
    assert_eq!(world.status(over.id).await, RunStatus::Completed);
    // Nobody is there any more to be told of its end.
    let end = only(detached.id, 0, Then::End(End::Completed(json("1"))));
    world.flush(worker, &[end]).await.expect("it is ours");
    assert_eq!(world.database.rows("inbox").await, 2);
}

pub(super) async fn a_child_that_starts_as_its_parent_ends_is_asked_to_cancel(world: World) {
    let worker = world.worker(HOUR).await;
    let parent = world.claimed(worker).await;
    let [attached, detached] = [child(false), child(true)];
    let invoked = vec![invoke(&attached), invoke(&detached)];
    let end = Then::End(End::Completed(json("1")));
    world.flush(worker, &[commit(parent, 0, invoked, end)]).await.expect("it is ours");
    for run in world.claim(worker, 10).await {
        let asked = run.origin.trigger.run == attached.id;
        assert_eq!(run.inbox.len(), usize::from(asked), "{:?}", run.inbox);
    }
}

pub(super) async fn an_abandoned_child_is_asked_to_cancel(world: World) {
    let worker = world.worker(HOUR).await;
    let [lost, late] = [child(false), child(false)];
    let parent = world.family(worker, &[lost.clone(), late.clone()]).await;
    world.flush(worker, &[only(late.id, 0, Then::Park(None))]).await.expect("it is ours");
    let error = ErrorRecord::new(ErrorKind::Timeout, "it takes too long");
    let entries = vec![
        entry("lost", Change::Abandon { cancelled: Some(lost.id) }),
        entry("late", Change::Fail { attempt: 1, of: 1, error, cancelled: Some(late.id) }),
    ];
    world.rung();
    let flushed = world.flush(worker, &[commit(parent, 2, entries, Then::Continue)]).await;
    flushed.expect("it is ours");
    assert_eq!(world.rung(), Work::READY | Work::MESSAGES);
    let inbox = world.inbox(worker, lost.id).await;
    assert_eq!(reasons(&inbox), [format!("its parent run {parent} no longer waits for it")]);
    let claimed = world.claim(worker, 10).await;
    assert_eq!(ids(&claimed), [late.id]);
    assert_eq!(
        reasons(&claimed[0].inbox),
        [format!("its parent run {parent} has waited long enough")]
    );
}

/// The parent gives up while the child ends. Each side does something else for a moment first, another
/// in each round.
pub(super) async fn a_childs_end_at_the_same_time_as_a_time_out_leaves_nothing_behind(
    world: World,
) {
    let worker = world.worker(HOUR).await;
    let other = world.another().await;
    for (round, mut jitter) in seeded().take(100).enumerate() {
        let child = child(false);
        let id = child.id;
        let parent = world.family(worker, &[child]).await;
        let ending = tokio::spawn({
            let (other, mut jitter) = (other.clone(), jitter.split());
            async move {
                jitter.pass().await;
                let end = only(id, 0, Then::End(End::Completed(json("1"))));
                other.flush_commits(worker, Uuid::now_v7(), &[end]).await
            }
        });
        jitter.pass().await;
        let error = ErrorRecord::new(ErrorKind::Timeout, "it takes too long");
        let change = Change::Fail { attempt: 1, of: 1, error, cancelled: Some(id) };
        let late = commit(parent, 1, vec![entry("late", change)], Then::Continue);
        world.flush(worker, &[late]).await.expect("it is ours");
        let ended = ending.await.expect("it does not panic").expect("the worker lives");
        assert_eq!(ended.evicted, [], "round {round}");
        assert_eq!(world.status(id).await, RunStatus::Completed, "round {round}");
        let inbox = world.inbox(worker, parent).await;
        let [Message { content: Content::ChildEnded { child, .. }, .. }] = inbox.as_slice() else {
            panic!("round {round}: it is told of the end once: {inbox:?}")
        };
        assert_eq!(*child, id);
        let end = only(parent, 2, Then::End(End::Completed(json("1"))));
        world.flush(worker, &[end]).await.expect("it is ours");
    }
    assert!(world.claim(worker, 10).await.is_empty());
    assert_swept(&world).await;
    other.close().await;
}

pub(super) async fn children_are_listed_by_parent(world: World) {
    let worker = world.worker(HOUR).await;
    let mut children = [child(false), child(true), child(false)];
    children.sort_by_key(|child| child.id);
    let parent = world.family(worker, &children).await;
    let list = async |query: RunQuery| {
        let query = RunQuery { parent: Some(parent), ..query };
        let runs = world.store.runs(APP, &query).await.expect("it answers");
        runs.into_iter().map(|run| run.id).collect::<Vec<_>>()
    };
    let expected = children.map(|child| child.id);
    assert_eq!(list(RunQuery::default()).await, expected);
    let page = RunQuery { after: Some(expected[0]), limit: Some(1), ..RunQuery::default() };
    assert_eq!(list(page).await, expected[1..2]);
    let queued = RunQuery { status: Some(RunStatus::Queued), ..RunQuery::default() };
    assert_eq!(list(queued).await, []);
}
