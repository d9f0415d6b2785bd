use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use sqlx::{PgConnection, SqliteConnection};

use super::error::{BoxError, Caught, Failure, Permanent, caught};
use super::held::Held;
use super::operations::{Connection, Open};
use super::run::{Attempt, Run};
use super::{Outcome, Step};
use crate::workflow::{State, StepKind};

impl Step {
    /// Runs SQL statements of the user's in a transaction of the database that keeps the run, and
    /// commits the step's outcome as the last statement of the same transaction: **exactly once**.
    /// Either all that the statements did and the outcome are there, or nothing of it is.
    ///
    /// The closure gets the open transaction as a [`Tx`] and begins none of its own; it must neither
    /// commit nor roll back. It may be run again, after a serialisation failure or a deadlock at once,
    /// after an error of its own as [`run`](Self::run) is; what an attempt did to the database is
    /// rolled back first. So it should do nothing but talk to the database through its `Tx`, and
    /// `#[workflow]` refuses it to await anything else.
    ///
    /// On Postgres the transaction is one at the database's default isolation level; for another let
    /// `SET TRANSACTION ISOLATION LEVEL SERIALIZABLE` be its first statement. It runs on a connection
    /// that is set up as the user's database is, of which a process has eight.
    ///
    /// On SQLite nobody else can write to the file in the meantime, so the transaction ends after two
    /// seconds (a shorter [`timeout`](Run::timeout) may be set), and it reaches the tables of the
    /// file in which the runs are kept.
    ///
    /// In a workflow the closure is written `async |tx| { .. }`.
    pub fn transaction<'s, S, F, Fut, T, E>(&self, state: S, work: S::Of<F>) -> S::Of<Run<'s, T, E>>
    where
        S: State,
        F: FnMut(Tx) -> Fut + Send + 's,
        Fut: Future<Output = Result<T, E>> + Send + 's,
        T: Outcome,
        E: Into<BoxError> + Send + 's,
    {
        let database = self.operations.lock().terms.database.clone();
        let open = Open::default();
        let work = Arc::new(Mutex::new(work.into()));
        let attempt = {
            let open = open.clone();
            move || {
                let (open, database, work) = (open.clone(), database.clone(), work.clone());
                Box::pin(async move {
                    let Some(database) = database else {
                        panic!("there is no database here for a transaction");
                    };
                    let tx = Tx::begin(open, database.begin().await);
                    // It may have panicked before; it is the user's, and is only called.
                    let future =
                        (*work.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))(tx);
                    future.await
                }) as Attempt<'s, T, E>
            }
        };
        Run::of(Held::claim(self, state, StepKind::Transaction), attempt).transacted(open).into()
    }

    /// As [`transaction`](Self::transaction), for a step whose errors are caught as what they are.
    #[doc(hidden)]
    pub fn transaction_caught<'s, S, F, Fut, T>(
        &self,
        state: S,
        work: S::Of<F>,
    ) -> S::Of<Run<'s, T, Failure>>
    where
        S: State,
        F: FnMut(Tx) -> Fut + Send + 's,
        Fut: Future<Output = Result<T, Caught>> + Send + 's,
        T: Outcome,
    {
        let mut work = work.into();
        self.transaction(state, (move |tx| work(tx).map(caught)).into())
    }

    /// As [`transaction`](Self::transaction), for a step that outlives what its closure uses: it holds
    /// `values`, and each attempt gets a clone of them.
    #[doc(hidden)]
    pub fn transaction_with<'s, S, A, F, Fut, T, E>(
        &self,
        state: S,
        values: A,
        mut work: F,
    ) -> Run<'s, T, E>
    where
        S: State,
        A: Clone + Send + 's,
        F: FnMut(A, Tx) -> Fut + Send + 's,
        Fut: Future<Output = Result<T, E>> + Send + 's,
        T: Outcome,
        E: Into<BoxError> + Send + 's,
    {
        self.transaction(state, (move |tx| work(values.clone(), tx)).into()).into()
    }
}

/// The open transaction of a [`Step::transaction`].
///
/// ```
/// use indelible::prelude::*;
/// use indelible::testing::Bench;
///
/// #[workflow(input)]
/// async fn pay(order: i64, step: Step) -> Result<u64, Failure> {
///     let paid = step.transaction("mark-paid", async |tx| {
///         let update = sqlx::query("UPDATE orders SET paid = TRUE WHERE id = $1").bind(order);
///         Ok(update.execute(tx.sqlite()?).await?.rows_affected())
///     });
///     Ok(paid.await?)
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// # let pool = sqlx::sqlite::SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await.unwrap();
/// # sqlx::query("CREATE TABLE orders (id INTEGER PRIMARY KEY, paid BOOLEAN)").execute(&pool).await.unwrap();
/// # sqlx::query("INSERT INTO orders VALUES (7, FALSE)").execute(&pool).await.unwrap();
/// let mut run = Bench::new().sqlite(pool).start(pay, 7);
/// assert_eq!(run.finish().await, Ok(1));
/// # }
/// ```
pub struct Tx {
    open: Open,
    connection: Option<Connection>,
}

impl Tx {
    fn begin(open: Open, connection: Connection) -> Self {
        open.begin();
        Self { open, connection: Some(connection) }
    }

    /// The connection, if runs are kept in Postgres: an sqlx `Executor`.
    ///
    /// # Errors
    ///
    /// When runs are kept in another database; no further attempt is made then.
    pub fn postgres(&mut self) -> Result<&mut PgConnection, Permanent> {
        match &mut self.connection {
            Some(Connection::Postgres(transaction)) => Ok(transaction),
            _ => Err(other_database("Postgres")),
        }
    }

    /// The connection, if runs are kept in SQLite: an sqlx `Executor`.
    ///
    /// # Errors
    ///
    /// When runs are kept in another database; no further attempt is made then.
    pub fn sqlite(&mut self) -> Result<&mut SqliteConnection, Permanent> {
        match &mut self.connection {
            Some(Connection::Sqlite(transaction, _)) => Ok(transaction),
            _ => Err(other_database("SQLite")),
        }
    }
}

fn other_database(wanted: &str) -> Permanent {
    let error = format!(
        "the transaction asks for {wanted}, and the program's runs are kept in another database"
    );
    Permanent(error.into())
}

impl Drop for Tx {
    fn drop(&mut self) {
        self.open.give_back(self.connection.take());
    }
}
