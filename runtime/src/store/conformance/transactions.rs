use std::time::Duration;

use uuid::Uuid;

use super::World;
use super::world::{HOUR, commit, done_with, only, step};
use crate::journal::{ErrorKind, Then};
use crate::step::Rollback;
use crate::store::{Concluded, RunStatus, StoreError};
use crate::transaction::Connection;

/// A table of the user's, and a constraint that is checked by the commit.
const TABLES: [&str; 2] = [
    "CREATE TABLE orders (id INTEGER PRIMARY KEY)",
    "CREATE TABLE payments (
        order_id INTEGER REFERENCES orders (id) DEFERRABLE INITIALLY DEFERRED
    )",
];
const PAY: &str = "INSERT INTO payments VALUES (7)";
const PLACE: &str = "INSERT INTO orders VALUES (7)";

async fn execute(connection: &mut Connection, sql: &'static str) {
    let done = match connection {
        Connection::Postgres(tx) => sqlx::query(sql).execute(&mut **tx).await.map(drop),
        Connection::Sqlite(tx, _) => sqlx::query(sql).execute(&mut **tx).await.map(drop),
    };
    done.expect("the statement is accepted");
}

async fn count(connection: &mut Connection) -> i64 {
    const COUNT: &str = "SELECT count(*) FROM payments";
    let count = match connection {
        Connection::Postgres(tx) => sqlx::query_scalar(COUNT).fetch_one(&mut **tx).await,
        Connection::Sqlite(tx, _) => sqlx::query_scalar(COUNT).fetch_one(&mut **tx).await,
    };
    count.expect("the table is there")
}

impl World {
    async fn begin(&self) -> Connection {
        self.store.begin_transaction().await.expect("a transaction can begin")
    }

    /// The user's tables.
    async fn set_up(&self) {
        let mut connection = self.begin().await;
        for table in TABLES {
            execute(&mut connection, table).await;
        }
        match connection {
            Connection::Postgres(tx) => tx.commit().await.expect("it commits"),
            Connection::Sqlite(tx, _) => tx.commit().await.expect("it commits"),
        }
    }

    /// A transaction in which an order was placed and paid.
    async fn paid(&self) -> Connection {
        let mut connection = self.begin().await;
        execute(&mut connection, PLACE).await;
        execute(&mut connection, PAY).await;
        connection
    }

    async fn payments(&self) -> i64 {
        count(&mut self.begin().await).await
    }
}

pub(super) async fn a_transaction_commits_with_its_outcome(world: World) {
    world.set_up().await;
    let worker = world.worker(HOUR).await;
    let run = world.claimed(worker).await;
    let open = world.paid().await;
    let pay = commit(run, 0, vec![done_with("pay", "[7]")], Then::Continue);
    let concluded = world.store.conclude_transaction(open, worker, Uuid::now_v7(), &pay).await;

    let Ok(Concluded::Committed(flushed)) = concluded else { panic!("{concluded:?}") };
    assert_eq!(flushed.evicted, []);
    assert_eq!(world.payments().await, 1);
    let journal = world.store.journal(run).await.expect("it answers");
    assert_eq!(journal.len(), 1);
    assert_eq!(journal[0].at, flushed.at);
    // The run goes on where it stands.
    world.flush(worker, &[step(run, 1, "ship")]).await.expect("it is ours");
}

pub(super) async fn a_transaction_that_is_dropped_leaves_nothing(world: World) {
    world.set_up().await;
    drop(world.paid().await);
    assert_eq!(world.payments().await, 0);
}

pub(super) async fn a_lost_lease_rolls_a_transaction_back(world: World) {
    world.set_up().await;
    let worker = world.worker(Duration::ZERO).await;
    let run = world.claimed(worker).await;
    assert_eq!(world.take_over().await.expect("it is over"), 1);
    let open = world.paid().await;
    let concluded =
        world.store.conclude_transaction(open, worker, Uuid::now_v7(), &step(run, 0, "pay")).await;

    assert!(matches!(concluded, Err(StoreError::LeaseLost)), "{concluded:?}");
    assert_eq!(world.payments().await, 0);
    assert_eq!(world.rows(run).await, 0);
}

