//! What happens when two transactions meet, each stopped at the moment that matters.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection, PgPool};
use tokio::time::timeout;
use uuid::Uuid;

use super::database::{Link, Reach};
use super::{flush, gates, inbox, leases, operators, pool, transaction};
use crate::flow::NewRun;
use crate::journal::{Change, End, Entry, ErrorKind, ErrorRecord, RunCommit, RunId, Then};
use crate::step::Rollback;
use crate::store::conformance::{
    APP, HOUR, ORDER, PAID, PLACED, POOLER, World, claim, commit, counted, done, ids, json,
    on_pooled, on_postgres, only, step, uncancelled, wait,
};
use crate::store::{Concluded, Fork, Refusal, RunStatus, StoreError};
use crate::transaction::Connection;
use crate::workflow::{Gate, Hold};

/// Nothing that must not wait takes this long; what waits in vain, waits longer.
const AT_ONCE: Duration = Duration::from_secs(5);

async fn connection(world: &World) -> PgConnection {
    PgConnection::connect(&world.database.url()).await.expect("the server answers")
}

/// The workers that are known to be gone.
const NONE: &[Uuid] = &[];

/// A transaction of another process.
async fn transaction_beside(world: &World) -> Link {
    let pool = PgPool::connect(&world.database.url()).await.expect("the server answers");
    Link::Transaction(pool.begin().await.expect("it begins"), Reach::Session)
}

/// Until some statement waits for a lock of another.
async fn until_one_waits(world: &World) {
    const WAITING: &str = "
        SELECT EXISTS (
            SELECT 1 FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'
        )";
    let mut observer = connection(world).await;
    let waits = async {
        while !sqlx::query_scalar::<_, bool>(WAITING)
            .fetch_one(&mut observer)
            .await
            .expect("it answers")
        {
            tokio::task::yield_now().await;
        }
    };
    timeout(AT_ONCE, waits).await.expect("it comes to wait");
}

