//! The transactions of steps, as sqlx has them: the core only lends them and takes them back.

use std::error::Error;

use sqlx::Transaction;
#[cfg(feature = "postgres")]
use sqlx::{PgConnection, Postgres};
#[cfg(feature = "sqlite")]
use sqlx::{Sqlite, SqliteConnection};
#[cfg(feature = "sqlite")]
use tokio::sync::OwnedSemaphorePermit;

use crate::step::{Handle, Lending, Permanent};

/// A transaction, on whichever database it is.
pub(crate) enum Connection {
    #[cfg(feature = "postgres")]
    Postgres(Transaction<'static, Postgres>),
    /// With its turn: the next may begin when that is dropped.
    #[cfg(feature = "sqlite")]
    Sqlite(Transaction<'static, Sqlite>, Option<OwnedSemaphorePermit>),
}

impl Connection {
    /// What an event can be sent in.
    pub(crate) fn borrow(&mut self) -> Borrowed<'_> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(transaction) => Borrowed::Postgres(transaction),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(transaction, _) => Borrowed::Sqlite(transaction),
        }
    }

    /// The one to Postgres, if it is one.
    #[cfg(feature = "postgres")]
    pub(crate) fn into_postgres(self) -> Option<Transaction<'static, Postgres>> {
        match self {
            Self::Postgres(transaction) => Some(transaction),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(..) => None,
        }
    }

    /// The one to SQLite with its turn, if it is one.
    #[cfg(feature = "sqlite")]
    pub(crate) fn into_sqlite(
        self,
    ) -> Option<(Transaction<'static, Sqlite>, Option<OwnedSemaphorePermit>)> {
        match self {
            Self::Sqlite(transaction, turn) => Some((transaction, turn)),
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => None,
        }
    }
}

/// The connection of a transaction that somebody else ends.
#[doc(hidden)]
pub enum Borrowed<'t> {
    #[cfg(feature = "postgres")]
    Postgres(&'t mut PgConnection),
    #[cfg(feature = "sqlite")]
    Sqlite(&'t mut SqliteConnection),
    /// The transaction is over.
    None,
}

impl<'t> Borrowed<'t> {
    /// The one to Postgres, if it is one.
    #[cfg(feature = "postgres")]
    pub(crate) fn into_postgres(self) -> Option<&'t mut PgConnection> {
        match self {
            Self::Postgres(connection) => Some(connection),
            _ => None,
        }
    }

    /// The one to SQLite, if it is one.
    #[cfg(feature = "sqlite")]
    pub(crate) fn into_sqlite(self) -> Option<&'t mut SqliteConnection> {
        match self {
            Self::Sqlite(connection) => Some(connection),
            _ => None,
        }
    }
}

/// A transaction in which [`Client::send_in`](crate::Client::send_in) can send an event: one of sqlx's on
/// Postgres or SQLite, or that of a step.
#[diagnostic::on_unimplemented(
    message = "an event cannot be sent in `{Self}`",
    label = "this is not a transaction on Postgres or SQLite",
    note = "give a `&mut` of what `pool.begin().await?` gave: a `sqlx::Transaction`; in a step's transaction give its `tx`"
)]
pub trait Transactional: Send {
    #[doc(hidden)]
    fn borrow(&mut self) -> Borrowed<'_>;
}

#[cfg(feature = "postgres")]
impl Transactional for Transaction<'_, Postgres> {
    fn borrow(&mut self) -> Borrowed<'_> {
        Borrowed::Postgres(self)
    }
}

#[cfg(feature = "sqlite")]
impl Transactional for Transaction<'_, Sqlite> {
    fn borrow(&mut self) -> Borrowed<'_> {
        Borrowed::Sqlite(self)
    }
}

impl Transactional for Tx {
    fn borrow(&mut self) -> Borrowed<'_> {
        self.transaction.get_mut().map_or(Borrowed::None, Connection::borrow)
    }
}

/// The open transaction of a [`Step::transaction`](crate::step::Step::transaction).
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
    transaction: Lending,
}

impl Handle for Tx {
    fn of(transaction: Lending) -> Self {
        Self { transaction }
    }
}

impl Tx {
    /// The connection to Postgres, an sqlx `Executor`.
    ///
    /// # Errors
    ///
    /// When the runs are stored in another database. The step is not tried again then.
    #[cfg(feature = "postgres")]
    pub fn postgres(&mut self) -> Result<&mut PgConnection, Permanent> {
        match self.transaction.get_mut() {
            Some(Connection::Postgres(transaction)) => Ok(transaction),
            _ => Err(other_database("Postgres")),
        }
    }

    /// The connection to SQLite, an sqlx `Executor`.
    ///
    /// # Errors
    ///
    /// When the runs are stored in another database. The step is not tried again then.
    #[cfg(feature = "sqlite")]
    pub fn sqlite(&mut self) -> Result<&mut SqliteConnection, Permanent> {
        match self.transaction.get_mut() {
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

/// Whether another transaction was in the way: by Postgres' appendix "Error Codes", a serialisation
/// failure or a deadlock. SQLite has but one writer.
pub(crate) fn conflicts(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    matches!(code.as_deref(), Some("40001" | "40P01"))
}

/// The same of an error of any type.
pub(crate) fn is_conflict(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref().is_some_and(conflicts)
}
