//! What becomes of a look when the process that owed it dies after its commit.

use sqlx::PgPool;
use uuid::Uuid;

use super::database::{Link, Reach};
use super::flush;
use crate::id::WorkerId;
use crate::journal::{Change, Child, Content, End, Entry, RunCommit, RunId, Then};
use crate::store::RunStatus;
use crate::store::conformance::{
    APP, HOUR, ORDER, PAID, PLACED, World, commit, ids, json, on_postgres, only, route, wait,
};
use crate::workflow::StepKind;

/// Commits a batch and dies.
async fn commit_and_die(world: &World, worker: WorkerId, batch: &[RunCommit]) {
    let pool = PgPool::connect(&world.database.url()).await.expect("it answers");
    let tx = pool.begin().await.expect("it begins");
    let mut tx = Link::Transaction(tx, Reach::Session);
    // It told nobody either.
    let _ = flush::send(&mut tx, worker, Uuid::now_v7(), batch).await.expect("it is ours");
    tx.commit().await.expect("it is committed");
}

async fn woken(world: &World) -> usize {
    // A store of its own: another one may have swept a moment ago.
    let other = world.another().await;
    let woken = other.wake_due(100).await.expect("it wakes").runs;
    other.close().await;
    woken
}

#[tokio::test]
async fn a_wait_that_has_not_looked_finds_its_event() {
    on_postgres(|world: World| async move {
        world.subscribe(APP, &[PAID]).await;
        let worker = world.worker(HOUR).await;
        let run = world.claimed(worker).await;
        world.send(PAID, 7).await;
        let parked = commit(run, 0, vec![wait("paid", 7)], Then::Park(None));
        commit_and_die(&world, worker, &[parked]).await;

        // For a while it may still be under way.
        assert_eq!(woken(&world).await, 0);
        let older = "UPDATE indelible.waits SET made_at = made_at - interval '1 minute'";
        world.database.execute(older).await;
        assert_eq!(woken(&world).await, 1);
        assert_eq!(woken(&world).await, 0);
        let claimed = world.claim(worker, 10).await;
        assert_eq!(ids(&claimed), [run]);
        assert_eq!(claimed[0].inbox.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_run_that_has_parked_over_a_message_is_roused() {
    on_postgres(|world: World| async move {
        let worker = world.worker(HOUR).await;
        let [parked, held] = [world.claimed(worker).await, world.claimed(worker).await];
        for run in [parked, held] {
            world.store.cancel_run(run, "enough").await.expect("it is there");
        }
        let hold = only(held, 0, Then::Hold("it does not fit".to_owned()));
        commit_and_die(&world, worker, &[only(parked, 0, Then::Park(None)), hold]).await;
        assert_eq!(world.status(parked).await, RunStatus::Waiting);
        assert_eq!(woken(&world).await, 2);
        assert_eq!(ids(&world.claim(worker, 10).await).len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_parent_that_was_told_of_an_end_is_roused() {
    on_postgres(|world: World| async move {
        let worker = world.worker(HOUR).await;
        let parent = world.claimed(worker).await;
        let (id, seed) = (RunId::new(), Uuid::new_v4());
        let child = Child {
            id,
            workflow: ORDER,
            input: json("{}"),
            seed,
            detached: false,
            cancels: Vec::new(),
            gates: Vec::new(),
            ahead: 0,
        };
        let change = Change::Invoke { child, timeout: None };
        let invoked =
            Entry { key: "ship".into(), kind: StepKind::Invoke, change, started_at: None };
        let parked = commit(parent, 0, vec![invoked], Then::Park(None));
        world.flush(worker, &[parked]).await.expect("it is ours");
        world.claim(worker, 1).await;
        let end = only(id, 0, Then::End(End::Completed(json("1"))));
        commit_and_die(&world, worker, &[end]).await;
        assert_eq!(world.status(parent).await, RunStatus::Waiting);
        assert_eq!(woken(&world).await, 1);
        let claimed = world.claim(worker, 1).await;
        assert!(matches!(claimed[0].inbox[0].content, Content::ChildEnded { .. }));
    })
    .await;
}

#[tokio::test]
async fn an_event_that_was_routed_and_has_not_looked_finds_its_wait_and_starts_no_run_again() {
    on_postgres(|world: World| async move {
        world.subscribe(APP, &[PLACED, PAID]).await;
        let worker = world.worker(HOUR).await;
        let run = world.claimed(worker).await;
        let parked = commit(run, 0, vec![wait("paid", 7)], Then::Park(None));
        world.flush(worker, &[parked]).await.expect("it is ours");
        world.send(PAID, 7).await;
        world.send(PLACED, 7).await;
        assert_eq!(world.claim(worker, 10).await.len(), 2);
        world.flush(worker, &[only(run, 1, Then::Park(None))]).await.expect("it is ours");

        // As if the process had died before its look.
        let undone = "
            DELETE FROM indelible.inbox;
            DELETE FROM indelible.ready;
            UPDATE indelible.runs SET status = 'waiting' WHERE status = 'queued';
            INSERT INTO indelible.deliveries (app, event_id, part, routed_at)
            SELECT 'shop', id, name, now() - interval '1 minute' FROM indelible.events";
        world.database.execute(undone).await;
        route(&*world.store).await;
        assert_eq!(world.database.rows("deliveries").await, 0);
        let claimed = world.claim(worker, 10).await;
        assert_eq!(ids(&claimed), [run]);
        assert_eq!(claimed[0].inbox.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_delivery_that_is_being_looked_for_is_left_to_its_router() {
    on_postgres(|world: World| async move {
        world.subscribe(APP, &[PAID]).await;
        world.send(PAID, 7).await;
        let looking = "
            INSERT INTO indelible.deliveries (app, event_id, part, routed_at)
            SELECT 'shop', id, name, now() FROM indelible.events";
        world.database.execute(looking).await;
        route(&*world.store).await;
        assert_eq!(world.database.rows("deliveries").await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_message_that_comes_too_late_is_swept_away() {
    on_postgres(|world: World| async move {
        let worker = world.worker(HOUR).await;
        let [over, running] = [world.claimed(worker).await, world.claimed(worker).await];
        let end = only(over, 0, Then::End(End::Completed(json("1"))));
        world.flush(worker, &[end]).await.expect("it is ours");
        world.store.cancel_run(running, "enough").await.expect("it is there");
        let late = format!(
            "INSERT INTO indelible.inbox (run_id, id, kind, at, reason)
             VALUES ('{over}', gen_random_uuid(), 'cancel', now(), 'late'),
                    (gen_random_uuid(), gen_random_uuid(), 'cancel', now(), 'never')"
        );
        world.database.execute(&late).await;
        assert_eq!(woken(&world).await, 0);
        assert_eq!(world.database.rows("inbox").await, 1);
        assert_eq!(world.inbox(worker, running).await.len(), 1);
    })
    .await;
}

/// Each sweep goes on where the one before ended.
#[tokio::test]
async fn a_parked_run_behind_many_messages_is_roused() {
    on_postgres(|world: World| async move {
        let worker = world.worker(HOUR).await;
        let run = world.claimed(worker).await;
        world.store.cancel_run(run, "enough").await.expect("it is there");
        commit_and_die(&world, worker, &[only(run, 0, Then::Park(None))]).await;
        let many = "
            INSERT INTO indelible.runs (id, app, workflow, status, input, seed, rank, accepted_at, since)
            SELECT ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'shop', 'on-order',
                   'running', '{}', gen_random_uuid(), 0, now(), 0
            FROM generate_series(1, 2500) n;
            INSERT INTO indelible.inbox (run_id, id, kind, at, reason)
            SELECT id, id, 'cancel', now(), 'enough' FROM indelible.runs WHERE rank = 0";
        world.database.execute(many).await;
        let mut sweeps = 0;
        while world.status(run).await == RunStatus::Waiting {
            assert!(sweeps < 1000, "it is never roused");
            sweeps += 1;
            world.store.wake_due(10).await.expect("it wakes");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    })
    .await;
}
