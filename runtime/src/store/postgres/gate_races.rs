//! What happens when a run is cancelled at the moment in which an opener looks at it, and when two openers look.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection};

use super::database::Link;
use super::races::{transaction_beside, until_one_waits};
use super::{gates, inbox};
use crate::id::RunId;
use crate::store::conformance::{
    APP, HOUR, LIMIT, World, declare, ended, gate, ids, on_postgres, only, open, slots, start_all,
};
use crate::workflow::Hold;

async fn rouse_to_cancel(tx: &mut Link, run: RunId) {
    let _ = inbox::rouse(tx, &[run.as_uuid()], &[]).await.expect("the server answers");
}

/// Asks a run to cancel and tells nobody yet.
async fn ask_to_cancel(world: &World, run: RunId) {
    const ASK: &str = "
        INSERT INTO indelible.inbox (run_id, id, kind, at, reason)
        VALUES ($1, gen_random_uuid(), 'cancel', now(), 'enough')";
    let mut connection =
        PgConnection::connect(&world.database.url()).await.expect("the server answers");
    sqlx::query(ASK).bind(run.as_uuid()).execute(&mut connection).await.expect("it is told");
}

#[tokio::test]
async fn a_run_that_was_cancelled_before_an_opener_lets_it_through_is_claimed_once() {
    on_postgres(|world: World| async move {
        declare(&world, slots(1)).await;
        let worker = world.worker(HOUR).await;
        let runs = start_all(&world, 3, &[gate(LIMIT, "1", Hold::Run)]).await;
        open(&world).await;
        world.claim(worker, 10).await;
        world.store.cancel_run(runs[1], "enough").await.expect("it is told");
        open(&world).await;
        assert_eq!(ids(&world.claim(worker, 10).await), [runs[1]], "to end, without a slot");

        // The opener has seen it wait, and comes to this only now.
        let mut late = transaction_beside(&world).await;
        let passed = vec![runs[1].as_uuid()];
        sqlx::query(gates::PASS).bind(passed).execute(&mut late).await.expect("it answers");
        late.commit().await.expect("it commits");
        assert_eq!(world.database.rows("ready").await, 0, "it has passed nothing");
        assert_eq!(world.claim(worker, 10).await.len(), 0, "it is driven already");

        world.flush(worker, &[only(runs[1], 1, ended())]).await.expect("it ends");
        assert_eq!(open(&world).await, 0);
        world.flush(worker, &[only(runs[0], 1, ended())]).await.expect("it ends");
        assert_eq!(open(&world).await, 1);
        assert_eq!(ids(&world.claim(worker, 10).await), [runs[2]]);
    })
    .await;
}

#[tokio::test]
async fn a_run_that_is_cancelled_as_it_passes_is_not_forgotten() {
    on_postgres(|world: World| async move {
        declare(&world, slots(2)).await;
        let worker = world.worker(HOUR).await;
        let runs = start_all(&world, 2, &[gate(LIMIT, "1", Hold::Run)]).await;
        ask_to_cancel(&world, runs[1]).await;
        let mut tx = transaction_beside(&world).await;
        // It waits for nobody: the opener waits for it, and the two could wait for one another.
        let impatient = sqlx::raw_sql("SET LOCAL lock_timeout = '100ms'");
        impatient.execute(&mut tx).await.expect("the server answers");
        const LOCK: &str = "SELECT 1 FROM indelible.slots WHERE run_id = $1 FOR UPDATE";
        sqlx::query(LOCK).bind(runs[1].as_uuid()).execute(&mut tx).await.expect("it is free");
        let opening = tokio::spawn({
            let world = world.clone();
            async move { open(&world).await }
        });
        until_one_waits(&world).await;
        rouse_to_cancel(&mut tx, runs[1]).await;
        tx.commit().await.expect("it commits");
        opening.await.expect("it does not panic");

        open(&world).await;
        assert_eq!(ids(&world.claim(worker, 10).await), runs);
    })
    .await;
}

#[tokio::test]
async fn a_gate_is_looked_at_again_if_who_was_to_pass_is_cancelled() {
    on_postgres(|world: World| async move {
        declare(&world, slots(1)).await;
        let worker = world.worker(HOUR).await;
        let runs = start_all(&world, 3, &[gate(LIMIT, "1", Hold::Run)]).await;
        open(&world).await;
        world.claim(worker, 10).await;
        ask_to_cancel(&world, runs[1]).await;
        let mut tx = transaction_beside(&world).await;
        rouse_to_cancel(&mut tx, runs[1]).await;
        // The opener takes the opening for the second run, and finds it gone.
        world.flush(worker, &[only(runs[0], 1, ended())]).await.expect("it ends");
        let opening = tokio::spawn({
            let world = world.clone();
            async move { world.store.open_gates(APP).await }
        });
        until_one_waits(&world).await;
        tx.commit().await.expect("it commits");
        let _ = tokio::time::timeout(Duration::from_secs(5), opening).await.expect("it is free");

        open(&world).await;
        let claimed = ids(&world.claim(worker, 10).await);
        assert!(claimed.contains(&runs[2]), "the third run has the slot: {claimed:?}");
    })
    .await;
}

#[tokio::test]
async fn an_opener_sees_what_the_one_before_has_let_through() {
    on_postgres(|world: World| async move {
        declare(&world, slots(1)).await;
        let worker = world.worker(HOUR).await;
        let key = [gate(LIMIT, "1", Hold::Run)];
        let first = start_all(&world, 1, &key).await;
        let mut tx = transaction_beside(&world).await;
        let (passed, _) = gates::open_in_turn(&mut tx, APP).await.expect("it opens");
        assert_eq!(passed, 1);
        start_all(&world, 1, &key).await;
        let opening = tokio::spawn({
            let world = world.clone();
            async move { open(&world).await }
        });
        until_one_waits(&world).await;
        tx.commit().await.expect("it commits");
        assert_eq!(opening.await.expect("it does not panic"), 0);
        assert_eq!(ids(&world.claim(worker, 10).await), first);
    })
    .await;
}
