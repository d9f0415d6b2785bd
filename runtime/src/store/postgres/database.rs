use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use sqlx::error::BoxDynError;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{
    AssertSqlSafe, Either, Error, Execute, Executor, PgPool, Postgres, SqlStr, Transaction,
};
use tokio::time::sleep;
use tracing::debug;

use super::pool::{self, SETTINGS};
use crate::store::StoreError;
use crate::store::hints::{Hints, Stirred};

/// What is between the store and its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Nothing that counts: a connection is a session on the server, and is set up as one.
    Session,
    /// A pooler that may give each transaction another session. Nothing outlives a transaction: no
    /// setting, no prepared statement, no `LISTEN`.
    Transaction,
}

/// How isolated a transaction is. It says so itself, as the database or the role may be set to another
/// level.
#[derive(Debug, Clone, Copy)]
pub(super) enum Isolation {
    /// Each statement sees what is committed when it begins, as the looks behind a commit need it.
    ReadCommitted,
    /// All see the same.
    RepeatableRead,
}

impl Isolation {
    fn begin(self, reach: Reach) -> AssertSqlSafe<&'static str> {
        static COMMITTED: LazyLock<String> = LazyLock::new(|| with_settings(READ_COMMITTED));
        static REPEATABLE: LazyLock<String> = LazyLock::new(|| with_settings(REPEATABLE_READ));
        const READ_COMMITTED: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";
        const REPEATABLE_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ";
        AssertSqlSafe(match (self, reach) {
            (Self::ReadCommitted, Reach::Session) => READ_COMMITTED,
            (Self::RepeatableRead, Reach::Session) => REPEATABLE_READ,
            (Self::ReadCommitted, Reach::Transaction) => &COMMITTED,
            (Self::RepeatableRead, Reach::Transaction) => &REPEATABLE,
        })
    }
}

/// Begins a transaction with the settings that a session would have.
fn with_settings(begin: &str) -> String {
    let settings = SETTINGS.map(|(name, value)| format!("SET LOCAL {name} = '{value}'"));
    format!("{begin}; {}", settings.join("; "))
}

/// Does again what the server has rolled back as another transaction was in its way.
pub(super) async fn again<T, F>(attempt: impl Fn() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    const ATTEMPTS: u32 = 10;
    let mut wait = Duration::from_millis(1);
    for _ in 1..ATTEMPTS {
        match attempt().await {
            Err(StoreError::Conflict(error)) => {
                debug!(%error, "another transaction was in the way; trying again");
            }
            done => return done,
        }
        sleep(wait).await;
        wait *= 2;
    }
    attempt().await
}

/// The store's connections, and who is told of what is committed on them.
#[derive(Clone)]
pub(super) struct Database {
    pool: PgPool,
    reach: Reach,
    hints: Arc<Hints>,
}

impl Database {
    pub(super) fn new(pool: PgPool, reach: Reach, hints: Arc<Hints>) -> Self {
        Self { pool, reach, hints }
    }

    /// The same, on a connection that nobody else uses.
    pub(super) fn with_own_connection(&self) -> Self {
        let options = self.pool.connect_options();
        Self { pool: pool::pool_of_one((*options).clone()), ..self.clone() }
    }

    pub(super) async fn begin(&self) -> Result<Write, StoreError> {
        self.begin_with(Isolation::ReadCommitted).await
    }

    pub(super) async fn begin_with(&self, isolation: Isolation) -> Result<Write, StoreError> {
        let tx = pool::begin(&self.pool, isolation.begin(self.reach)).await?;
        Ok(Write { link: self.link(tx), hints: self.hints.clone() })
    }

    /// A transaction as a [`Link`].
    pub(super) fn link(&self, tx: Transaction<'static, Postgres>) -> Link {
        Link::Transaction(tx, self.reach)
    }

    pub(super) fn reach(&self) -> Reach {
        self.reach
    }

    /// A link on which each statement commits by itself. What that has stirred, the caller
    /// [tells](Self::committed).
    pub(super) async fn acquire(&self) -> Result<Link, StoreError> {
        Ok(match self.reach {
            Reach::Session => Link::Session(self.pool.acquire().await?),
            Reach::Transaction => Link::Statements(self.pool.clone()),
        })
    }

