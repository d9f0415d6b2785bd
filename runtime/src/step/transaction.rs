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
    /// Runs your SQL and stores the step's outcome in one transaction: **exactly once**. Either everything
    /// that the SQL did is committed together with the outcome, or nothing is.
    ///
    /// The transaction runs in the database that stores the runs. In a workflow write the closure as
    /// `async |tx| { .. }`. It gets the open transaction as a [`Tx`], and must neither commit it nor roll it
    /// back.
    ///
    /// The closure can run several times: at once after a serialisation failure or a deadlock, and after an
    /// error of its own like [`run`](Self::run). The database rolls back what the earlier attempt did. The
    /// closure should do nothing but talk to the database through its `Tx`, and `#[workflow]` refuses every
    /// other `.await` in it.
    ///
    /// On Postgres the transaction has the database's default isolation level. For another level make
    /// `SET TRANSACTION ISOLATION LEVEL SERIALIZABLE` its first statement. A process runs at most eight of
    /// these transactions at once, each on a connection with your database's own settings.
    ///
    /// On SQLite the transaction ends after two seconds, because nobody else can write to the file in the
    /// meantime. You can set a shorter [`timeout`](Run::timeout). It reaches the tables in the file that
    /// stores the runs.
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

    /// The connection to Postgres, an sqlx `Executor`.
    ///
    /// # Errors
    ///
    /// When the runs are stored in another database. The step is not tried again then.
    pub fn postgres(&mut self) -> Result<&mut PgConnection, Permanent> {
        match &mut self.connection {
            Some(Connection::Postgres(transaction)) => Ok(transaction),
            _ => Err(other_database("Postgres")),
        }
    }

    /// The connection to SQLite, an sqlx `Executor`.
    ///
    /// # Errors
    ///
    /// When the runs are stored in another database. The step is not tried again then.
    pub fn sqlite(&mut self) -> Result<&mut SqliteConnection, Permanent> {
        match &mut self.connection {
            Some(Connection::Sqlite(transaction, _)) => Ok(transaction),
            _ => Err(other_database("SQLite")),
        }
    }
}

fn other_database(wanted: &str) -> Permanent {
    let error = format!(
        "the transaction asks for {wanted}, but the program stores its runs in another database"
    );
    Permanent(error.into())
}

impl Drop for Tx {
    fn drop(&mut self) {
        self.open.give_back(self.connection.take());
    }
}