#[tokio::test]
async fn a_flush_under_way_is_not_taken_over() {
    on_postgres(|world: World| async move {
        let worker = world.worker(Duration::ZERO).await;
        let run = world.claimed(worker).await;
        let mut tx = transaction_beside(&world).await;
        let _ =
            flush::send(&mut tx, worker, Uuid::now_v7(), &[step(run, 0, "a")]).await.expect("ours");

        let taken = timeout(AT_ONCE, world.take_over()).await.expect("it does not wait");
        assert_eq!(taken.expect("it passes by"), 0);
        tx.commit().await.expect("it is still ours");

        assert_eq!(world.take_over().await.expect("now it is free"), 1);
        let next = world.worker(HOUR).await;
        let claimed = world.claim(next, 1).await;
        assert_eq!(ids(&claimed), [run]);
        assert_eq!(claimed[0].origin.journal.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_flush_that_comes_during_a_take_over_is_refused() {
    on_postgres(|world: World| async move {
        let worker = world.worker(Duration::ZERO).await;
        let run = world.claimed(worker).await;
        let mut tx = transaction_beside(&world).await;
        let gone: Vec<(Uuid, String)> =
            sqlx::query_as(leases::EXPIRE).bind(NONE).fetch_all(&mut tx).await.expect("it is over");
        assert_eq!(gone, [(worker.as_uuid(), APP.to_owned())]);

        let late = tokio::spawn({
            let world = world.clone();
            async move { world.flush(worker, &[step(run, 0, "a")]).await }
        });
        until_one_waits(&world).await;
        let (released, _) = leases::inherit(&mut tx, gone, &counted).await.expect("it answers");
        assert_eq!(released, 1);
        tx.commit().await.expect("it is taken over");

        let late = late.await.expect("it does not panic");
        assert!(matches!(late, Err(StoreError::LeaseLost)), "{late:?}");
        assert_eq!(world.lines(run).await, 0);
        assert_eq!(world.status(run).await, RunStatus::Queued);
    })
    .await;
}

#[tokio::test]
async fn a_claim_that_comes_during_a_take_over_is_refused() {
    on_postgres(|world: World| async move {
        let worker = world.worker(Duration::ZERO).await;
        let run = world.start(1).await[0];
        let mut tx = transaction_beside(&world).await;
        sqlx::query(leases::EXPIRE).bind(NONE).execute(&mut tx).await.expect("it is over");

        let late = tokio::spawn({
            let world = world.clone();
            async move { claim(&*world.store, worker, 1).await.map(|runs| runs.len()) }
        });
        until_one_waits(&world).await;
        tx.commit().await.expect("it is taken over");
        let late = late.await.expect("it does not panic");
        assert!(matches!(late, Err(StoreError::LeaseLost)), "{late:?}");
        assert_eq!(world.status(run).await, RunStatus::Queued);
    })
    .await;
}

#[tokio::test]
async fn renewing_does_not_wait_for_a_flush() {
    on_postgres(|world: World| async move {
        let worker = world.worker(HOUR).await;
        let run = world.claimed(worker).await;
        let mut tx = transaction_beside(&world).await;
        let _ =
            flush::send(&mut tx, worker, Uuid::now_v7(), &[step(run, 0, "a")]).await.expect("ours");
        let renewed = timeout(AT_ONCE, world.store.renewals().renew(worker, HOUR)).await;
        renewed.expect("it does not wait").expect("it is alive");
        tx.commit().await.expect("it is still ours");
    })
    .await;
}

#[tokio::test]
async fn claims_do_not_wait_for_one_another() {
    on_postgres(|world: World| async move {
        let started = world.start(2).await;
        let mut tx = transaction_beside(&world).await;
        sqlx::query("SELECT 1 FROM indelible.ready WHERE run_id = $1 FOR UPDATE")
            .bind(started[0].as_uuid())
            .execute(&mut tx)
            .await
            .expect("it is there");
        let worker = world.worker(HOUR).await;
        let claimed = timeout(AT_ONCE, world.claim(worker, 10)).await.expect("it does not wait");
        assert_eq!(ids(&claimed), started[1..]);
        tx.commit().await.expect("it was only looked at");
        assert_eq!(ids(&world.claim(worker, 10).await), started[..1]);
    })
    .await;
}

/// The same flush, sent again while its first sending is still under way somewhere.
#[tokio::test]
async fn a_resend_waits_for_the_first_and_finds_it_landed() {
    on_postgres(|world: World| async move {
        let worker = world.worker(HOUR).await;
        let run = world.claimed(worker).await;
        let commit = Uuid::now_v7();
        let mut tx = transaction_beside(&world).await;
        let batch = [step(run, 0, "a")];
        let first = flush::send(&mut tx, worker, commit, &batch).await;
        let first = first.expect("it is ours").0.flushed;

        let landed = world.store.landed_commits(commit, &[step(run, 0, "a")]).await;
        assert!(landed.expect("it answers").is_none(), "it is not committed yet");
        let resend = tokio::spawn({
            let world = world.clone();
            async move { world.store.flush_commits(worker, commit, &[step(run, 0, "a")]).await }
        });
        until_one_waits(&world).await;
        tx.commit().await.expect("the first arrives after all");
        let resend = resend.await.expect("it does not panic").expect("it has landed");
        assert_eq!(resend.at, first.at);
        assert_eq!(resend.evicted, []);
        assert_eq!(world.lines(run).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_refused_line_leaves_nothing_written() {
    on_postgres(|world: World| async move {
        let worker = world.worker(HOUR).await;
        let [good, bad] = [world.claimed(worker).await, world.claimed(worker).await];
        // Postgres has no NUL in text.
        let refused = commit(bad, 0, vec![done("a"), done("b\0")], Then::Continue);
        let batch = [step(good, 0, "a"), refused];
        let flushed = world.flush(worker, &batch).await;
        assert!(matches!(flushed, Err(StoreError::Refused(_))), "{flushed:?}");
        assert_eq!((world.lines(good).await, world.lines(bad).await), (0, 0));
        world.flush(worker, &batch[..1]).await.expect("this one is good");
        world.flush(worker, &[only(bad, 0, Then::Release)]).await.expect("it is still ours");
    })
    .await;
}

/// A server that is gone for a moment is no reason to give up.
#[tokio::test]
async fn a_cut_connection_is_a_passing_trouble() {
    const CUT: &str = "
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    on_postgres(|world: World| async move {
        let worker = world.worker(HOUR).await;
        let run = world.claimed(worker).await;
        let mut connection = connection(&world).await;
        sqlx::query(CUT).execute(&mut connection).await.expect("it cuts");
        let mut trouble = 0;
        loop {
            match world.flush(worker, &[step(run, 0, "a")]).await {
                Ok(flushed) => {
                    assert_eq!(flushed.evicted, []);
                    break;
                }
                Err(StoreError::Unavailable(_)) => trouble += 1,
                Err(other) => panic!("{other:?}"),
            }
            assert!(trouble < 20, "it does not come back");
        }
        assert!(world.store.run(RunId::new()).await.expect("it answers").is_none());
    })
    .await;
}

/// Begins a transaction on a connection that can be looked into.
async fn begun(world: &World) -> sqlx::Transaction<'static, sqlx::Postgres> {
    let Some(tx) = world.store.begin_transaction().await.expect("it begins").into_postgres() else {
        panic!("not in Postgres")
    };
    tx
}

#[tokio::test]
async fn a_transaction_in_the_way_of_another_is_told_so() {
    on_postgres(|world: World| async move {
        let worker = world.worker(HOUR).await;
        let runs = [world.claimed(worker).await, world.claimed(worker).await];
        sqlx::raw_sql("CREATE TABLE stock (left_over INTEGER); INSERT INTO stock VALUES (1)")
            .execute(&mut connection(&world).await)
            .await
            .expect("a table");
        let mut open = [begun(&world).await, begun(&world).await];
        // Each takes the last one.
        for tx in &mut open {
            sqlx::query("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
                .execute(&mut **tx)
                .await
                .expect("no statement has come before");
            let left: i64 = sqlx::query_scalar("SELECT sum(left_over) FROM stock")
                .fetch_one(&mut **tx)
                .await
                .expect("it answers");
            assert_eq!(left, 1);
        }
        for tx in &mut open {
            sqlx::query("INSERT INTO stock VALUES (-1)").execute(&mut **tx).await.expect("it may");
        }
        let [first, second] = open;
        let conclude = |tx, run: RunId| {
            let open = Connection::Postgres(tx);
            let commit = step(run, 0, "take");
            let store = world.store.clone();
            async move { store.conclude_transaction(open, worker, Uuid::now_v7(), &commit).await }
        };
        let concluded = conclude(first, runs[0]).await;
        assert!(matches!(concluded, Ok(Concluded::Committed(_))), "{concluded:?}");
        let concluded = conclude(second, runs[1]).await;
        assert!(
            matches!(concluded, Ok(Concluded::RolledBack(Rollback::Undeserved(_)))),
            "{concluded:?}"
        );
        assert_eq!(world.lines(runs[1]).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_statement_that_failed_unnoticed_is_the_transactions_fault() {
    on_postgres(|world: World| async move {
        let worker = world.worker(HOUR).await;
        let run = world.claimed(worker).await;
        let mut tx = begun(&world).await;
        let _ = sqlx::query("SELECT 1 / 0").execute(&mut *tx).await;
        let commit = step(run, 0, "pay");
        let open = Connection::Postgres(tx);
        let concluded =
            world.store.conclude_transaction(open, worker, Uuid::now_v7(), &commit).await;
        let Ok(Concluded::RolledBack(Rollback::Deserved(error))) = concluded else {
            panic!("{concluded:?}")
        };
        assert!(error.message.contains("its error was passed over"), "{error}");
    })
    .await;
}

#[tokio::test]
async fn a_lost_transaction_is_waited_for_until_it_is_over() {
    on_postgres(|world: World| async move {
        let worker = world.worker(HOUR).await;
        let run = world.claimed(worker).await;
        let (sent, pay) = (Uuid::now_v7(), step(run, 0, "pay"));
        let mut tx = Link::Transaction(begun(&world).await, Reach::Session);
        transaction::write(&mut tx, worker, sent, &pay).await.expect("it is ours");

        let concluded = tokio::spawn({
            let (store, pay) = (world.store.clone(), pay.clone());
            async move { store.concluded_transaction(sent, &pay).await }
        });
        until_one_waits(&world).await;
        assert!(!concluded.is_finished());
        tx.commit().await.expect("it commits after all");
        let concluded = concluded.await.expect("it does not panic").expect("it answers");
        assert!(concluded.is_some(), "the commit was not waited for");
    })
    .await;
}

#[tokio::test]
async fn a_transaction_whose_connection_breaks_is_not_committed() {
    on_postgres(|world: World| async move {
        let worker = world.worker(HOUR).await;
        let run = world.claimed(worker).await;
        let mut tx = begun(&world).await;
        let backend: i32 =
            sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut *tx).await.expect("one");
        sqlx::query("SELECT pg_terminate_backend($1)")
            .bind(backend)
            .execute(&mut connection(&world).await)
            .await
            .expect("it is told");
        let commit = step(run, 0, "pay");
        let open = Connection::Postgres(tx);
        let concluded =
            world.store.conclude_transaction(open, worker, Uuid::now_v7(), &commit).await;
        assert!(
            matches!(concluded, Ok(Concluded::RolledBack(Rollback::Undeserved(_)))),
            "{concluded:?}"
        );
    })
    .await;
}

/// The commit of a step that has failed, and of its run with it.
fn failing(run: RunId, first_seq: u32) -> RunCommit {
    let mut error = ErrorRecord::new(ErrorKind::Error, "no");
    let change = Change::Fail { attempt: 1, of: 1, error: error.clone(), cancelled: None };
    let entry = Entry { change, ..done("b") };
    error.step = Some("b".into());
    commit(run, first_seq, vec![entry], Then::End(End::Failed(error)))
}

#[tokio::test]
async fn a_retry_that_comes_during_the_commit_of_the_failure_waits_for_it() {
    on_postgres(|world: World| async move {
        let worker = world.worker(HOUR).await;
        let run = world.claimed(worker).await;
        world.flush(worker, &[step(run, 0, "a")]).await.expect("ours");
        let mut tx = transaction_beside(&world).await;
        let _ =
            flush::send(&mut tx, worker, Uuid::now_v7(), &[failing(run, 1)]).await.expect("ours");

        let retried = tokio::spawn({
            let store = world.store.clone();
            async move { store.retry_runs(&[run], &uncancelled).await }
        });
        until_one_waits(&world).await;
        tx.commit().await.expect("it fails");
        let retried = retried.await.expect("it does not panic").expect("it answers");
        assert_eq!(retried, [Ok(())]);
        let claimed = world.claim(worker, 10).await;
        assert_eq!(ids(&claimed), [run]);
        assert_eq!(claimed[0].origin.journal.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_run_that_is_retried_during_a_take_over_is_ready_once() {
    on_postgres(|world: World| async move {
        let worker = world.worker(Duration::ZERO).await;
        let run = world.claimed(worker).await;
        world.flush(worker, &[failing(run, 0)]).await.expect("nobody has taken over yet");
        let mut tx = transaction_beside(&world).await;
        let gone =
            sqlx::query_as(leases::EXPIRE).bind(NONE).fetch_all(&mut tx).await.expect("it is over");

        let retried = timeout(AT_ONCE, world.store.retry_runs(&[run], &uncancelled))
            .await
            .expect("it does not wait");
        assert_eq!(retried.expect("it answers"), [Ok(())]);
        assert_eq!(leases::inherit(&mut tx, gone, &counted).await.expect("it answers").0, 0);
        tx.commit().await.expect("it is taken over");
        let next = world.worker(HOUR).await;
        assert_eq!(ids(&world.claim(next, 10).await), [run]);
        assert_eq!(world.database.rows("ready").await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_claim_does_not_wait_for_a_pause_and_the_next_one_keeps_it() {
    on_postgres(|world: World| async move {
        let worker = world.worker(HOUR).await;
        let runs = world.start(2).await;
        let mut tx = transaction_beside(&world).await;
        sqlx::query(operators::PAUSE)
            .bind(APP)
            .bind(ORDER)
            .execute(&mut tx)
            .await
            .expect("it is new");

        let claimed = timeout(AT_ONCE, world.claim(worker, 1)).await.expect("it does not wait");
        assert_eq!(ids(&claimed), runs[..1]);
        tx.commit().await.expect("it is paused");
        assert!(world.claim(worker, 10).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_cancellation_that_comes_during_the_last_commit_comes_to_nothing() {
    on_postgres(|world: World| async move {
        let worker = world.worker(HOUR).await;
        let run = world.claimed(worker).await;
        let mut tx = transaction_beside(&world).await;
        let last = only(run, 0, Then::End(End::Completed(json("1"))));
        let _ = flush::send(&mut tx, worker, Uuid::now_v7(), &[last]).await.expect("ours");

        let asked = timeout(AT_ONCE, world.store.cancel_run(run, "enough")).await;
        asked.expect("it does not wait").expect("it answers");
        tx.commit().await.expect("it completes");
        assert_eq!(world.status(run).await, RunStatus::Completed);
        world.store.wake_due(10).await.expect("it answers");
        assert_eq!(world.database.rows("inbox").await, 0, "it is swept away");
        assert!(world.claim(worker, 10).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_fork_does_not_wait_for_a_commit_of_its_source() {
    on_postgres(|world: World| async move {
        let worker = world.worker(HOUR).await;
        let run = world.claimed(worker).await;
        world.flush(worker, &[step(run, 0, "a")]).await.expect("ours");
        let mut tx = transaction_beside(&world).await;
        let next = [commit(run, 1, vec![done("b")], Then::Continue)];
        let _ = flush::send(&mut tx, worker, Uuid::now_v7(), &next).await.expect("ours");

        let fork = |state: &str| Fork { source: run, id: RunId::new(), state: state.to_owned() };
        let early = timeout(AT_ONCE, world.store.fork_run(&fork("b"), &uncancelled))
            .await
            .expect("it does not wait");
        let states = vec!["a".to_owned()];
        assert_eq!(early.expect("it answers"), Err(Refusal::NoSuchState(states)));
        tx.commit().await.expect("it goes on");
        let late = fork("b");
        assert_eq!(world.store.fork_run(&late, &uncancelled).await.expect("it answers"), Ok(()));
        assert_eq!(world.lines(late.id).await, 1);
    })
    .await;
}

/// Its connection would keep to itself what others write on it.
#[tokio::test]
async fn a_transaction_whose_beginner_goes_away_is_over() {
    on_postgres(|world: World| async move {
        let pool = PgPool::connect(&world.database.url()).await.expect("it can be connected to");
        for nth in 0..200 {
            let moment = Duration::from_micros(nth * 10);
            // Whatever has become of it by then.
            let _ = timeout(moment, pool::begin(&pool, "BEGIN")).await;
        }
        let open = "SELECT EXISTS (
            SELECT 1 FROM pg_stat_activity
            WHERE datname = current_database() AND state LIKE 'idle in transaction%'
        )";
        let over = async {
            let mut observer = connection(&world).await;
            while sqlx::query_scalar::<_, bool>(open)
                .fetch_one(&mut observer)
                .await
                .expect("it answers")
            {
                tokio::task::yield_now().await;
            }
        };
        timeout(AT_ONCE, over).await.expect("a transaction stays open");
        pool.close().await;
    })
    .await;
}

/// The first change of each table is given up: the server does so when others are in the way.
const CONFLICTS: &str = "
    CREATE FUNCTION public.give_up() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF nextval(format('public.changes_%s', TG_RELID)) = 1 THEN
            RAISE EXCEPTION 'others are in the way'
                USING ERRCODE = (ARRAY['40001', '40P01'])[1 + TG_RELID::bigint % 2];
        END IF;
        RETURN NULL;
    END $$;
    DO $$
    DECLARE
        changed regclass;
    BEGIN
        FOR changed IN SELECT oid FROM pg_class
            WHERE relnamespace = 'indelible'::regnamespace AND relkind = 'r' AND relname <> 'schema'
        LOOP
            EXECUTE format('CREATE SEQUENCE public.changes_%s', changed::oid);
            EXECUTE format('CREATE TRIGGER gives_up AFTER INSERT OR UPDATE OR DELETE ON %s
                FOR EACH STATEMENT EXECUTE FUNCTION public.give_up()', changed);
        END LOOP;
    END $$";

#[tokio::test]
async fn conflicts_are_tried_again_and_are_no_outage() {
    on_postgres(|world: World| async move {
        world.database.execute(CONFLICTS).await;
        world.subscribe(APP, &[PLACED, PAID]).await;
        let worker = world.worker(HOUR).await;
        world.store.renewals().renew(worker, HOUR).await.expect("it is renewed");
        let event = world.send(PAID, 7).await;
        assert_ne!(event, world.send(PAID, 8).await);
        let [run, other] = [world.claimed(worker).await, world.claimed(worker).await];
        let waits = commit(run, 0, vec![wait("paid", 9)], Then::Park(None));
        world.flush(worker, &[waits]).await.expect("it is committed");
        world.send(PAID, 9).await;
        world.store.wake_due(10).await.expect("it wakes");
        let batch = only(other, 0, Then::End(End::Completed(json("1"))));
        world.flush(worker, &[batch]).await.expect("it is committed");
        assert!(world.store.pause_workflow(APP, ORDER).await.expect("it pauses"));
        assert!(world.store.resume_workflow(APP, ORDER).await.expect("it resumes"));
        assert!(world.store.cancel_run(run, "enough").await.expect("it is asked"));
        world.store.end_lease(worker).await.expect("it leaves");
        world.worker(Duration::ZERO).await;
        world.take_over().await.expect("it is taken over");
        let worker = world.worker(HOUR).await;
        let claimed = world.claim(worker, 10).await;
        assert_eq!(ids(&claimed), [run]);
    })
    .await;
}

#[tokio::test]
async fn a_conflict_without_end_is_called_one() {
    on_postgres(|world: World| async move {
        let always = "
            CREATE FUNCTION public.give_up() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION 'others are in the way' USING ERRCODE = '40001'; END $$;
            CREATE TRIGGER gives_up AFTER INSERT ON indelible.runs
                FOR EACH STATEMENT EXECUTE FUNCTION public.give_up()";
        world.database.execute(always).await;
        let run = crate::flow::NewRun::new(ORDER, None, json("{}"));
        let error = world.store.start_runs(APP, &[run]).await.expect_err("it cannot start");
        assert!(matches!(error, StoreError::Conflict(_)), "{error:?}");
        assert!(error.to_string().contains("other transactions were in its way"), "{error}");
    })
    .await;
}

/// A pooler gives this program's transactions sessions in which others have prepared statements, under
/// the same names.
#[tokio::test]
async fn statements_that_others_have_prepared_are_not_stumbled_over() {
    on_pooled(POOLER, |world: World| async move {
        for number in 0..3 {
            let other = world.another().await;
            let Connection::Postgres(mut tx) = other.begin_transaction().await.expect("it begins")
            else {
                panic!("not in Postgres")
            };
            let serializable = "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE";
            sqlx::query(serializable).execute(&mut *tx).await.expect("nothing has come before");
            let same: i32 = sqlx::query_scalar("SELECT $1::integer")
                .bind(number)
                .fetch_one(&mut *tx)
                .await
                .expect("its name is free");
            assert_eq!(same, number);
            drop(tx);
            other.close().await;
        }
    })
    .await;
}

/// A run that has a gate, and has not asked there yet.
async fn gated(world: &World) -> RunId {
    let (limit, key) = ("on-order/concurrency".to_owned(), "1".to_owned());
    let gates = vec![Gate { limit, key, rule: "event.user", hold: Hold::Active }];
    let run = NewRun { gates, ..NewRun::new(ORDER, None, json("{}")) };
    let id = run.id;
    world.store.start_runs(APP, &[run]).await.expect("it starts");
    id
}

#[tokio::test]
async fn a_run_that_is_sent_to_its_gate_during_its_cancellation_is_claimed() {
    on_postgres(|world: World| async move {
        let worker = world.worker(HOUR).await;
        let run = gated(&world).await;
        let told = format!(
            "INSERT INTO indelible.inbox (run_id, id, kind, at, reason)
             VALUES ('{run}', gen_random_uuid(), 'cancel', now(), 'enough')"
        );
        world.database.execute(&told).await;
        let mut tx = transaction_beside(&world).await;
        let _ = inbox::rouse(&mut tx, &[run.as_uuid()], &[]).await.expect("it answers");

        let opened = timeout(AT_ONCE, world.store.open_gates(APP)).await.expect("it passes by");
        opened.expect("the store answers");
        tx.commit().await.expect("it is roused");
        let claimed = world.claim(worker, 1).await;
        assert_eq!(ids(&claimed), [run]);
        assert_eq!(claimed[0].inbox.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_run_that_is_cancelled_while_it_is_sent_to_its_gate_is_claimed() {
    on_postgres(|world: World| async move {
        let worker = world.worker(HOUR).await;
        let run = gated(&world).await;
        let mut tx = transaction_beside(&world).await;
        let ask = sqlx::query(gates::ASK).bind(APP).bind(10_i64);
        assert_eq!(ask.fetch_all(&mut tx).await.expect("it answers").len(), 1);

        let cancelled = tokio::spawn({
            let world = world.clone();
            async move { world.store.cancel_run(run, "enough").await }
        });
        until_one_waits(&world).await;
        tx.commit().await.expect("it waits at its gate");
        cancelled.await.expect("it does not panic").expect("it is there");
        let claimed = world.claim(worker, 1).await;
        assert_eq!(ids(&claimed), [run]);
        assert_eq!(claimed[0].inbox.len(), 1);
    })
    .await;
}