    /// A statement outside of a transaction has stirred this.
    pub(super) fn committed(&self, stirred: Stirred) {
        self.hints.stir(stirred);
    }

    pub(super) fn hints(&self) -> &Arc<Hints> {
        &self.hints
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}

/// A transaction that tells what it has stirred.
pub(super) struct Write {
    link: Link,
    hints: Arc<Hints>,
}

impl Write {
    pub(super) async fn commit(self, stirred: Stirred) -> Result<(), StoreError> {
        self.link.commit().await?;
        self.hints.stir(stirred);
        Ok(())
    }
}

impl Deref for Write {
    type Target = Link;

    fn deref(&self) -> &Link {
        &self.link
    }
}

impl DerefMut for Write {
    fn deref_mut(&mut self) -> &mut Link {
        &mut self.link
    }
}

/// What statements are sent on.
pub(super) enum Link {
    /// A transaction.
    Transaction(Transaction<'static, Postgres>, Reach),
    /// A session, in which each statement commits by itself.
    Session(PoolConnection<Postgres>),
    /// Each statement is a transaction, and may be in another session.
    Statements(PgPool),
}

impl Link {
    /// Commits what has not committed by itself.
    pub(super) async fn commit(self) -> Result<(), Error> {
        match self {
            Self::Transaction(tx, _) => tx.commit().await,
            Self::Session(_) | Self::Statements(_) => Ok(()),
        }
    }

    /// Takes back what has not committed by itself.
    pub(super) async fn rollback(self) -> Result<(), Error> {
        match self {
            Self::Transaction(tx, _) => tx.rollback().await,
            Self::Session(_) | Self::Statements(_) => Ok(()),
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link")
    }
}

type Reply = Either<PgQueryResult, PgRow>;

impl<'c> Executor<'c> for &'c mut Link {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Reply, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        match self {
            Link::Session(session) => session.fetch_many(query),
            Link::Transaction(tx, Reach::Session) => tx.fetch_many(query),
            Link::Transaction(tx, Reach::Transaction) => tx.fetch_many(Unnamed(query)),
            Link::Statements(pool) => {
                let replies = stream::once(transact(pool, query));
                replies.map_ok(|replies| stream::iter(replies).map(Ok)).try_flatten().boxed()
            }
        }
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        match self {
            Link::Session(session) => session.fetch_optional(query),
            Link::Transaction(tx, Reach::Session) => tx.fetch_optional(query),
            Link::Transaction(tx, Reach::Transaction) => tx.fetch_optional(Unnamed(query)),
            Link::Statements(pool) => Box::pin(async {
                let replies = transact(pool, query).await?;
                Ok(replies.into_iter().find_map(Either::right))
            }),
        }
    }

    /// Nothing here is prepared ahead.
    fn prepare_with<'e>(
        self,
        _sql: SqlStr,
        _parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, Error>>
    where
        'c: 'e,
    {
        Box::pin(async { Err(Error::Protocol("a link prepares nothing ahead".to_owned())) })
    }
}

/// A statement in a transaction of its own. What it gives is committed.
async fn transact<'q, E>(pool: &PgPool, query: E) -> Result<Vec<Reply>, Error>
where
    E: 'q + Execute<'q, Postgres>,
{
    let begin = Isolation::ReadCommitted.begin(Reach::Transaction);
    let mut tx = pool::begin(pool, begin).await?;
    let replies = tx.fetch_many(Unnamed(query)).try_collect().await?;
    tx.commit().await?;
    Ok(replies)
}

/// A statement that leaves no name behind in its session, which the next client would stumble over.
struct Unnamed<E>(E);

impl<'q, E: Execute<'q, Postgres>> Execute<'q, Postgres> for Unnamed<E> {
    fn sql(self) -> SqlStr {
        self.0.sql()
    }

    fn statement(&self) -> Option<&PgStatement> {
        self.0.statement()
    }

    fn take_arguments(&mut self) -> Result<Option<PgArguments>, BoxDynError> {
        self.0.take_arguments()
    }

    fn persistent(&self) -> bool {
        false
    }
}
