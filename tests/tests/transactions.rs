//! Steps that commit with the user's own statements, driven by a worker on both databases.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use indelible::prelude::*;
use indelible::{Error, Tx};
use indelible_tests::databases::Fresh;
use indelible_tests::on_both_databases;
use sqlx::{PgPool, SqlitePool};

on_both_databases!(
    money_is_neither_made_nor_lost,
    what_a_failed_attempt_did_is_rolled_back,
    what_the_commit_refuses_is_a_failed_attempt,
    a_branch_beside_a_transaction_goes_on,
    a_transaction_is_undone_by_another_statement,
);

const TABLES: &str = "
    CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL);
    CREATE TABLE transfers (
        cents INTEGER NOT NULL,
        account INTEGER NOT NULL REFERENCES accounts (id) DEFERRABLE INITIALLY DEFERRED
    );
    INSERT INTO accounts VALUES (0, 1000), (1, 1000), (2, 1000), (3, 1000);";

/// The user's tables, in the database that keeps the runs.
#[derive(Clone)]
enum Bank {
    Postgres(PgPool),
    Sqlite(SqlitePool),
}

/// Runs the same statements on whichever it is.
macro_rules! on {
    ($bank:expr, $connection:ident = $tx:expr => $statements:expr) => {
        match $bank {
            Bank::Postgres(_) => {
                let $connection = $tx.postgres()?;
                $statements
            }
            Bank::Sqlite(_) => {
                let $connection = $tx.sqlite()?;
                $statements
            }
        }
    };
}

impl Bank {
    async fn open(url: &str) -> Self {
        if url.starts_with("sqlite:") {
            let pool = SqlitePool::connect(url).await.expect("the runs' file");
            sqlx::raw_sql(TABLES).execute(&pool).await.expect("the tables");
            Self::Sqlite(pool)
        } else {
            let pool = PgPool::connect(url).await.expect("the runs' database");
            sqlx::raw_sql(TABLES).execute(&pool).await.expect("the tables");
            Self::Postgres(pool)
        }
    }

    /// What its accounts hold, and how many transfers there were.
    async fn books(&self) -> (Vec<i32>, i64) {
        const BALANCES: &str = "SELECT balance FROM accounts ORDER BY id";
        const TRANSFERS: &str = "SELECT count(*) FROM transfers";
        let books = match self {
            Self::Postgres(pool) => (
                sqlx::query_scalar(BALANCES).fetch_all(pool).await,
                sqlx::query_scalar(TRANSFERS).fetch_one(pool).await,
            ),
            Self::Sqlite(pool) => (
                sqlx::query_scalar(BALANCES).fetch_all(pool).await,
                sqlx::query_scalar(TRANSFERS).fetch_one(pool).await,
            ),
        };
        (books.0.expect("the accounts"), books.1.expect("the transfers"))
    }

