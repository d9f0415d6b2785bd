use std::sync::{Arc, Mutex};

use futures_util::FutureExt;

use super::error::{BoxError, Caught, Failure, caught};
use super::held::Held;
use super::operations::{Lending, Open};
use super::run::{Attempt, Run};
use super::{Outcome, Step};
use crate::workflow::{State, StepKind};

impl Step {
    /// Runs your SQL and stores the step's outcome in one transaction: **exactly once**. Either everything
    /// that the SQL did is committed together with the outcome, or nothing is.
    ///
    /// The transaction runs in the database that stores the runs. In a workflow write the closure as
    /// `async |tx| { .. }`. It gets the open transaction as a [`Tx`](../struct.Tx.html), and must neither
    /// commit it nor roll it back.
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
    pub fn transaction<'s, S, Tx, F, Fut, T, E>(
        &self,
        state: S,
        work: S::Of<F>,
    ) -> S::Of<Run<'s, T, E>>
    where
        S: State,
        Tx: Handle,
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
                    let tx = Tx::of(open.lend(database.begin().await));
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
    pub fn transaction_caught<'s, S, Tx, F, Fut, T>(
        &self,
        state: S,
        work: S::Of<F>,
    ) -> S::Of<Run<'s, T, Failure>>
    where
        S: State,
        Tx: Handle,
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
    pub fn transaction_with<'s, S, Tx, A, F, Fut, T, E>(
        &self,
        state: S,
        values: A,
        mut work: F,
    ) -> Run<'s, T, E>
    where
        S: State,
        Tx: Handle,
        A: Clone + Send + 's,
        F: FnMut(A, Tx) -> Fut + Send + 's,
        Fut: Future<Output = Result<T, E>> + Send + 's,
        T: Outcome,
        E: Into<BoxError> + Send + 's,
    {
        self.transaction(state, (move |tx| work(values.clone(), tx)).into()).into()
    }
}

/// What the closure of a [`Step::transaction`] gets: a `Tx`.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a transaction is not lent as a `{Self}`",
    label = "the closure of a transaction takes a `Tx`",
    note = "in a workflow write `async |tx| {{ .. }}`; elsewhere `async |tx: indelible::Tx| {{ .. }}`"
)]
pub trait Handle: Send {
    /// The handle of a transaction that has begun.
    fn of(transaction: Lending) -> Self;
}
