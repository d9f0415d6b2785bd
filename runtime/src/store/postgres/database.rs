use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, PgPool, Postgres, Transaction};

use super::connect::{self, BEGIN};
use crate::store::StoreError;
use crate::store::hints::{Hints, Stirred};

/// The store's connections, and who is told of what is committed on them.
pub(super) struct Database {
    pool: PgPool,
    hints: Arc<Hints>,
}

impl Database {
    pub(super) fn new(pool: PgPool, hints: Arc<Hints>) -> Self {
        Self { pool, hints }
    }

    /// For statements that leave nothing for others to do.
    pub(super) fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub(super) async fn begin(&self) -> Result<Write, StoreError> {
        self.begin_with(BEGIN).await
    }

    pub(super) async fn begin_with(&self, statement: &'static str) -> Result<Write, StoreError> {
        let tx = connect::begin(&self.pool, statement).await?;
        Ok(Write { tx, hints: self.hints.clone() })
    }

    /// A connection on which each statement commits by itself. What that has stirred, the caller
    /// [tells](Self::committed).
    pub(super) async fn acquire(&self) -> Result<PoolConnection<Postgres>, StoreError> {
        Ok(self.pool.acquire().await?)
    }

    /// A statement outside of a transaction has stirred this.
    pub(super) fn committed(&self, stirred: Stirred) {
        self.hints.stir(stirred);
    }

    pub(super) fn hints(&self) -> &Arc<Hints> {
        &self.hints
    }
}

/// A transaction that tells what it has stirred.
pub(super) struct Write {
    tx: Transaction<'static, Postgres>,
    hints: Arc<Hints>,
}

impl Write {
    pub(super) async fn commit(self, stirred: Stirred) -> Result<(), StoreError> {
        self.tx.commit().await?;
        self.hints.stir(stirred);
        Ok(())
    }
}

impl Deref for Write {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.tx
    }
}

impl DerefMut for Write {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.tx
    }
}