    async fn transfer(&self, tx: &mut Tx, order: &Transfer) -> Result<i32, Failure> {
        on!(self, connection = tx => {
            let balance: i32 = sqlx::query_scalar("SELECT balance FROM accounts WHERE id = $1")
                .bind(order.from)
                .fetch_one(&mut *connection)
                .await?;
            // It rests on what was read: another transfer in between would make or lose money.
            let left = balance - order.cents;
            sqlx::query("UPDATE accounts SET balance = $1 WHERE id = $2")
                .bind(left)
                .bind(order.from)
                .execute(&mut *connection)
                .await?;
            sqlx::query("UPDATE accounts SET balance = balance + $1 WHERE id = $2")
                .bind(order.cents)
                .bind(order.to)
                .execute(&mut *connection)
                .await?;
            sqlx::query("INSERT INTO transfers VALUES ($1, $2)")
                .bind(order.cents)
                .bind(order.to)
                .execute(connection)
                .await?;
            Ok(left)
        })
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
struct Transfer {
    from: i32,
    to: i32,
    cents: i32,
}

#[derive(Default)]
struct Attempts(AtomicU32);

/// Moves money from one account to another.
#[workflow(input, retries = 20, backoff(initial = "5ms", max = "50ms"))]
async fn transfer(
    order: Transfer,
    step: Step,
    Resource(bank): Resource<Bank>,
) -> Result<i32, Failure> {
    let left = step
        .transaction("transfer", async |tx| {
            if let Bank::Postgres(_) = *bank {
                let level = sqlx::query("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE");
                level.execute(tx.postgres()?).await?;
            }
            bank.transfer(&mut tx, &order).await
        })
        .await?;
    Ok(left)
}

/// Moves money, and fails the first time after it has.
#[workflow(input, retries = 1, backoff(initial = "5ms", max = "5ms"))]
async fn stumble(
    order: Transfer,
    step: Step,
    Resource(bank): Resource<Bank>,
    Resource(attempts): Resource<Attempts>,
) -> Result<(), Failure> {
    step.transaction("transfer", async |tx| {
        bank.transfer(&mut tx, &order).await?;
        match attempts.0.fetch_add(1, Ordering::SeqCst) {
            0 => Err(Failure::msg("the line was cut")),
            _ => Ok(()),
        }
    })
    .await?;
    Ok(())
}

/// Moves money to nobody.
#[workflow(input, retries = 1, backoff(initial = "5ms", max = "5ms"))]
async fn give_away(cents: i32, step: Step, Resource(bank): Resource<Bank>) -> Result<i32, Failure> {
    let order = Transfer { from: 0, to: 99, cents };
    Ok(step.transaction("transfer", async |tx| bank.transfer(&mut tx, &order).await).await?)
}

/// Takes a transfer back.
async fn take_back(order: Transfer, Resource(bank): Resource<Bank>) -> Result<(), Failure> {
    const BACK: &str = "UPDATE accounts SET balance = balance + $1 WHERE id = $2";
    for (account, cents) in [(order.from, order.cents), (order.to, -order.cents)] {
        match &*bank {
            Bank::Postgres(pool) => {
                sqlx::query(BACK).bind(cents).bind(account).execute(pool).await?;
            }
            Bank::Sqlite(pool) => {
                sqlx::query(BACK).bind(cents).bind(account).execute(pool).await?;
            }
        }
    }
    Ok(())
}

/// Moves money, and fails; of two transfers the second is not made.
#[workflow(input, retries = 0)]
async fn regret(
    order: Transfer,
    step: Step,
    Resource(bank): Resource<Bank>,
) -> Result<(), Failure> {
    step.transaction("first", async |tx| {
        bank.transfer(&mut tx, &order).await?;
        Ok::<_, Failure>(order.clone())
    })
    .undo(take_back)
    .await?;
    step.transaction("second", async |tx| {
        bank.transfer(&mut tx, &order).await?;
        Err::<Transfer, _>(Failure::msg("no more of it"))
    })
    .undo(take_back)
    .await?;
    Ok(())
}

/// Moves money while a clock ticks.
#[workflow(input)]
async fn tick_along(
    order: Transfer,
    step: Step,
    Resource(bank): Resource<Bank>,
) -> Result<i32, Failure> {
    let (left, _, again) = join!(
        step.transaction("transfer", async |tx| bank.transfer(&mut tx, &order).await),
        async {
            for tick in 0..5 {
                step.run("tick", async { Ok::<_, Failure>(tick) }).await?;
                step.sleep("pause", "5ms").await;
            }
            Ok::<_, Failure>(())
        },
        step.transaction("transfer-again", async |tx| bank.transfer(&mut tx, &order).await),
    );
    Ok(left?.min(again?))
}

indelible::app! {
    Transfers = "transfers";
    events: [],
    workflows: [transfer, stumble, give_away, tick_along, regret],
}

async fn open(database: &Fresh) -> (Runtime, Bank) {
    // It brings the file into the state in which the bank can use it too.
    let builder = Runtime::builder(Transfers).database(database.url());
    drop(builder.connect().await.expect("the database"));
    let bank = Bank::open(&database.url()).await;
    let runtime = Runtime::builder(Transfers)
        .database(database.url())
        .resource(bank.clone())
        .resource(Attempts::default())
        .start()
        .await
        .expect("it starts");
    (runtime, bank)
}

async fn money_is_neither_made_nor_lost(database: Fresh) {
    const TRANSFERS: i32 = 60;
    let (runtime, bank) = open(&database).await;
    let mut runs = Vec::new();
    for n in 0..TRANSFERS {
        let order = Transfer { from: n % 4, to: (n + 1) % 4, cents: n };
        runs.push(runtime.start(transfer, order).await.expect("it starts"));
    }
    for run in runs {
        run.result().await.expect("it completes");
    }
    let (balances, transfers) = bank.books().await;
    assert_eq!(transfers, i64::from(TRANSFERS));
    assert_eq!(balances.iter().sum::<i32>(), 4000);
    // Each account gave in its turn what it was asked for.
    let given = |account: i32| (0..TRANSFERS).filter(|n| n % 4 == account).sum::<i32>();
    let expected: Vec<_> = (0..4).map(|id| 1000 - given(id) + given((id + 3) % 4)).collect();
    assert_eq!(balances, expected);
    runtime.shutdown().await;
}

async fn what_a_failed_attempt_did_is_rolled_back(database: Fresh) {
    let (runtime, bank) = open(&database).await;
    let order = Transfer { from: 0, to: 1, cents: 10 };
    let run = runtime.start(stumble, order).await.expect("it starts");
    run.result().await.expect("the second attempt succeeds");
    assert_eq!(bank.books().await, (vec![990, 1010, 1000, 1000], 1));
    runtime.shutdown().await;
}

async fn what_the_commit_refuses_is_a_failed_attempt(database: Fresh) {
    let (runtime, bank) = open(&database).await;
    let run = runtime.start(give_away, 10).await.expect("it starts");
    let Err(Error::RunFailed { error, .. }) = run.result().await else { panic!("there is no 99") };
    assert!(error.to_string().to_lowercase().contains("foreign key"), "{error}");
    assert_eq!(bank.books().await, (vec![1000; 4], 0));
    runtime.shutdown().await;
}

async fn a_branch_beside_a_transaction_goes_on(database: Fresh) {
    let (runtime, bank) = open(&database).await;
    let orders = (0..10).map(|_| Transfer { from: 0, to: 1, cents: 1 });
    let mut runs = Vec::new();
    for order in orders {
        runs.push(runtime.start(tick_along, order).await.expect("it starts"));
    }
    let all = async {
        for run in runs {
            run.result().await.expect("it completes");
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all).await.expect("none waits for itself");
    assert_eq!(bank.books().await.1, 20);
    runtime.shutdown().await;
}

async fn a_transaction_is_undone_by_another_statement(database: Fresh) {
    let (runtime, bank) = open(&database).await;
    let order = Transfer { from: 0, to: 1, cents: 100 };
    let run = runtime.start(regret, order).await.expect("it starts");
    run.result().await.expect_err("it fails");
    let error = run.record().await.expect("its record").error.expect("it has failed");
    let undone: Vec<_> = error.undone.iter().map(|undone| undone.step.as_str()).collect();
    assert_eq!(undone, ["first"]);
    // The transfer itself stays on the books.
    assert_eq!(bank.books().await, (vec![1000; 4], 1));
    runtime.shutdown().await;
}