pub(super) async fn an_evicted_runs_transaction_is_rolled_back(world: World) {
    world.set_up().await;
    let [worker, other] = [world.worker(HOUR).await, world.worker(HOUR).await];
    let run = world.claimed(worker).await;
    world.flush(worker, &[only(run, 0, Then::Release)]).await.expect("it is ours");
    assert_eq!(world.claim(other, 1).await.len(), 1);
    let open = world.paid().await;
    let concluded =
        world.store.conclude_transaction(open, worker, Uuid::now_v7(), &step(run, 0, "pay")).await;

    let Ok(Concluded::Committed(flushed)) = concluded else { panic!("{concluded:?}") };
    assert_eq!(flushed.evicted, [run]);
    assert_eq!(world.payments().await, 0);
    assert_eq!(world.rows(run).await, 0);
}

pub(super) async fn a_refused_outcome_rolls_its_transaction_back(world: World) {
    world.set_up().await;
    let worker = world.worker(HOUR).await;
    let run = world.claimed(worker).await;
    world.flush(worker, &[step(run, 0, "a")]).await.expect("it is ours");
    let open = world.paid().await;
    // That place in the journal is taken.
    let concluded =
        world.store.conclude_transaction(open, worker, Uuid::now_v7(), &step(run, 0, "pay")).await;

    assert!(matches!(concluded, Err(StoreError::Refused(_))), "{concluded:?}");
    assert_eq!(world.payments().await, 0);
}

pub(super) async fn a_deferred_constraint_is_the_transactions_fault(world: World) {
    world.set_up().await;
    let worker = world.worker(HOUR).await;
    let run = world.claimed(worker).await;
    let mut open = world.begin().await;
    // There is no such order.
    execute(&mut open, PAY).await;
    let concluded =
        world.store.conclude_transaction(open, worker, Uuid::now_v7(), &step(run, 0, "pay")).await;

    let Ok(Concluded::RolledBack(Rollback::Deserved(error))) = concluded else {
        panic!("{concluded:?}")
    };
    assert!(error.to_string().to_lowercase().contains("foreign key"), "{error}");
    assert_eq!(world.rows(run).await, 0);
    assert_eq!(world.status(run).await, RunStatus::Running);
}

pub(super) async fn a_transaction_that_ended_within_its_closure_is_recognised(world: World) {
    world.set_up().await;
    let worker = world.worker(HOUR).await;
    let run = world.claimed(worker).await;
    for again in [false, true] {
        let mut open = world.begin().await;
        execute(&mut open, "ROLLBACK").await;
        if again {
            execute(&mut open, "BEGIN").await;
        }
        let concluded = world
            .store
            .conclude_transaction(open, worker, Uuid::now_v7(), &step(run, 0, "pay"))
            .await;
        let Ok(Concluded::RolledBack(Rollback::Deserved(error))) = concluded else {
            panic!("{concluded:?}")
        };
        assert_eq!(error.kind, ErrorKind::Permanent);
        assert!(error.message.contains("within its closure"), "{error}");
    }
    assert_eq!(world.rows(run).await, 0);
}

pub(super) async fn a_transactions_end_is_known_by_its_commit_id(world: World) {
    world.set_up().await;
    let worker = world.worker(HOUR).await;
    let run = world.claimed(worker).await;
    let (sent, pay) = (Uuid::now_v7(), step(run, 0, "pay"));
    let before = world.store.concluded_transaction(sent, &pay).await.expect("it answers");
    assert!(before.is_none(), "{before:?}");

    let open = world.paid().await;
    let concluded = world.store.conclude_transaction(open, worker, sent, &pay).await;
    let Ok(Concluded::Committed(flushed)) = concluded else { panic!("{concluded:?}") };
    let after = world.store.concluded_transaction(sent, &pay).await.expect("it answers");
    assert_eq!(after.expect("it was committed").at, flushed.at);
    let other = world.store.concluded_transaction(Uuid::now_v7(), &pay).await.expect("it answers");
    assert!(other.is_none(), "{other:?}");
}
